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

use super::{Completed, Executor, Job, Workflows};
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
    mode: WorkflowMode,
}

impl LegacyExecutor {
    /// An executor that journals to `ledger` and retries activities by `retries` where the
    /// orchestrator does not.
    pub fn new(ledger: Ledger, workflows: Arc<dyn Workflows>, retries: RetryPolicy) -> Self {
        Self {
            ledger,
            workflows,
            retries,
            mode: WorkflowMode::Legacy,
        }
    }

    /// The same, whose documents are compared with what another engine comes to.
    #[must_use]
    pub fn compared(self) -> Self {
        Self {
            mode: WorkflowMode::Shadow,
            ..self
        }
    }
}

impl Executor for LegacyExecutor {
    fn mode(&self) -> WorkflowMode {
        self.mode
    }

    fn run(&self, job: Job) -> BoxFuture<'_, Result<Completed, WorkflowError>> {
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
                deferred: Mutex::default(),
                ahead: Mutex::default(),
            }));
            let outcome = workflow.define(&durable).await?;
            if outcome.is_large() {
                // It does not queue up behind what was handed in.
                durable.0.settle_ahead().await?;
            }
            Ok(Completed::With(Box::new(DocumentOutcome {
                trailing: durable.0.take_deferred(),
                ..outcome
            })))
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
    /// The last units of a stage: recorded with what comes next, in one transaction.
    deferred: Mutex<Vec<StagedUnit>>,
    /// Checkpoints that were handed in and are not waited for: the writer keeps the order, so
    /// whatever is recorded later is durable after them, or refused.
    ahead: Mutex<Vec<Pending<Advice>>>,
}

impl Execution {
    /// Keeps the last units of a stage until something is to be recorded after them. Nothing that
    /// depends on them begins before they are durable.
    fn defer(&self, stage: WorkflowStage, units: Vec<CompletedUnit>) {
        let units = units.into_iter().map(|unit| (stage, unit));
        self.deferred().extend(units);
    }

    /// Records what has finished and what is about to run.
    async fn record(&self, checkpoint: Checkpoint) -> Result<Advice, WorkflowError> {
        let handed_in = self.hand_in(checkpoint).await?;
        self.settle_ahead().await?;
        durable(handed_in).await
    }

    /// Hands a checkpoint in; what is handed in later is recorded later.
    async fn hand_in(&self, checkpoint: Checkpoint) -> Result<Pending<Advice>, WorkflowError> {
        let handed_in = self.ledger.hand_in_checkpoint(self.run, checkpoint).await;
        handed_in.map_err(|error| journal_error(&error))
    }

    /// Does not wait for what was handed in.
    fn leave(&self, handed_in: Pending<Advice>) {
        self.ahead().push(handed_in);
    }

    /// Waits for what was handed in.
    async fn settle_ahead(&self) -> Result<(), WorkflowError> {
        let ahead = std::mem::take(&mut *self.ahead());
        for handed_in in ahead {
            durable(handed_in).await?;
        }
        Ok(())
    }

    fn ahead(&self) -> MutexGuard<'_, Vec<Pending<Advice>>> {
        // Handles are put in or taken out whole.
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_deferred(&self) -> Vec<StagedUnit> {
        std::mem::take(&mut *self.deferred())
    }

    fn deferred(&self) -> MutexGuard<'_, Vec<StagedUnit>> {
        // Units are put in or taken out whole.
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Durable for LegacyDurable {
    fn run_stage(&self, call: StageCall) -> BoxFuture<'_, Result<Vec<Vec<u8>>, WorkflowError>> {
        Box::pin(stage::run(&self.0, call))
    }
}

/// Waits until a checkpoint is durable.
async fn durable(handed_in: Pending<Advice>) -> Result<Advice, WorkflowError> {
    let advice = handed_in.durable().await;
    let advice = advice.map_err(|error| journal_error(&error))?;
    hit(FailurePoint::CheckpointAfterCommit);
    Ok(advice)
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
