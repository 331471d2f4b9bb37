//! One batch from its first document to its end.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use knowledge_domain::{
    ErrorKind,
    batch::BatchConfig,
    ids::{BatchId, ExecutionId, OntologyId, OrganizationId},
    workflow::WorkflowError,
};
use tokio::task::{JoinError, JoinSet};

use super::{Shared, registry::BatchRun};
use crate::{
    engine::Job,
    faults::{FailurePoint, hit},
    progress::Watch,
    store::{
        StoreError,
        ledger::{
            DocumentOutcome, DocumentRun, FailedDocument, Lease, LedgerError, NextRound,
            PassOutcome, Pending, StartRequest, Started,
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

/// How often a batch that waits for other processes looks again, where nobody wakes it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a batch that was woken waits for more of the same.
const SETTLE: Duration = Duration::from_millis(100);

/// The lease of a batch that was just created by this process.
pub(super) fn first_lease(organization: OrganizationId, batch: BatchId) -> Lease {
    Lease {
        organization,
        batch,
        token: 1,
    }
}

/// Takes over the lead of a batch that nobody leads; whether it did.
pub(super) async fn adopt(
    shared: &Arc<Shared>,
    organization: OrganizationId,
    batch: BatchId,
    whatever_lease: bool,
) -> Result<bool, LedgerError> {
    let claimed = shared
        .ledger
        .claim(organization, batch, &shared.owner(), whatever_lease)
        .await?;
    if let Some(lease) = claimed {
        lead(shared, lease, whatever_lease);
    }
    Ok(claimed.is_some())
}

/// Runs a batch that this process leads. With `alone`, no other process can be alive.
pub(super) fn lead(shared: &Arc<Shared>, lease: Lease, alone: bool) {
    spawn(shared, lease.organization, lease.batch, Some(lease), alone);
}

/// Helps with a batch that another process leads.
pub(super) fn join(shared: &Arc<Shared>, organization: OrganizationId, batch: BatchId) {
    spawn(shared, organization, batch, None, false);
}

fn spawn(
    shared: &Arc<Shared>,
    organization: OrganizationId,
    batch: BatchId,
    lease: Option<Lease>,
    alone: bool,
) {
    let running = Arc::clone(shared);
    shared.registry.spawn(batch, |run| async move {
        let runner = Arc::new(Runner {
            shared: Arc::clone(&running),
            organization,
            batch,
            run: Arc::clone(&run),
            alone,
        });
        let mut lease = lease;
        match runner.run(&mut lease).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                tracing::debug!(%batch, "batch is no longer run here");
            }
            Err(error) => runner.give_up(lease, &error).await,
        }
        running.registry.forget(batch, &run);
    });
}

struct Runner {
    shared: Arc<Shared>,
    organization: OrganizationId,
    batch: BatchId,
    run: Arc<BatchRun>,
    alone: bool,
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
    /// Documents that run, each as a task.
    running: u32,
    ask: Ask,
    /// Whether a place became free while an answer was under way.
    freed: bool,
    /// Whether to look again at what other processes do.
    recheck: bool,
    /// When it last looked.
    looked: Instant,
    /// Whether the share of this process was spent while others left room.
    overflow: bool,
    /// What the last answer left.
    left: Started,
    /// Wakes when the batch changes.
    changes: Watch,
}

/// Whether to ask for more documents.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// As soon as there is room.
    Wanted,
    /// The answer is under way.
    UnderWay,
    /// There is room, and what is left has to wait: for other processes, or for something outside.
    Blocked,
    /// Nothing is left.
    Done,
}

/// What a task of a pass came to.
enum Turn {
    /// A document's workflow has ended, and its place is free.
    Ended(DocumentRun, Outcome),
    /// An outcome is recorded.
    Recorded(DocumentRun, Result<(), LedgerError>),
    /// More documents have their turn.
    Started(Result<Started, LedgerError>),
}

/// How a document's workflow ended, with what was handed in.
enum Outcome {
    Completed(Box<DocumentOutcome>, Pending<()>),
    Failed(FailedDocument, Pending<()>),
    /// Recorded already; or it waits for something outside, or is no longer run here.
    Left(Result<(), LedgerError>),
}

