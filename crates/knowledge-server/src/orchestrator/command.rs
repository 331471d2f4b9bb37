use knowledge_domain::{
    ConfigError,
    batch::{BatchOptions, InvalidTransition},
    ids::{BatchId, OntologyId},
};

use crate::store::StoreError;

/// A document as a client hands it in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDocument {
    /// The name that people read; not empty.
    pub name: String,
    /// The text; an empty one is accepted and fails on its own.
    pub text: String,
    /// Where it came from.
    pub source_uri: Option<String>,
    /// What the client says of it.
    pub metadata: serde_json::Value,
}

/// What a client asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StartBatch {
    /// The documents in their order; at least one.
    pub documents: Vec<NewDocument>,
    /// A registered ontology; the core types when absent.
    pub ontology_id: Option<OntologyId>,
    /// Settings; what is left out takes its default.
    pub options: BatchOptions,
    /// Names the request, so that sending it again gives the same batch.
    pub idempotency_key: Option<String>,
}

/// Why a batch was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartBatchError {
    /// The request is not valid.
    #[error("{message}")]
    Invalid {
        /// Where: `["documents", "3", "name"]`.
        path: Vec<String>,
        /// What is wrong and what to do.
        message: String,
    },
    /// The key was used with another request.
    #[error("the idempotency key was used with another request, which started {batch_id}")]
    IdempotencyConflict {
        /// The batch that the other request started.
        batch_id: BatchId,
    },
    /// There is no such ontology.
    #[error("there is no ontology {0}")]
    OntologyNotFound(OntologyId),
    /// The server is about to stop.
    #[error("the server is draining and starts no new work; try again in a moment")]
    Draining,
    /// The store failed.
    #[error("the batch could not be stored")]
    Store(#[from] StoreError),
}

impl From<ConfigError> for StartBatchError {
    fn from(error: ConfigError) -> Self {
        Self::Invalid {
            path: vec!["config".to_owned(), error.path.to_owned()],
            message: error.to_string(),
        }
    }
}

/// Why a batch could not be steered.
#[derive(Debug, thiserror::Error)]
pub enum SteerError {
    /// The organisation has no such batch.
    #[error("there is no such batch")]
    NotFound,
    /// The batch's state does not allow it.
    #[error("{batch_id}: {source}")]
    InvalidStateTransition {
        /// The batch.
        batch_id: BatchId,
        /// The state and what it refused.
        source: InvalidTransition,
    },
    /// The server is about to stop.
    #[error("the server is draining and starts no new work; try again in a moment")]
    Draining,
    /// The store failed.
    #[error("the batch could not be changed")]
    Store(#[from] StoreError),
}
