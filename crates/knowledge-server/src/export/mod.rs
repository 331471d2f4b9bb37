//! The resolved graph as a file.
//!
//! Owns the formats. What is exported comes from [`crate::store::read`]; nothing here asks the
//! orchestrator or changes anything.

mod graph;
mod json;

use std::io;

pub use json::write_json;

use crate::store::StoreError;

/// Why a graph was not exported; what was written before is not a whole file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The organisation has no such batch.
    #[error("there is no such batch")]
    NoSuchBatch,
    /// The graph could not be read.
    #[error("the graph could not be read")]
    Store(#[from] StoreError),
    /// The file could not be written.
    #[error("the graph could not be written")]
    Write(#[from] io::Error),
}
