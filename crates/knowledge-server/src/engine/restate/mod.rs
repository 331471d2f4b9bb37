//! Workflows on Restate: the only place that knows it.
//!
//! A server that is given a document submits it to Restate and waits for its end ([`RestateExecutor`]);
//! Restate asks a worker ([`Worker`]) to run the workflow, and another one when that dies. A worker
//! runs it as the built-in engine does, with the same journal in the store, so that both show the
//! same progress and go on with each other's documents. What Restate journals is the invocation and
//! its end: an attempt has no steps of its own there, so none can differ from those of another.
//!
//! Who may write is told by the store: a document's lease is its server's, and every attempt of a
//! worker is numbered (`store/ledger/attempt.rs`), so that one that only seemed dead is refused.

mod client;
mod executor;
mod shadow;
mod worker;

use std::sync::Arc;

use knowledge_domain::{
    ErrorKind,
    batch::BatchConfig,
    ids::OntologyId,
    workflow::{ActivityError, WorkflowError, WorkflowStage},
};
use serde::{Deserialize, Serialize};

pub use self::{
    client::{Admin, Ingress, RestateError},
    executor::RestateExecutor,
    shadow::Comparisons,
    worker::{IdentityKeyError, Worker, WorkerSettings},
};
use super::Job;
use crate::store::ledger::DocumentRun;

/// What the workflow is called in Restate, by the type that serves it.
const SERVICE: &str = "ExtractDocument";

/// What a worker is asked to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Task {
    run: DocumentRun,
    config: BatchConfig,
    ontology: Option<OntologyId>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ended {
    /// The document is complete, and that is recorded.
    Recorded,
    /// It failed for good; whoever asked records that.
    Failed(Failure),
    /// It waits for something outside, which is recorded.
    Suspended,
    /// It is no longer the worker's: it was cancelled, or has passed on.
    Lost,
}

/// Why a workflow failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failure {
    stage: Option<WorkflowStage>,
    kind: ErrorKind,
    message: String,
    ends_batch: bool,
}

impl Task {
    fn of(job: &Job) -> Self {
        Self {
            run: job.run,
            config: job.config.as_ref().clone(),
            ontology: job.ontology,
        }
    }

    fn job(self, run: DocumentRun) -> Job {
        Job {
            run,
            config: Arc::new(self.config),
            ontology: self.ontology,
        }
    }

    /// Names the run of this document in Restate: the same over every attempt at it.
    fn key(&self) -> String {
        format!("{}-{}", self.run.execution, self.run.token)
    }
}

impl Ended {
    /// What a workflow that ended with this error came to; the error again where it only has to be
    /// tried once more.
    fn with(error: WorkflowError) -> Result<Self, WorkflowError> {
        match error {
            WorkflowError::Cancelled => Ok(Self::Lost),
            WorkflowError::Suspended => Ok(Self::Suspended),
            WorkflowError::Journal { kind, .. } if kind.is_retryable() => Err(error),
            error => Ok(Self::Failed(Failure {
                stage: error.stage(),
                kind: error.kind(),
                ends_batch: error.ends_batch(),
                message: match error {
                    WorkflowError::Activity { source, .. } => source.to_string(),
                    WorkflowError::Journal { message, .. } => message,
                    error => error.to_string(),
                },
            })),
        }
    }
}

impl Failure {
    fn into_error(self) -> WorkflowError {
        let Self {
            stage,
            kind,
            message,
            ends_batch,
        } = self;
        let Some(stage) = stage else {
            return WorkflowError::Journal { message, kind };
        };
        let source = if ends_batch {
            ActivityError::of_batch(message)
        } else {
            ActivityError::new(kind, message)
        };
        WorkflowError::Activity { stage, source }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn failures_arrive_as_they_were() {
        let activity = |source| WorkflowError::Activity {
            stage: WorkflowStage::Relations,
            source,
        };
        let after = Duration::from_millis(1_500);
        for error in [
            activity(ActivityError::permanent("no")),
            activity(ActivityError::retryable("not yet")),
            activity(ActivityError::of_batch("none")),
            activity(ActivityError::new(ErrorKind::RateLimited { after }, "slow")),
            WorkflowError::Journal {
                message: "gone".to_owned(),
                kind: ErrorKind::Permanent,
            },
        ] {
            let sent = serde_json::to_string(&Ended::with(error.clone()).unwrap()).unwrap();
            let Ended::Failed(failure) = serde_json::from_str(&sent).unwrap() else {
                panic!("{sent}");
            };
            assert_eq!(failure.into_error(), error, "{sent}");
        }
    }

    #[test]
    fn a_store_that_is_away_is_no_end() {
        let journal = |kind| WorkflowError::Journal {
            message: "away".to_owned(),
            kind,
        };
        assert!(Ended::with(journal(ErrorKind::Retryable)).is_err());
        assert!(matches!(
            Ended::with(journal(ErrorKind::Permanent)),
            Ok(Ended::Failed(Failure { stage: None, .. }))
        ));
        assert_eq!(Ended::with(WorkflowError::Cancelled), Ok(Ended::Lost));
        assert_eq!(Ended::with(WorkflowError::Suspended), Ok(Ended::Suspended));
    }
}
