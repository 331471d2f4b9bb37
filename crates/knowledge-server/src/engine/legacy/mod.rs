//! The built-in engine: checkpoint and replay through the store.
//!
//! Each unit's attempt is recorded before its body runs and its output with the progress that it
//! makes, in one transaction. An execution that goes on asks the journal first, so what completed
//! is never run again.

mod stage;
mod unit;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use knowledge_domain::{
    ErrorKind,
    workflow::{
        Activities, BoxFuture, Durable, RetryOwner, RetryPolicy, StageCall, WorkflowError,
        WorkflowMode, WorkflowStage,
    },
};

use super::{Executor, Job, Workflows};
use crate::{
    faults::{FailurePoint, hit},
    store::ledger::{
        Advice, Checkpoint, CompletedUnit, DocumentOutcome, DocumentRun, Ledger, LedgerError,
        Pending, StagedUnit,
    },
    text::chain,
};

/// Runs workflows in this process.
pub struct LegacyExecutor {
    ledger: Ledger,
    workflows: Arc<dyn Workflows>,
    retries: RetryPolicy,
}

impl LegacyExecutor {
    /// An executor that journals to `ledger` and retries activities by `retries` where the
    /// orchestrator does not.
    pub fn new(ledger: Ledger, workflows: Arc<dyn Workflows>, retries: RetryPolicy) -> Self {
        Self {
            ledger,
            workflows,
            retries,
        }
    }
}

impl Executor for LegacyExecutor {
    fn mode(&self) -> WorkflowMode {
        WorkflowMode::Legacy
    }

    fn run(&self, job: Job) -> BoxFuture<'_, Result<DocumentOutcome, WorkflowError>> {
        Box::pin(async move {
            let workflow = self.workflows.workflow(&job).await?;
            let retries = match job.run.retry_owner {
                RetryOwner::Activity => self.retries,
                RetryOwner::Orchestrator => RetryPolicy::none(),
            };
            let durable = LegacyDurable(Arc::new(Execution {
                ledger: self.ledger.clone(),
                run: job.run,
                activities: workflow.activities(),
                retries,
                deferred: Mutex::new(None),
                ahead: Mutex::new(None),
            }));
            let outcome = workflow.define(&durable).await?;
            durable.0.settle_ahead().await?;
            Ok(DocumentOutcome {
                trailing: durable.0.take_deferred(),
                ..outcome
            })
        })
    }
}

/// The durable context of one execution.
struct LegacyDurable(Arc<Execution>);

/// What the units of one execution share.
struct Execution {
    ledger: Ledger,
    run: DocumentRun,
    activities: Arc<dyn Activities>,
    retries: RetryPolicy,
    /// The last unit of a stage: recorded with what comes next, in one transaction.
    deferred: Mutex<Option<StagedUnit>>,
    /// A checkpoint that was handed in and is not waited for: the writer keeps the order, so
    /// whatever is recorded later is durable after it.
    ahead: Mutex<Option<Pending<Advice>>>,
}

impl Execution {
    /// Keeps the last unit of a stage until something is to be recorded after it. Nothing that
    /// depends on it begins before it is durable.
    fn defer(&self, stage: WorkflowStage, unit: CompletedUnit) {
        *self.deferred() = Some((stage, unit));
    }

    /// Records what has finished and what is about to run.
    async fn record(&self, checkpoint: Checkpoint) -> Result<Advice, WorkflowError> {
        let journal_error = |error| journal_error(&error);
        let handed_in = self.ledger.hand_in_checkpoint(self.run, checkpoint).await;
        let handed_in = handed_in.map_err(journal_error)?;
        self.settle_ahead().await?;
        let advice = handed_in.durable().await.map_err(journal_error)?;
        hit(FailurePoint::CheckpointAfterCommit);
        Ok(advice)
    }

    /// Hands a checkpoint in without waiting for it. For what can be done again at no cost: a
    /// crash may find the unit begun and its attempt not counted.
    async fn record_ahead(&self, checkpoint: Checkpoint) -> Result<(), WorkflowError> {
        let checkpoint = Checkpoint {
            under_way: true,
            ..checkpoint
        };
        let handed_in = self.ledger.hand_in_checkpoint(self.run, checkpoint).await;
        let handed_in = handed_in.map_err(|error| journal_error(&error))?;
        *self.ahead() = Some(handed_in);
        Ok(())
    }

    /// Waits for what was handed in.
    async fn settle_ahead(&self) -> Result<(), WorkflowError> {
        let ahead = self.ahead().take();
        if let Some(ahead) = ahead {
            ahead
                .durable()
                .await
                .map_err(|error| journal_error(&error))?;
        }
        Ok(())
    }

    fn ahead(&self) -> MutexGuard<'_, Option<Pending<Advice>>> {
        // A handle is put in or taken out whole.
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_deferred(&self) -> Option<StagedUnit> {
        self.deferred().take()
    }

    fn deferred(&self) -> MutexGuard<'_, Option<StagedUnit>> {
        // A unit is put in or taken out whole.
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Durable for LegacyDurable {
    fn run_stage(&self, call: StageCall) -> BoxFuture<'_, Result<Vec<Vec<u8>>, WorkflowError>> {
        Box::pin(stage::run(&self.0, call))
    }
}

/// A journal that has passed to another owner means that this run is over; one that cannot be
/// written for now leaves the workflow to be resumed.
fn journal_error(error: &LedgerError) -> WorkflowError {
    match error.kind() {
        ErrorKind::Cancelled => WorkflowError::Cancelled,
        kind => WorkflowError::Journal {
            message: chain(error),
            kind,
        },
    }
}
