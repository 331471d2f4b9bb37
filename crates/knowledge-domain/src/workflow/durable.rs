//! The port between a workflow's definition and what executes it.
//!
//! A definition is written once against [`Durable`]; an executor (direct, built-in, Restate) runs
//! it and calls [`Activities`], which hold every side effect. Both are dyn-safe over bytes: the
//! executor journals bytes and knows nothing of what they mean. Futures are cancelled by being
//! dropped.

use std::{pin::Pin, time::Duration};

use super::{Suspension, WorkflowStage};
use crate::ErrorKind;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One unit of work of a stage.
///
/// Its key is (execution, name, hash of the input), so a changed input is a new activity. Inputs
/// are canonical: no timestamps, worker names or hash-map order in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityCall {
    /// The stage and the unit's position: `mentions/3`.
    pub name: String,
    /// The input, as canonical JSON.
    pub input: Vec<u8>,
}

/// A stage with its units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageCall {
    /// The stage.
    pub stage: WorkflowStage,
    /// The units, in order; may be empty.
    pub calls: Vec<ActivityCall>,
}

/// What an activity is told beside its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityContext {
    /// The stage that the activity belongs to.
    pub stage: WorkflowStage,
    /// Names this activity over all its attempts, whatever crashes: pass it to whoever can
    /// deduplicate by it.
    pub idempotency_key: String,
    /// 1 for the first attempt.
    pub attempt: u32,
}

/// Runs a definition's stages durably.
pub trait Durable: Send + Sync {
    /// Runs the units of a stage, several at a time, and returns their outputs in order.
    ///
    /// A unit whose output is journaled is not run again. Progress is reported as units finish.
    ///
    /// # Errors
    /// The first unit that fails for good ends the stage; the others are dropped.
    fn run_stage(&self, call: StageCall) -> BoxFuture<'_, Result<Vec<Vec<u8>>, WorkflowError>>;
}

/// The side effects of a workflow; each can be called again with the same input.
pub trait Activities: Send + Sync {
    /// Runs one unit.
    ///
    /// # Errors
    /// An [`ActivityError`] whose kind says whether another attempt may help.
    fn run<'a>(
        &'a self,
        context: &'a ActivityContext,
        call: &'a ActivityCall,
    ) -> BoxFuture<'a, Result<Vec<u8>, ActivityError>>;

    /// What an output says beside its result. Asked once, when the output is recorded.
    fn report(&self, output: &[u8]) -> UnitReport {
        let _ = output;
        UnitReport::default()
    }

    /// Whether the activities limit the time of their own work, because some of what they wait for
    /// is their turn; an executor then sets no hard time-out.
    fn keeps_time(&self) -> bool {
        false
    }

    /// Whether the units of a stage compute, and call nobody: running one again after a crash costs
    /// nothing, so that it need not wait until its attempt is recorded.
    fn only_computes(&self, stage: WorkflowStage) -> bool {
        matches!(stage, WorkflowStage::Chunk | WorkflowStage::Assemble)
    }
}

/// What a unit's output says beside its result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitReport {
    /// Tokens of model calls.
    pub tokens: u64,
    /// Why the unit has no result; another attempt at the document asks again.
    pub skipped: Option<String>,
}

/// A failed attempt of an activity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ActivityError {
    kind: ErrorKind,
    message: String,
    suspension: Option<Suspension>,
    ends_batch: bool,
}

impl ActivityError {
    /// A failure of this kind; the message says what failed and what to do, never a document's text.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            suspension: None,
            ends_batch: false,
        }
    }

    /// Not a failure: the activity cannot go on before something outside changes. An executor
    /// suspends the workflow and counts no attempt; one that cannot suspend tries again later.
    #[must_use]
    pub fn suspended(suspension: Suspension) -> Self {
        Self {
            kind: ErrorKind::Retryable,
            message: suspension.message.clone(),
            suspension: Some(suspension),
            ends_batch: false,
        }
    }

    /// A failure that every other document of the batch would meet too: a key that is refused.
    #[must_use]
    pub fn of_batch(message: impl Into<String>) -> Self {
        Self {
            ends_batch: true,
            ..Self::permanent(message)
        }
    }

    /// A failure that no attempt can mend.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Permanent, message)
    }

    /// A failure that another attempt may mend.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Retryable, message)
    }

    /// The failure of an attempt that took longer than its hard time-out.
    #[must_use]
    pub fn timed_out(stage: WorkflowStage, limit: Duration) -> Self {
        Self::retryable(format!(
            "stage {stage} took longer than its hard time-out of {} s",
            limit.as_secs()
        ))
    }

    /// What a policy may do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether no document of the batch can succeed.
    #[must_use]
    pub fn ends_batch(&self) -> bool {
        self.ends_batch
    }

    /// What the activity waits for, when it did not fail.
    #[must_use]
    pub fn suspension(&self) -> Option<&Suspension> {
        self.suspension.as_ref()
    }
}

/// Why a workflow ended without a result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkflowError {
    /// An activity failed for good.
    #[error("stage {stage} failed")]
    Activity {
        /// The stage that failed.
        stage: WorkflowStage,
        /// The failure of the last attempt.
        source: ActivityError,
    },
    /// The executor could not keep its journal.
    #[error("the journal failed: {message}")]
    Journal {
        /// What the store said.
        message: String,
        /// What a policy may do about it.
        kind: ErrorKind,
    },
    /// The run was cancelled, or another process has taken it over.
    #[error("the workflow was cancelled")]
    Cancelled,
    /// The workflow waits for something outside; it goes on from its checkpoints.
    #[error("the workflow is suspended")]
    Suspended,
}

impl WorkflowError {
    /// What a policy may do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Activity { source, .. } => source.kind(),
            Self::Journal { kind, .. } => *kind,
            Self::Cancelled | Self::Suspended => ErrorKind::Cancelled,
        }
    }

    /// Whether no document of the batch can succeed.
    #[must_use]
    pub fn ends_batch(&self) -> bool {
        matches!(self, Self::Activity { source, .. } if source.ends_batch())
    }

    /// The stage that failed, where one did.
    #[must_use]
    pub fn stage(&self) -> Option<WorkflowStage> {
        match self {
            Self::Activity { stage, .. } => Some(*stage),
            Self::Journal { .. } | Self::Cancelled | Self::Suspended => None,
        }
    }
}
