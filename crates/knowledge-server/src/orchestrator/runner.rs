//! One batch from its first document to its end.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use knowledge_domain::{
    ErrorKind,
    batch::BatchConfig,
    ids::{BatchId, OntologyId, OrganizationId},
    workflow::WorkflowError,
};
use tokio::task::{JoinError, JoinSet};

use super::Shared;
use crate::{
    engine::Job,
    store::{
        StoreError,
        ledger::{
            DocumentOutcome, DocumentRun, FailedDocument, Lease, LedgerError, NextRound,
            PassOutcome,
        },
    },
    text::chain,
};

/// The waits while the store is away.
const STORE_BACKOFF: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];

/// The lease of a batch that was just created by this process.
pub(super) fn first_lease(organization: OrganizationId, batch: BatchId) -> Lease {
    Lease {
        organization,
        batch,
        token: 1,
    }
}

/// Takes over a batch that nobody runs; whether it did.
pub(super) async fn adopt(
    shared: &Arc<Shared>,
    organization: OrganizationId,
    batch: BatchId,
    whatever_lease: bool,
) -> Result<bool, LedgerError> {
    let claimed = shared
        .ledger
        .claim(organization, batch, &shared.owner, whatever_lease)
        .await?;
    if let Some(lease) = claimed {
        spawn(shared, lease);
    }
    Ok(claimed.is_some())
}

/// Runs a batch in the background.
pub(super) fn spawn(shared: &Arc<Shared>, lease: Lease) {
    let running = Arc::clone(shared);
    shared
        .registry
        .spawn(lease.batch, lease.token, |cancel| async move {
            let runner = Arc::new(Runner {
                shared: Arc::clone(&running),
                lease,
            });
            match cancel.run_until_cancelled(Box::pin(runner.run())).await {
                None | Some(Ok(())) => {}
                Some(Err(error)) if error.kind() == ErrorKind::Cancelled => {
                    tracing::debug!(batch = %lease.batch, "batch is no longer run here");
                }
                Some(Err(error)) => runner.give_up(&error).await,
            }
            running.registry.forget(lease.batch, lease.token);
        });
}

struct Runner {
    shared: Arc<Shared>,
    lease: Lease,
}

/// A batch's settings, read once a run.
struct Settings {
    config: Arc<BatchConfig>,
    ontology: Option<OntologyId>,
}

/// One pass over a batch's documents.
struct Pass {
    /// Documents whose turn has come, and that do not run yet.
    next: VecDeque<DocumentRun>,
    tasks: JoinSet<Turn>,
    /// Documents that run.
    running: u32,
    /// Whether more documents are being started.
    starting: bool,
    /// Whether documents may still wait for their turn.
    waiting: bool,
}

/// What a task of a pass came to.
enum Turn {
    /// A document has its outcome.
    Settled(Result<(), LedgerError>),
    /// More documents have their turn; none, when none waits.
    Started(Result<Vec<DocumentRun>, LedgerError>),
}

impl Runner {
    /// Passes over the documents, rounds over those that failed, then the end.
    ///
    /// # Cancel safety
    /// Dropped at any point, the batch can be resumed from what is committed.
    async fn run(self: &Arc<Self>) -> Result<(), LedgerError> {
        let settings = Arc::new(self.settings().await?);
        let ledger = &self.shared.ledger;
        loop {
            self.pass(&settings).await?;
            if self.shared.registry.is_draining() {
                return Ok(());
            }
            if let NextRound::At(moment) = self.next_round().await? {
                self.wait_for(moment).await?;
                continue;
            }
            match self.stored(|| ledger.settle(self.lease)).await? {
                PassOutcome::Unsettled => {}
                PassOutcome::Resolve => {
                    return self.stored(|| ledger.resolve(self.lease)).await;
                }
                PassOutcome::Ended => return Ok(()),
            }
        }
    }

    async fn settings(&self) -> Result<Settings, LedgerError> {
        let (config, ontology) = self
            .stored(|| self.shared.ledger.batch_settings(self.lease))
            .await?;
        Ok(Settings {
            config: Arc::new(config),
            ontology,
        })
    }

    /// Runs what was left running and every waiting document, up to the batch's concurrency at a
    /// time. Documents, and the start of the next ones, are tasks of their own: one that waits for
    /// the store never keeps another from going on.
    async fn pass(self: &Arc<Self>, settings: &Arc<Settings>) -> Result<(), LedgerError> {
        let ledger = &self.shared.ledger;
        let left = self.stored(|| ledger.resume_documents(self.lease)).await?;
        let mut pass = Pass {
            next: VecDeque::from(left),
            tasks: JoinSet::new(),
            running: 0,
            starting: false,
            waiting: true,
        };
        loop {
            self.fill(&mut pass, settings);
            let Some(turn) = pass.tasks.join_next().await else {
                return Ok(());
            };
            match turn.map_err(|error| self.lost(&error))? {
                Turn::Settled(result) => {
                    pass.running -= 1;
                    result?;
                }
                Turn::Started(result) => {
                    let runs = result?;
                    pass.starting = false;
                    pass.waiting = !runs.is_empty();
                    pass.next.extend(runs);
                }
            }
        }
    }