impl Runner {
    /// Passes over the documents, rounds over those that failed, then the end. The process that
    /// leads the batch decides what follows a pass; the others help with the documents.
    ///
    /// # Cancel safety
    /// Dropped at any point, the batch can be resumed from what is committed.
    async fn run(self: &Arc<Self>, lead: &mut Option<Lease>) -> Result<(), LedgerError> {
        let settings = Arc::new(self.settings().await?);
        let ledger = &self.shared.ledger;
        loop {
            self.pass(&settings, lead.is_some()).await?;
            if self.shared.registry.is_draining() {
                return Ok(());
            }
            let Some(lease) = *lead else {
                // Whoever led the batch may be gone.
                *lead = self.claim().await?;
                if lead.is_none() {
                    return Ok(());
                }
                continue;
            };
            if let NextRound::At(moment) = self.next_round(lease).await? {
                self.wait_for(lease, moment).await?;
                continue;
            }
            match self.stored(|| ledger.settle(lease)).await? {
                PassOutcome::Unsettled => {}
                PassOutcome::Resolve => {
                    return self.stored(|| ledger.resolve(lease)).await;
                }
                PassOutcome::Ended => return Ok(()),
            }
        }
    }

    async fn claim(&self) -> Result<Option<Lease>, LedgerError> {
        let owner = self.shared.owner();
        let ledger = &self.shared.ledger;
        self.stored(|| ledger.claim(self.organization, self.batch, &owner, self.alone))
            .await
    }

    async fn settings(&self) -> Result<Settings, LedgerError> {
        let (config, ontology) = self
            .stored(|| self.shared.ledger.batch_settings(self.batch))
            .await?;
        Ok(Settings {
            config: Arc::new(config),
            ontology,
        })
    }

    /// Runs what was left running and every waiting document, up to the batch's concurrency at a
    /// time, until none is left; the process that leads the batch waits for what others run and
    /// for what is suspended. Documents, and the start of the next ones, are tasks of their own:
    /// one that waits for the store never keeps another from going on.
    async fn pass(
        self: &Arc<Self>,
        settings: &Arc<Settings>,
        leads: bool,
    ) -> Result<(), LedgerError> {
        let mut pass = Pass::new(self.shared.ledger.hub().watch(self.batch));
        loop {
            self.fill(&mut pass, settings);
            let busy = !pass.tasks.is_empty();
            if !busy && (!pass.is_open(leads) || self.shared.registry.is_draining()) {
                return Ok(());
            }
            tokio::select! {
                Some(turn) = pass.tasks.join_next(), if busy => {
                    self.turn(&mut pass, turn)?;
                }
                () = self.stirred(&mut pass.changes, &pass.left), if pass.ask == Ask::Blocked => {
                    pass.look_again();
                }
                () = self.shared.registry.draining().cancelled(), if !busy => return Ok(()),
            }
        }
    }

    /// Waits until there may be something to do: another process has got on, a suspension is over,
    /// a user has told a document something.
    async fn stirred(&self, changes: &mut Watch, left: &Started) {
        let due = left.next_resume.map(|at| {
            let wait = at - self.shared.ledger.clock().now();
            wait.to_std().unwrap_or_default()
        });
        let others = left.elsewhere > 0 || left.shared;
        let limit = if others {
            LOOK_AGAIN
        } else {
            self.shared.settings.lease
        };
        let others_got_on = async {
            tokio::time::sleep(SETTLE).await;
            changes.changed(limit).await;
        };
        tokio::select! {
            () = others_got_on, if others => {}
            () = self.run.nudged() => {}
            () = tokio::time::sleep(due.unwrap_or(limit).min(limit)) => {}
        }
    }

    fn turn(
        self: &Arc<Self>,
        pass: &mut Pass,
        turn: Result<Turn, JoinError>,
    ) -> Result<(), LedgerError> {
        match turn {
            Ok(Turn::Ended(run, outcome)) => {
                pass.freed();
                self.record(pass, run, outcome)
            }
            Ok(Turn::Recorded(run, result)) => self.recorded(run, result),
            Ok(Turn::Started(result)) => {
                pass.started(result?);
                Ok(())
            }
            // A user cancelled the document; what it held is given up.
            Err(error) if error.is_cancelled() => {
                pass.freed();
                Ok(())
            }
            Err(_) => Err(LedgerError::Store(StoreError::corrupt(
                "a document whose task panicked, which is a defect of knowledge; please report it",
            ))),
        }
    }

