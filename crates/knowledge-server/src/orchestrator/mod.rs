//! Batches from their start to their end: the commands and what they set in motion.

mod command;

pub use command::{NewDocument, StartBatch, StartBatchError, SteerError};
use knowledge_domain::ids::{BatchId, OrganizationId};

/// Starts and steers batches; cheap to clone.
#[derive(Clone)]
pub struct Orchestrator {}

impl Orchestrator {
    /// Stores a batch with its documents and sets it going. Idempotent by its key.
    pub async fn start(
        &self,
        organization: OrganizationId,
        command: StartBatch,
    ) -> Result<BatchId, StartBatchError> {
        let _ = (organization, command);
        Err(StartBatchError::Draining)
    }

    /// Cancels a batch, promptly and for good. Cancelling a cancelled batch changes nothing.
    pub async fn cancel(
        &self,
        organization: OrganizationId,
        batch: BatchId,
    ) -> Result<(), SteerError> {
        let _ = (organization, batch);
        Err(SteerError::NotFound)
    }

    /// Tries the failed, abandoned and skipped documents of an ended batch again.
    pub async fn retry_failed(
        &self,
        organization: OrganizationId,
        batch: BatchId,
    ) -> Result<(), SteerError> {
        let _ = (organization, batch);
        Err(SteerError::NotFound)
    }
}
