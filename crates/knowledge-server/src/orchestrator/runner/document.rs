//! One document of a batch: its workflow, and the recording of how it ended.

use std::sync::Arc;

use knowledge_domain::{ErrorKind, workflow::WorkflowError};

use super::{
    Runner, Settings,
    pass::{Pass, Recorded, Turn},
    store_backoff,
};
use crate::{
    engine::{Completed, Job},
    faults::{FailurePoint, hit},
    store::ledger::{DocumentOutcome, DocumentRun, FailedDocument, LedgerError, Pending},
    text::chain,
};

/// How a document's workflow ended.
pub(super) enum Outcome {
    /// With what was handed in to be recorded.
    HandedIn(End, Pending<()>),
    /// Recorded already; or it waits for something outside, or is no longer run here.
    Left(Result<(), LedgerError>),
}

/// What a document's workflow has come to.
pub(super) enum End {
    Completed(Box<DocumentOutcome>),
    Failed(FailedDocument),
}

impl Runner {
    /// Waits for a document's outcome to be durable, beside the documents that go on.
    pub(super) fn record(
        self: &Arc<Self>,
        pass: &mut Pass,
        run: DocumentRun,
        outcome: Outcome,
    ) -> Result<(), LedgerError> {
        let (end, handed_in) = match outcome {
            Outcome::HandedIn(end, handed_in) => (end, handed_in),
            Outcome::Left(result) => return self.recorded(run, result),
        };
        let runner = Arc::clone(self);
        pass.recording += 1;
        pass.tasks.spawn(async move {
            let after_commit = end.after_commit();
            let failed = matches!(end, End::Failed(_));
            let result = match handed_in.durable().await {
                Err(error) if error.kind().is_retryable() => runner.end(run, end).await,
                result => result,
            };
            if result.is_ok() {
                hit(after_commit);
            }
            Turn::Recorded(run, Recorded { result, failed })
        });
        Ok(())
    }

    pub(super) fn recorded(
        &self,
        run: DocumentRun,
        result: Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.run.end(&run);
        match result {
            // Its document passed to another process, or a user cancelled it.
            Err(error) if error.kind() == ErrorKind::Cancelled => Ok(()),
            result => result,
        }
    }

    async fn end(&self, run: DocumentRun, end: End) -> Result<(), LedgerError> {
        let ledger = &self.shared.ledger;
        match end {
            End::Completed(outcome) => {
                self.stored(|| ledger.complete_document(run, (*outcome).clone()))
                    .await
            }
            End::Failed(failure) => {
                self.stored(|| ledger.fail_document(run, failure.clone()))
                    .await
            }
        }
    }

    /// Runs a document's workflow to its end, and hands its outcome in; while the store is away, it
    /// waits and goes on from the last checkpoint.
    pub(super) async fn document(&self, run: DocumentRun, settings: &Settings) -> Outcome {
        let mut job = Job {
            run,
            config: Arc::clone(&settings.config),
            ontology: settings.ontology,
        };
        let mut interrupted = 0;
        loop {
            match self.execute(job.clone()).await {
                Ok(Completed::With(outcome)) => return self.hand_in(run, *outcome).await,
                Ok(Completed::Recorded) => return Outcome::Left(Ok(())),
                Err(WorkflowError::Cancelled | WorkflowError::Suspended) => {
                    return Outcome::Left(Ok(()));
                }
                Err(WorkflowError::Journal { message, kind }) if kind.is_retryable() => {
                    tracing::warn!(execution = %run.execution, "workflow interrupted: {message}");
                    tokio::time::sleep(store_backoff(interrupted)).await;
                    interrupted += 1;
                    job.run.fresh = false;
                }
                Err(error) => {
                    let quarantine_after = self.shared.settings.quarantine_after;
                    let failure = failed(&error, quarantine_after);
                    return self.hand_in_failure(run, failure).await;
                }
            }
        }
    }

    async fn hand_in(&self, run: DocumentRun, outcome: DocumentOutcome) -> Outcome {
        if outcome.is_large() {
            let end = End::Completed(Box::new(outcome));
            return Outcome::Left(self.end(run, end).await);
        }
        let handed_in = self.shared.ledger.hand_in_completion(run, outcome.clone());
        match handed_in.await {
            Ok(handed_in) => Outcome::HandedIn(End::Completed(Box::new(outcome)), handed_in),
            Err(error) => Outcome::Left(Err(error)),
        }
    }

    async fn hand_in_failure(&self, run: DocumentRun, failure: FailedDocument) -> Outcome {
        tracing::info!(
            batch = %self.batch,
            document = %run.document,
            kind = failure.kind.name(),
            "document failed: {}", failure.error
        );
        let handed_in = self.shared.ledger.hand_in_failure(run, failure.clone());
        match handed_in.await {
            Ok(handed_in) => Outcome::HandedIn(End::Failed(failure), handed_in),
            Err(error) => Outcome::Left(Err(error)),
        }
    }

    /// Runs a workflow within the process's limit on documents.
    async fn execute(&self, job: Job) -> Result<Completed, WorkflowError> {
        let permit = self.shared.documents.acquire().await;
        let _permit = permit.map_err(|_| WorkflowError::Cancelled)?;
        self.shared.executor.run(job).await
    }
}

impl End {
    fn after_commit(&self) -> FailurePoint {
        match self {
            Self::Completed(_) => FailurePoint::CompletionAfterCommit,
            Self::Failed(_) => FailurePoint::DocumentFailureAfterCommit,
        }
    }
}

fn failed(error: &WorkflowError, quarantine_after: u32) -> FailedDocument {
    FailedDocument {
        stage: error.stage(),
        error: chain(error),
        kind: error.kind(),
        ends_batch: error.ends_batch(),
        quarantine_after,
    }
}
