//! The SeaORM entities, one file per table.
//!
//! Owns the mapping of rows to Rust values, column for column.
//! Owns no query, no transaction and no meaning: names and statuses are text here, and
//! `knowledge-server` translates them into the domain's types.

pub mod api_key;
pub mod batch_document;
pub mod batch_event;
pub mod batch_execution;
pub mod chunk;
pub mod circuit_breaker;
pub mod cluster_member;
pub mod document;
pub mod embedding;
pub mod entity;
pub mod entity_cluster;
pub mod extraction;
pub mod llm_call;
pub mod mention_record;
pub mod merge_history;
pub mod ontology;
pub mod organization;
pub mod parity_check;
pub mod relation;
pub mod relation_evidence;
pub mod resolution_block;
pub mod resolution_decision;
pub mod resolution_form;
pub mod resolution_leaf;
pub mod resolution_question;
pub mod same_as_link;
pub mod server;
pub mod token_account;
pub mod workflow_activity;
pub mod workflow_execution;
pub mod workflow_signal;
