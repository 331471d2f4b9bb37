//! Why a change was not made.

use knowledge_domain::{
    ErrorKind,
    batch::InvalidTransition,
    ids::{BatchDocumentId, BatchId},
};

use crate::store::StoreError;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The organisation has no such batch.
    #[error("there is no batch {0}")]
    NotFound(BatchId),
    /// The batch ended or was steered, or what was to be changed passed to another process.
    #[error("batch {0} is no longer run by this process")]
    Fenced(BatchId),
    /// What was remembered of the batch is not so any more; nothing was changed.
    #[error("batch {0} was changed by another process meanwhile")]
    Stale(BatchId),
    /// What came before it was not recorded.
    #[error("document {0} has not got there: an earlier record of it was lost")]
    OutOfOrder(BatchDocumentId),
    /// The state machine refused.
    #[error("batch {batch_id} refused the change")]
    Refused {
        /// The batch.
        batch_id: BatchId,
        /// The state and what it refused.
        source: InvalidTransition,
    },
    /// The store failed.
    #[error("the change could not be stored")]
    Store(#[from] StoreError),
}

impl LedgerError {
    /// What a policy may do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Fenced(_) => ErrorKind::Cancelled,
            Self::OutOfOrder(_) | Self::Stale(_) => ErrorKind::Retryable,
            Self::NotFound(_) | Self::Refused { .. } => ErrorKind::Permanent,
            Self::Store(error) => error.kind(),
        }
    }

    /// Whether the store could not answer, so that the same may succeed later.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Store(error) if error.kind().is_retryable())
    }
}

impl From<sea_orm::DbErr> for LedgerError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(error.into())
    }
}
