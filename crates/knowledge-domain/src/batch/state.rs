//! The state machine of a batch.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::IntoEnumIterator;

use super::BatchEventKind;
use crate::workflow::WorkflowStage;

/// The name of a batch's state.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
pub enum BatchStage {
    /// No document has begun.
    Pending,
    /// The most advanced document is cut into chunks.
    Chunking,
    /// … has its mentions found.
    ExtractingMentions,
    /// … has its entities typed.
    ExtractingEntities,
    /// … has its relations found.
    ExtractingRelations,
    /// … has its graph put together.
    Assembling,
    /// Every document is settled; entities are resolved across them.
    Resolving,
    /// At least one document completed.
    Completed,
    /// No document completed, or abort or resolution ended the batch.
    Failed,
    /// A user cancelled the batch.
    Cancelled,
}

impl BatchStage {
    /// Whether the run has ended.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The stage after this one on the way from `Pending` to `Resolving`.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::iter().find(|stage| *stage > self && *stage <= Self::Resolving)
    }
}

impl From<WorkflowStage> for BatchStage {
    fn from(stage: WorkflowStage) -> Self {
        match stage {
            WorkflowStage::Chunk => Self::Chunking,
            WorkflowStage::Mentions => Self::ExtractingMentions,
            WorkflowStage::Entities => Self::ExtractingEntities,
            WorkflowStage::Relations => Self::ExtractingRelations,
            WorkflowStage::Assemble => Self::Assembling,
        }
    }
}

/// What a batch amounted to when its run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchTotals {
    /// Documents of the batch.
    pub documents: u32,
    /// Documents whose graph is stored.
    pub completed: u32,
    /// Documents that failed.
    pub failed: u32,
    /// Documents left unfinished by abort or cancel.
    pub skipped: u32,
    /// Entities, after resolution where it ran.
    pub entities: u32,
    /// Relations.
    pub relations: u32,
    /// Completed documents whose graphs are without some units.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub partial: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl BatchTotals {
    /// Whether nothing is left to try again.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failed + self.skipped + self.partial == 0
    }
}

/// Why a batch failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchFailure {
    /// What failed and what to do; names the culprit under `abort-all`.
    pub error: String,
    /// What the batch amounted to.
    pub totals: BatchTotals,
}

/// The state of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all_fields = "camelCase")]
pub enum BatchState {
    /// No document has begun.
    Pending,
    /// Documents run; the stage is one from `Chunking` to `Assembling`.
    Chunking {
        /// When the stage was entered.
        since: DateTime<Utc>,
    },
    /// See [`BatchStage::ExtractingMentions`].
    ExtractingMentions {
        /// When the stage was entered.
        since: DateTime<Utc>,
    },
    /// See [`BatchStage::ExtractingEntities`].
    ExtractingEntities {
        /// When the stage was entered.
        since: DateTime<Utc>,
    },
    /// See [`BatchStage::ExtractingRelations`].
    ExtractingRelations {
        /// When the stage was entered.
        since: DateTime<Utc>,
    },
    /// See [`BatchStage::Assembling`].
    Assembling {
        /// When the stage was entered.
        since: DateTime<Utc>,
    },
    /// Every document is settled.
    Resolving {
        /// When resolution began.
        since: DateTime<Utc>,
    },
    /// The run ended with at least one document completed.
    Completed {
        /// What the batch amounted to.
        totals: BatchTotals,
        /// When it ended.
        at: DateTime<Utc>,
    },
    /// The run failed.
    Failed {
        /// Why, and what the batch amounted to.
        failure: BatchFailure,
        /// When it ended.
        at: DateTime<Utc>,
    },
    /// A user cancelled the batch.
    Cancelled {
        /// What the batch amounted to.
        totals: BatchTotals,
        /// When it ended.
        at: DateTime<Utc>,
    },
}

/// What can happen to a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchTrigger {
    /// A document entered a stage that none had entered in this run.
    EnterStage(WorkflowStage),
    /// Every document is settled, at least one completed, and resolution is wanted.
    StartResolution,
    /// Nothing is left to do.
    Complete {
        /// What the batch amounts to.
        totals: BatchTotals,
    },
    /// The batch cannot go on.
    Fail(BatchFailure),
    /// A user cancels.
    Cancel {
        /// What the batch amounts to.
        totals: BatchTotals,
    },
    /// A user wants the unfinished documents tried again.
    Retry,
}

impl BatchTrigger {
    /// The name that `InvalidStateTransition` reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::EnterStage(WorkflowStage::Chunk) => "EnterChunking",
            Self::EnterStage(WorkflowStage::Mentions) => "EnterExtractingMentions",
            Self::EnterStage(WorkflowStage::Entities) => "EnterExtractingEntities",
            Self::EnterStage(WorkflowStage::Relations) => "EnterExtractingRelations",
            Self::EnterStage(WorkflowStage::Assemble) => "EnterAssembling",
            Self::StartResolution => "StartResolution",
            Self::Complete { .. } => "Complete",
            Self::Fail(_) => "Fail",
            Self::Cancel { .. } => "Cancel",
            Self::Retry => "Retry",
        }
    }
}

