//! The vocabulary of knowledge: ids, states, events, transitions, policies, errors and graph types.
//!
//! Owns what the words of the system mean and the pure functions over them.
//! Owns no I/O, no clock, no runtime and no database: it knows serde, strum, thiserror, uuid and
//! chrono and nothing else, which a test in `tests/` keeps so.

mod access;
pub mod batch;
pub mod document;
mod error;
pub mod graph;
pub mod ids;
mod ontology;
mod seam;
pub mod workflow;

pub use access::{Caller, ParseSlugError, Role, Slug};
pub use error::{ConfigError, ErrorKind};
pub use ontology::{Class, Ontology, OntologyFormat, Property, Takes, Term, core_type};
pub use seam::{Clock, Entropy};
