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
    store::ledger::{
        CompletedUnit, DocumentOutcome, DocumentRun, Lease, Ledger, LedgerError, StagedUnit,
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
                lease: job.lease,
                run: job.run,
                activities: workflow.activities(),
                retries,
                deferred: Mutex::new(None),
            }));
            let outcome = workflow.define(&durable).await?;
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
    lease: Lease,
    run: DocumentRun,
    activities: Arc<dyn Activities>,
    retries: RetryPolicy,
    /// The last unit of a stage: recorded with what comes next, in one transaction.
    deferred: Mutex<Option<StagedUnit>>,
}

impl Execution {
    /// Keeps the last unit of a stage until something is to be recorded after it. Nothing that
    /// depends on it begins before it is durable.
    fn defer(&self, stage: WorkflowStage, unit: CompletedUnit) {
        *self.deferred() = Some((stage, unit));
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
