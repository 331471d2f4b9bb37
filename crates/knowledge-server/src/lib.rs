//! The server of knowledge and everything behind the binary `knowledge`.
//!
//! Commands go `graphql`/`cli` → [`orchestrator`] → [`engine`] → [`store`]; reads go
//! `graphql`/`http`/`export` → [`store`] without passing the orchestrator; progress goes
//! [`store`] → [`progress`] → subscribers. Nothing here decides what a state change means: that is
//! `knowledge-domain`.

pub mod access;
pub mod app;
pub mod cli;
pub mod config;
pub mod engine;
pub mod environment;
pub mod export;
pub mod faults;
#[cfg(test)]
mod fixture;
pub mod graphql;
pub mod http;
pub mod llm;
mod log;
mod metrics;
pub mod ontologies;
pub mod orchestrator;
pub mod progress;
pub mod store;
pub mod text;
pub mod verify;
