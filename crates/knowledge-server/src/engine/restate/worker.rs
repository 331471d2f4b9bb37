//! A worker: it serves the workflow to Restate.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use futures::FutureExt as _;
use knowledge_domain::{ErrorKind, batch::Extractor, workflow::WorkflowError};
use restate_sdk::{
    endpoint::{Endpoint, HandleOptions, ProtocolMode, ServiceOptions},
    prelude::{HandlerError, HandlerResult, Json, WorkflowContext, workflow},
    service::IntoServiceDefinition as _,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Ended, Task};
use crate::{
    engine::{
        Completed, Executor, Job,
        parity::{Interrupted, Rehearsals},
    },
    store::{
        ledger::{DocumentRun, Ledger, LedgerError, Taken},
        parity::CheckKey,
    },
    text::chain,
};

/// How often a worker looks whether its documents are still its own.
const LOOK: Duration = Duration::from_secs(1);

/// A document may take as long as its calls do: Restate is not to end an attempt meanwhile.
const INACTIVITY: Duration = Duration::from_hours(24);

/// Waits before an attempt after one that was interrupted.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How long documents in flight may take to finish when the worker is told to stop.
const DRAIN_PATIENCE: Duration = Duration::from_secs(8);

/// Of how many documents that may run at a time one may be compared.
const COMPARISONS: usize = 4;

/// What becomes of a document at which a worker panics; the panic's own hook says where.
const PANICKED: &str =
    "the workflow panicked, which is a defect of knowledge; please report it with the worker's log";

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub struct WorkerSettings {
    /// Documents that run at a time.
    pub max_documents: usize,
    /// Workers that may die with a document, one after another, before it is quarantined; 0 is never.
    pub quarantine_after: u32,
    /// Whether there is a model to ask.
    pub has_models: bool,
}

/// Runs the workflows that Restate asks for.
pub struct Worker {
    /// Names this process.
    name: Uuid,
    ledger: Ledger,
    /// Runs them, in this process.
    executor: Arc<dyn Executor>,
    /// Runs what another engine has completed once more.
    rehearsals: Rehearsals,
    settings: WorkerSettings,
    documents: Semaphore,
    /// What is compared leaves room for what is waited for.
    comparisons: Semaphore,
    shutdown: CancellationToken,
}

/// What is to prove that Restate asks proves nothing.
#[derive(Debug, thiserror::Error)]
#[error("KNOWLEDGE_RESTATE_IDENTITY_KEY is no public key of Restate (publickeyv1_…): {0}")]
pub struct IdentityKeyError(String);