    /// Runs the documents whose turn has come, and asks for more where there is room.
    fn fill(self: &Arc<Self>, pass: &mut Pass, settings: &Arc<Settings>) {
        let window = settings.config.concurrency;
        while pass.running < window
            && let Some(run) = pass.next.pop_front()
        {
            let (runner, settings) = (Arc::clone(self), Arc::clone(settings));
            let document = async move { Turn::Settled(runner.document(run, &settings).await) };
            pass.tasks.spawn(document);
            pass.running += 1;
        }
        let free = window - pass.running;
        let draining = self.shared.registry.is_draining();
        if free > 0 && pass.waiting && !pass.starting && !draining {
            let runner = Arc::clone(self);
            pass.tasks
                .spawn(async move { Turn::Started(runner.start(free).await) });
            pass.starting = true;
        }
    }

    async fn start(&self, limit: u32) -> Result<Vec<DocumentRun>, LedgerError> {
        let ledger = &self.shared.ledger;
        self.stored(|| ledger.start_documents(self.lease, limit))
            .await
    }

    /// A document's task that ended without a result: the process stops, or there is a defect,
    /// which ends the batch rather than leave it hanging.
    fn lost(&self, error: &JoinError) -> LedgerError {
        if error.is_cancelled() {
            return LedgerError::Fenced(self.lease.batch);
        }
        LedgerError::Store(StoreError::corrupt(
            "a document whose task panicked, which is a defect of knowledge; please report it",
        ))
    }

    /// Runs a document until its outcome is recorded; while the store is away, it waits and goes
    /// on from the last checkpoint.
    async fn document(&self, run: DocumentRun, settings: &Settings) -> Result<(), LedgerError> {
        let mut job = Job {
            lease: self.lease,
            run,
            config: Arc::clone(&settings.config),
            ontology: settings.ontology,
        };
        let ledger = &self.shared.ledger;
        let mut interrupted = 0;
        loop {
            match self.execute(job.clone()).await {
                Ok(outcome) => {
                    self.stored(|| ledger.complete_document(self.lease, run, outcome.clone()))
                        .await?;
                    return Ok(());
                }
                Err(WorkflowError::Cancelled) => {
                    return Err(LedgerError::Fenced(self.lease.batch));
                }
                Err(WorkflowError::Journal { message, kind }) if kind.is_retryable() => {
                    tracing::warn!(execution = %run.execution, "workflow interrupted: {message}");
                    tokio::time::sleep(store_backoff(interrupted)).await;
                    interrupted += 1;
                    job.run.fresh = false;
                }
                Err(error) => {
                    let failure = failed(&error);
                    tracing::info!(
                        batch = %self.lease.batch,
                        document = %run.document,
                        kind = failure.kind.name(),
                        "document failed: {}", failure.error
                    );
                    self.stored(|| ledger.fail_document(self.lease, run, failure.clone()))
                        .await?;
                    return Ok(());
                }
            }
        }
    }

    /// Runs a workflow within the process's limit on documents.
    async fn execute(&self, job: Job) -> Result<DocumentOutcome, WorkflowError> {
        let permit = self.shared.documents.acquire().await;
        let _permit = permit.map_err(|_| WorkflowError::Cancelled)?;
        self.shared.executor.run(job).await
    }

    async fn next_round(&self) -> Result<NextRound, LedgerError> {
        let waits = self.shared.settings.rounds;
        self.stored(|| self.shared.ledger.plan_round(self.lease, waits))
            .await
    }

    async fn wait_for(&self, moment: chrono::DateTime<chrono::Utc>) -> Result<(), LedgerError> {
        let wait = moment - self.shared.ledger.clock().now();
        let round = tokio::time::sleep(wait.to_std().unwrap_or_default());
        let drained = self.shared.registry.draining().run_until_cancelled(round);
        if drained.await.is_none() {
            return Err(LedgerError::Fenced(self.lease.batch));
        }
        self.stored(|| self.shared.ledger.begin_round(self.lease))
            .await
    }

    /// Does a change until the store takes it: a database that is away comes back, and the batch
    /// goes on.
    async fn stored<T, F>(&self, change: impl Fn() -> F) -> Result<T, LedgerError>
    where
        F: Future<Output = Result<T, LedgerError>>,
    {
        let mut failures = 0;
        loop {
            match change().await {
                Err(error) if error.kind().is_retryable() => {
                    tracing::warn!(batch = %self.lease.batch, "the store is away: {}", chain(&error));
                    tokio::time::sleep(store_backoff(failures)).await;
                    failures += 1;
                }
                result => return result,
            }
        }
    }

    /// Ends a batch that cannot go on.
    async fn give_up(&self, error: &LedgerError) {
        let message = chain(error);
        tracing::error!(batch = %self.lease.batch, "batch failed: {message}");
        let ended = self
            .stored(|| self.shared.ledger.fail_batch(self.lease, &message))
            .await;
        if let Err(error) = ended {
            tracing::error!(batch = %self.lease.batch, "its failure was not recorded: {}", chain(&error));
        }
    }
}

fn store_backoff(failures: usize) -> Duration {
    STORE_BACKOFF[failures.min(STORE_BACKOFF.len() - 1)]
}

fn failed(error: &WorkflowError) -> FailedDocument {
    FailedDocument {
        stage: error.stage(),
        error: chain(error),
        kind: error.kind(),
    }
}