    /// Runs the documents whose turn has come, and asks for more where there is room.
    fn fill(self: &Arc<Self>, pass: &mut Pass, settings: &Arc<Settings>) {
        let window = settings.config.concurrency;
        let draining = self.shared.registry.is_draining();
        while pass.running < window
            && !draining
            && let Some(run) = pass.next.pop_front()
        {
            let (runner, settings) = (Arc::clone(self), Arc::clone(settings));
            let task = pass.tasks.spawn(async move {
                let outcome = runner.document(run, &settings).await;
                Turn::Ended(run, outcome)
            });
            self.run.begin(run.execution, task);
            pass.running += 1;
        }
        let waiting = u32::try_from(pass.next.len()).unwrap_or(u32::MAX);
        let running = pass.running.saturating_add(waiting);
        let free = window.saturating_sub(running);
        if free == 0 || pass.ask != Ask::Wanted || draining {
            return;
        }
        let servers = self.shared.servers();
        let request = StartRequest {
            owner: self.shared.owner(),
            running,
            held: self.held(pass),
            free,
            share: if pass.overflow {
                window
            } else {
                window.div_ceil(servers)
            },
            recheck: pass.recheck(),
            alone: self.alone,
            quarantine_after: self.shared.settings.quarantine_after,
        };
        let runner = Arc::clone(self);
        pass.tasks
            .spawn(async move { Turn::Started(runner.start(request).await) });
        pass.ask = Ask::UnderWay;
        pass.freed = false;
        pass.overflow = false;
    }

    async fn start(&self, request: StartRequest) -> Result<Started, LedgerError> {
        let ledger = &self.shared.ledger;
        self.stored(|| ledger.start_documents(self.organization, self.batch, request.clone()))
            .await
    }

    /// What this process runs, is about to run, or has run and not recorded.
    fn held(&self, pass: &Pass) -> Vec<ExecutionId> {
        let mut held = self.run.held();
        held.extend(pass.next.iter().map(|run| run.execution));
        held
    }

    /// Waits for a document's outcome to be durable, beside the documents that go on. It was handed
    /// in before the next document is asked for, so the same transaction takes both.
    fn record(
        self: &Arc<Self>,
        pass: &mut Pass,
        run: DocumentRun,
        outcome: Outcome,
    ) -> Result<(), LedgerError> {
        let runner = Arc::clone(self);
        match outcome {
            Outcome::Completed(outcome, handed_in) => {
                pass.tasks.spawn(async move {
                    let result = match handed_in.durable().await {
                        Err(error) if error.kind().is_retryable() => {
                            runner.complete(run, *outcome).await
                        }
                        result => result,
                    };
                    if result.is_ok() {
                        hit(FailurePoint::CompletionAfterCommit);
                    }
                    Turn::Recorded(run, result)
                });
            }
            Outcome::Failed(failure, handed_in) => {
                pass.tasks.spawn(async move {
                    let result = match handed_in.durable().await {
                        Err(error) if error.kind().is_retryable() => {
                            runner.fail(run, failure).await
                        }
                        result => result,
                    };
                    if result.is_ok() {
                        hit(FailurePoint::DocumentFailureAfterCommit);
                    }
                    Turn::Recorded(run, result)
                });
            }
            Outcome::Left(result) => return self.recorded(run, result),
        }
        Ok(())
    }

    fn recorded(
        &self,
        run: DocumentRun,
        result: Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.run.end(run.execution);
        match result {
            // Its document passed to another process, or a user cancelled it.
            Err(error) if error.kind() == ErrorKind::Cancelled => Ok(()),
            result => result,
        }
    }

    async fn complete(
        &self,
        run: DocumentRun,
        outcome: DocumentOutcome,
    ) -> Result<(), LedgerError> {
        let ledger = &self.shared.ledger;
        self.stored(|| ledger.complete_document(run, outcome.clone()))
            .await
    }

    async fn fail(&self, run: DocumentRun, failure: FailedDocument) -> Result<(), LedgerError> {
        let ledger = &self.shared.ledger;
        self.stored(|| ledger.fail_document(run, failure.clone()))
            .await
    }