impl Worker {
    /// A worker that runs documents on `executor` and records to `ledger`, until it is told to shut
    /// down.
    pub fn new(
        ledger: Ledger,
        executor: Arc<dyn Executor>,
        rehearsals: Rehearsals,
        settings: WorkerSettings,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            name: ledger.entropy().uuid_v7(),
            ledger,
            executor,
            rehearsals,
            documents: Semaphore::new(settings.max_documents),
            comparisons: Semaphore::new(settings.max_documents.div_ceil(COMPARISONS)),
            settings,
            shutdown,
        }
    }

    /// What Restate asks, as a service; with `identity_key`, of a server only that has the private key.
    ///
    /// # Errors
    /// When the key is none.
    pub fn router(self, identity_key: Option<&str>) -> Result<Router, IdentityKeyError> {
        let worker = Arc::new(self);
        let extract = ExtractDocument(Arc::clone(&worker)).into_service_definition();
        let compare = CompareDocument(worker).into_service_definition();
        let mut endpoint = Endpoint::builder()
            .bind(extract.options(options()))
            .bind(compare.options(options()));
        if let Some(key) = identity_key {
            endpoint = endpoint
                .identity_key(key)
                .map_err(|error| IdentityKeyError(error.to_string()))?;
        }
        Ok(Router::new().fallback(asked).with_state(endpoint.build()))
    }

    /// One attempt at a document.
    async fn run(&self, task: Task) -> Result<Ended, HandlerError> {
        if task.config.extractor == Extractor::Llm && !self.settings.has_models {
            let message = "this worker has no model to ask; set OPENAI_API_KEY or OPENAI_BASE_URL as its servers have it";
            tracing::error!("{message}");
            return Err(message.into());
        }
        // Whoever waits here has not begun.
        let _place = self.documents.acquire().await?;
        let quarantine_after = self.settings.quarantine_after;
        let taken = self.ledger.take(task.run, self.name, quarantine_after);
        let run = match taken.await {
            Ok(Taken::Run(run)) => run,
            Ok(Taken::Completed) => return Ok(Ended::Recorded),
            Ok(Taken::Quarantined) => return Ok(Ended::Lost),
            Err(error) => return self.refused(task.run, error).await,
        };
        tracing::debug!(execution = %run.execution, attempt = run.worker, "document taken");
        let ended = tokio::select! {
            ended = caught(Box::pin(self.execute(task.job(run)))) => ended,
            () = self.lost(run) => return Ok(Ended::Lost),
            () = self.stopped() => Err(stopping()),
        };
        let error = match ended {
            Ok(()) => return Ok(Ended::Recorded),
            Err(error) => error,
        };
        match Ended::with(error) {
            Ok(Ended::Lost) => self.refused(run, LedgerError::Fenced(run.batch)).await,
            Ok(ended) => Ok(ended),
            Err(error) => {
                tracing::info!(execution = %run.execution, "interrupted: {}", chain(&error));
                self.let_go(run).await;
                Err(error.into())
            }
        }
    }

    /// Makes one comparison.
    async fn compare(&self, key: CheckKey) -> HandlerResult<()> {
        let _place = self.comparisons.acquire().await?;
        let interrupted: HandlerError = tokio::select! {
            compared = self.rehearsals.compare(key) => match compared {
                Ok(()) => return Ok(()),
                Err(error @ Interrupted::Workflow(_)) => return Err(error.into()),
                Err(error) => error.into(),
            },
            () = self.stopped() => stopping().into(),
        };
        self.rehearsals.let_go(key).await;
        Err(interrupted)
    }

    /// Runs the workflow, and records its outcome.
    async fn execute(&self, job: Job) -> Result<(), WorkflowError> {
        let run = job.run;
        let Completed::With(outcome) = self.executor.run(job).await? else {
            return Ok(());
        };
        let recorded = self.ledger.complete_document(run, *outcome).await;
        recorded.map_err(|error| match error.kind() {
            ErrorKind::Cancelled => WorkflowError::Cancelled,
            kind => WorkflowError::Journal {
                message: chain(&error),
                kind,
            },
        })
    }

    /// What comes of a write that was refused: nothing more where the document is no longer the
    /// worker's; another attempt where nobody else has it, as when the worker stops.
    async fn refused(&self, run: DocumentRun, error: LedgerError) -> Result<Ended, HandlerError> {
        if error.kind() == ErrorKind::Cancelled && !self.ledger.holds(run).await? {
            return Ok(Ended::Lost);
        }
        Err(error.into())
    }

    /// Ends when the document is no longer the worker's: what it has in flight is dropped then.
    async fn lost(&self, run: DocumentRun) {
        loop {
            tokio::time::sleep(LOOK).await;
            match self.ledger.holds(run).await {
                Ok(true) => {}
                Ok(false) => return,
                // Whoever cannot look cannot write either, and waits for the store there.
                Err(error) => tracing::debug!("nobody says whose it is: {}", chain(&error)),
            }
        }
    }

    /// Ends when the worker stops, and has waited for what was in flight.
    async fn stopped(&self) {
        self.shutdown.cancelled().await;
        tokio::time::sleep(DRAIN_PATIENCE).await;
    }

    /// Says that an attempt ended in good order: the document did not end its worker.
    async fn let_go(&self, run: DocumentRun) {
        if let Err(error) = self.ledger.let_go(run).await {
            tracing::debug!(execution = %run.execution, "not let go: {}", chain(&error));
        }
    }
}

/// A panic is the document's failure: the worker lives, and another attempt would panic as well.
async fn caught(
    work: impl Future<Output = Result<(), WorkflowError>>,
) -> Result<(), WorkflowError> {
    let caught = AssertUnwindSafe(work).catch_unwind().await;
    caught.unwrap_or_else(|_| {
        Err(WorkflowError::Journal {
            message: PANICKED.to_owned(),
            kind: ErrorKind::Permanent,
        })
    })
}

fn stopping() -> WorkflowError {
    WorkflowError::Journal {
        message: "the worker stops; another one goes on".to_owned(),
        kind: ErrorKind::Retryable,
    }
}

fn options() -> ServiceOptions {
    ServiceOptions::new()
        .inactivity_timeout(INACTIVITY)
        .retry_policy_initial_interval(FIRST_WAIT)
        .retry_policy_exponentiation_factor(2.0)
        .retry_policy_max_interval(LONGEST_WAIT)
        // A database that is away comes back.
        .retry_policy_max_attempts(u64::from(u32::MAX))
}

async fn asked(State(endpoint): State<Endpoint>, request: Request) -> Response {
    let options = HandleOptions {
        protocol_mode: ProtocolMode::BidiStream,
    };
    endpoint
        .handle_with_options(request, options)
        .map(Body::new)
}

/// The workflow as Restate sees it, which keeps for a day what it came to.
struct ExtractDocument(Arc<Worker>);

#[workflow(workflow_completion_retention = "1 day")]
impl ExtractDocument {
    #[handler]
    async fn run(
        &self,
        _context: WorkflowContext<'_>,
        task: Json<Task>,
    ) -> HandlerResult<Json<Ended>> {
        Ok(Json(self.0.run(task.into_inner()).await?))
    }
}

/// A comparison as Restate sees it.
struct CompareDocument(Arc<Worker>);

// Not for long: one that is to be made again is another run of the same name.
#[workflow(workflow_completion_retention = "5 minutes")]
impl CompareDocument {
    #[handler]
    async fn run(&self, _context: WorkflowContext<'_>, key: Json<CheckKey>) -> HandlerResult<()> {
        self.0.compare(key.into_inner()).await
    }
}
