//! A document's life within a batch.

use serde::{Deserialize, Serialize};

/// The status of a document in a batch.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DocumentStatus {
    /// Waits for its turn.
    Queued,
    /// Its workflow runs.
    Processing,
    /// Its graph is stored.
    Completed,
    /// Its workflow failed; the stage, the error and its kind are kept.
    Failed,
    /// Failed before, waits for another attempt.
    Retry,
    /// It keeps failing and is left alone: quarantined until a user wants it tried again.
    Abandoned,
    /// Left untouched, or dropped unfinished, by abort or cancel.
    Skipped,
}

/// What can happen to a document in a batch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumIter, strum::IntoStaticStr,
)]
pub enum DocumentTrigger {
    /// Its turn has come.
    Start,
    /// Its workflow completed.
    Complete,
    /// Its workflow failed.
    Fail,
    /// The orchestrator or a user wants another attempt; of a completed document, at the units that
    /// its graph is without.
    Retry,
    /// The policy gives up.
    Abandon,
    /// Abort or cancel met it unfinished.
    Skip,
}

/// A trigger that the status does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a document that is {from} cannot take {event}")]
pub struct DocumentTransitionError {
    /// The status, unchanged.
    pub from: DocumentStatus,
    /// What was refused.
    pub event: DocumentTrigger,
}

impl DocumentStatus {
    /// The status after a trigger.
    ///
    /// # Errors
    /// [`DocumentTransitionError`] for every pair that the diagram does not show.
    pub fn apply(self, event: DocumentTrigger) -> Result<Self, DocumentTransitionError> {
        use DocumentTrigger::{Abandon, Complete, Fail, Retry, Skip, Start};
        match (self, event) {
            (Self::Queued | Self::Retry, Start) => Ok(Self::Processing),
            (Self::Processing, Complete) => Ok(Self::Completed),
            (Self::Processing, Fail) => Ok(Self::Failed),
            (Self::Completed | Self::Failed | Self::Abandoned | Self::Skipped, Retry) => {
                Ok(Self::Retry)
            }
            (Self::Failed, Abandon) => Ok(Self::Abandoned),
            (Self::Queued | Self::Processing | Self::Retry, Skip) => Ok(Self::Skipped),
            (
                Self::Queued
                | Self::Processing
                | Self::Completed
                | Self::Failed
                | Self::Retry
                | Self::Abandoned
                | Self::Skipped,
                _,
            ) => Err(DocumentTransitionError { from: self, event }),
        }
    }

    /// Whether the run that the document is in has no more work for it.
    ///
    /// A failed document that will be retried is settled between the rounds, too; the batch row
    /// knows whether a round follows.
    #[must_use]
    pub fn is_settled(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Abandoned | Self::Skipped => true,
            Self::Queued | Self::Processing | Self::Retry => false,
        }
    }

    /// Whether it counts among a batch's failed documents.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Abandoned)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn table() {
        let mut table = String::new();
        for from in DocumentStatus::iter() {
            for event in DocumentTrigger::iter() {
                let to = from
                    .apply(event)
                    .map_or_else(|_| "-".to_owned(), |to| to.to_string());
                writeln!(table, "{from:<10} {event:<8} {to}").unwrap();
            }
        }
        insta::assert_snapshot!(table);
    }
}