    /// Runs a document's workflow to its end, and hands its outcome in; while the store is away, it
    /// waits and goes on from the last checkpoint.
    async fn document(&self, run: DocumentRun, settings: &Settings) -> Outcome {
        let mut job = Job {
            run,
            config: Arc::clone(&settings.config),
            ontology: settings.ontology,
        };
        let mut interrupted = 0;
        loop {
            match self.execute(job.clone()).await {
                Ok(outcome) => return self.hand_in(run, outcome).await,
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
            return Outcome::Left(self.complete(run, outcome).await);
        }
        let handed_in = self.shared.ledger.hand_in_completion(run, outcome.clone());
        match handed_in.await {
            Ok(handed_in) => Outcome::Completed(Box::new(outcome), handed_in),
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
            Ok(handed_in) => Outcome::Failed(failure, handed_in),
            Err(error) => Outcome::Left(Err(error)),
        }
    }

    /// Runs a workflow within the process's limit on documents.
    async fn execute(&self, job: Job) -> Result<DocumentOutcome, WorkflowError> {
        let permit = self.shared.documents.acquire().await;
        let _permit = permit.map_err(|_| WorkflowError::Cancelled)?;
        self.shared.executor.run(job).await
    }

    async fn next_round(&self, lease: Lease) -> Result<NextRound, LedgerError> {
        let waits = self.shared.settings.rounds;
        self.stored(|| self.shared.ledger.plan_round(lease, waits))
            .await
    }

    async fn wait_for(&self, lease: Lease, moment: DateTime<Utc>) -> Result<(), LedgerError> {
        let wait = moment - self.shared.ledger.clock().now();
        let round = tokio::time::sleep(wait.to_std().unwrap_or_default());
        let drained = self.shared.registry.draining().run_until_cancelled(round);
        if drained.await.is_none() {
            return Err(LedgerError::Fenced(self.batch));
        }
        self.stored(|| self.shared.ledger.begin_round(lease)).await
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
                    tracing::warn!(batch = %self.batch, "the store is away: {}", chain(&error));
                    tokio::time::sleep(store_backoff(failures)).await;
                    failures += 1;
                }
                result => return result,
            }
        }
    }

    /// Ends a batch that cannot go on. One that another process leads is left to that one.
    async fn give_up(&self, lease: Option<Lease>, error: &LedgerError) {
        let message = chain(error);
        let Some(lease) = lease else {
            tracing::error!(batch = %self.batch, "this process helps no longer: {message}");
            return;
        };
        tracing::error!(batch = %self.batch, "batch failed: {message}");
        let ended = self
            .stored(|| self.shared.ledger.fail_batch(lease, &message))
            .await;
        if let Err(error) = ended {
            tracing::error!(batch = %self.batch, "its failure was not recorded: {}", chain(&error));
        }
    }
}

impl Pass {
    fn new(changes: Watch) -> Self {
        Self {
            next: VecDeque::new(),
            tasks: JoinSet::new(),
            running: 0,
            ask: Ask::Wanted,
            freed: false,
            recheck: true,
            looked: Instant::now(),
            overflow: false,
            left: Started::default(),
            changes,
        }
    }

    /// A document needs its place no longer.
    fn freed(&mut self) {
        self.running -= 1;
        match self.ask {
            Ask::UnderWay => self.freed = true,
            Ask::Wanted | Ask::Blocked | Ask::Done => self.ask = Ask::Wanted,
        }
    }

    fn started(&mut self, mut answer: Started) {
        let left = answer.waiting || answer.elsewhere > 0 || answer.suspended > 0;
        self.ask = if self.freed || (answer.waiting && !answer.runs.is_empty()) {
            Ask::Wanted
        } else if left {
            Ask::Blocked
        } else {
            Ask::Done
        };
        self.next.extend(answer.runs.drain(..));
        self.left = answer;
    }

    /// Whether to look at what other processes do: they may have died meanwhile.
    fn recheck(&mut self) -> bool {
        let others = self.left.elsewhere > 0 && self.looked.elapsed() >= LOOK_AGAIN;
        let recheck = std::mem::take(&mut self.recheck) || others;
        if recheck {
            self.looked = Instant::now();
        }
        recheck
    }

    fn look_again(&mut self) {
        self.ask = Ask::Wanted;
        self.recheck = true;
        self.overflow = self.left.shared;
    }

    /// Whether documents may follow although none runs.
    fn is_open(&self, leads: bool) -> bool {
        self.left.waiting || (leads && (self.left.elsewhere > 0 || self.left.suspended > 0))
    }
}

fn store_backoff(failures: usize) -> Duration {
    STORE_BACKOFF[failures.min(STORE_BACKOFF.len() - 1)]
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