/// A trigger that the state does not allow; nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a batch that is {from} cannot take {event}")]
pub struct InvalidTransition {
    /// The state, unchanged.
    pub from: BatchStage,
    /// What was refused.
    pub event: &'static str,
}

impl InvalidTransition {
    /// What whoever asked for it can do instead, where users can ask for it.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match (self.event, self.from) {
            ("Retry", BatchStage::Cancelled) => Some(
                "what is cancelled stays cancelled; start a batch with the same documents, and no \
                 answer of a model is paid for again",
            ),
            ("Retry", BatchStage::Completed) => Some("none of its documents is to be tried again"),
            ("Retry", _) => Some("wait until it has ended, or cancel it"),
            ("Cancel", _) => Some("it has ended already"),
            _ => None,
        }
    }
}

/// A state with what must be recorded in the same transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The new state.
    pub state: BatchState,
    /// The event that reports it.
    pub event: BatchEventKind,
}

impl BatchState {
    /// The state's name.
    #[must_use]
    pub fn stage(&self) -> BatchStage {
        match self {
            Self::Pending => BatchStage::Pending,
            Self::Chunking { .. } => BatchStage::Chunking,
            Self::ExtractingMentions { .. } => BatchStage::ExtractingMentions,
            Self::ExtractingEntities { .. } => BatchStage::ExtractingEntities,
            Self::ExtractingRelations { .. } => BatchStage::ExtractingRelations,
            Self::Assembling { .. } => BatchStage::Assembling,
            Self::Resolving { .. } => BatchStage::Resolving,
            Self::Completed { .. } => BatchStage::Completed,
            Self::Failed { .. } => BatchStage::Failed,
            Self::Cancelled { .. } => BatchStage::Cancelled,
        }
    }

    /// The state after a trigger at a moment, and the event that reports it.
    ///
    /// # Errors
    /// [`InvalidTransition`] for every pair that the state diagram does not show.
    pub fn apply(
        &self,
        trigger: BatchTrigger,
        at: DateTime<Utc>,
    ) -> Result<Transition, InvalidTransition> {
        let refused = InvalidTransition {
            from: self.stage(),
            event: trigger.name(),
        };
        match self {
            Self::Pending
            | Self::Chunking { .. }
            | Self::ExtractingMentions { .. }
            | Self::ExtractingEntities { .. }
            | Self::ExtractingRelations { .. }
            | Self::Assembling { .. }
            | Self::Resolving { .. } => self.apply_running(trigger, at),
            Self::Completed { totals, .. } if !totals.is_clean() => retry_only(&trigger),
            Self::Failed { .. } => retry_only(&trigger),
            Self::Completed { .. } | Self::Cancelled { .. } => None,
        }
        .ok_or(refused)
    }

    fn apply_running(&self, trigger: BatchTrigger, at: DateTime<Utc>) -> Option<Transition> {
        match trigger {
            BatchTrigger::EnterStage(stage) => {
                let follows = self.stage().next() == Some(stage.into());
                follows.then(|| entered(stage, at))
            }
            BatchTrigger::StartResolution => {
                (self.stage() == BatchStage::Assembling).then_some(Transition {
                    state: Self::Resolving { since: at },
                    event: BatchEventKind::ResolutionStarted {},
                })
            }
            BatchTrigger::Complete { totals } => {
                let ready = matches!(self.stage(), BatchStage::Assembling | BatchStage::Resolving);
                (ready && totals.completed > 0).then(|| completed(totals, at))
            }
            BatchTrigger::Fail(failure) => Some(Transition {
                event: BatchEventKind::BatchFailed {
                    error: failure.error.clone(),
                },
                state: Self::Failed { failure, at },
            }),
            BatchTrigger::Cancel { totals } => Some(Transition {
                state: Self::Cancelled { totals, at },
                event: BatchEventKind::BatchCancelled {},
            }),
            BatchTrigger::Retry => None,
        }
    }
}

fn retry_only(trigger: &BatchTrigger) -> Option<Transition> {
    (*trigger == BatchTrigger::Retry).then_some(Transition {
        state: BatchState::Pending,
        event: BatchEventKind::BatchStageEntered {
            stage: BatchStage::Pending,
        },
    })
}

fn entered(entry: WorkflowStage, since: DateTime<Utc>) -> Transition {
    let state = match entry {
        WorkflowStage::Chunk => BatchState::Chunking { since },
        WorkflowStage::Mentions => BatchState::ExtractingMentions { since },
        WorkflowStage::Entities => BatchState::ExtractingEntities { since },
        WorkflowStage::Relations => BatchState::ExtractingRelations { since },
        WorkflowStage::Assemble => BatchState::Assembling { since },
    };
    Transition {
        event: BatchEventKind::BatchStageEntered {
            stage: state.stage(),
        },
        state,
    }
}

fn completed(totals: BatchTotals, at: DateTime<Utc>) -> Transition {
    Transition {
        state: BatchState::Completed { totals, at },
        event: BatchEventKind::BatchCompleted {
            skipped_documents: totals.skipped,
            entity_count: totals.entities,
            relation_count: totals.relations,
        },
    }
}

#[cfg(test)]
mod tests;
