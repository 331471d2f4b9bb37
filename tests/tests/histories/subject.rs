//! The ledger of two servers, given the commands of a history.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use knowledge_domain::{
    Clock,
    ids::{BatchDocumentId, BatchId, OrganizationId},
    workflow::{ActivityError, RetryPolicy},
};
use knowledge_server::{
    environment::SystemEntropy,
    progress::EventHub,
    store::{
        Pruning, Store,
        ledger::{
            Created, DocumentOutcome, DocumentRun, FailedDocument, FailedUnit, Lease, Ledger,
            LedgerError, NextRound, Owner, PassOutcome, PreparedBatch, Resolving, StartRequest,
            SteerOutcome,
        },
    },
};
use knowledge_tables::organization;
use knowledge_tests::scripted::{found_graph, origin};
use sea_orm::EntityTrait;

use super::{
    command::{Command, Request},
    plan::{Run, Unit},
    reference::{LEASE_SECONDS, Reference},
    wire::{
        checkpoint, completed, create_organization, done, failed, key, positions, prepared, refusal,
    },
};

/// A clock that stands still until it is told.
#[derive(Debug, Default)]
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        let seconds = self.0.load(Ordering::SeqCst);
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
    }
}

struct Server {
    ledger: Ledger,
    owner: Owner,
    lease: Option<Lease>,
    runs: BTreeMap<usize, DocumentRun>,
    completed: BTreeMap<usize, DocumentRun>,
}

/// Two servers on one store, with a batch of an organisation of their own.
pub(crate) struct Subject {
    pub(crate) store: Store,
    clock: Arc<SetClock>,
    request: PreparedBatch,
    pub(crate) batch: BatchId,
    /// By position.
    documents: Vec<BatchDocumentId>,
    servers: Vec<Server>,
}

impl Subject {
    pub(crate) async fn new(store: &Store, request: Request) -> Self {
        let clock = Arc::new(SetClock::default());
        let organization = create_organization(store, clock.now()).await;
        let request = prepared(organization, request);
        let mut servers = vec![server(store, &clock), server(store, &clock)];
        let created = servers[0].ledger.create(&request, &servers[0].owner).await;
        let Created::New(batch) = created.expect("the batch is stored") else {
            panic!("the organisation is new");
        };
        servers[0].lease = Some(Lease {
            organization,
            batch,
            token: 1,
        });
        Self {
            documents: positions(store, batch).await,
            store: store.clone(),
            clock,
            request,
            batch,
            servers,
        }
    }

    /// Removes everything that the history has left.
    pub(crate) async fn remove(self) {
        for server in &self.servers {
            let released = server.ledger.release(&server.owner).await;
            released.expect("the leases are given up");
        }
        let tx = self.store.begin().await.expect("the store answers");
        let organization = self.request.organization.uuid();
        let deleted = organization::Entity::delete_by_id(organization)
            .exec(&tx)
            .await;
        deleted.expect("the organisation is deleted");
        tx.commit().await.expect("the store answers");
    }

    /// Gives a command; `before` is what its giver knows. The answer in the words of the rules.
    pub(crate) async fn apply(&mut self, command: Command, before: &Reference) -> String {
        match self.try_apply(command, before).await {
            Ok(answer) => answer,
            Err(error) => refusal(&error),
        }
    }

    async fn try_apply(
        &mut self,
        command: Command,
        before: &Reference,
    ) -> Result<String, LedgerError> {
        let organization = self.request.organization;
        match command {
            Command::StartAgain { same } => return self.start_again(same).await,
            Command::Claim { server, force } => return self.claim(server, force).await,
            Command::Beat(server) => {
                let server = &self.servers[server];
                server.ledger.heartbeat(&server.owner).await?;
            }
            Command::Release(server) => {
                let server = &self.servers[server];
                server.ledger.release(&server.owner).await?;
            }
            Command::Forget(server) => self.servers[server].runs.clear(),
            Command::Reclaim(server) => return self.reclaim(server).await,
            Command::Crash(place) => self.servers[place] = server(&self.store, &self.clock),
            Command::TimePasses => {
                self.clock.0.fetch_add(LEASE_SECONDS, Ordering::SeqCst);
            }
            Command::Cancel => return self.cancel(organization).await,
            Command::CancelByStranger => return self.cancel(OrganizationId::DEFAULT).await,
            Command::Retry(server) => {
                let server = &mut self.servers[server];
                let retried = server.ledger.retry(organization, self.batch, &server.owner);
                let lease = retried.await?;
                server.take(lease);
                return Ok("changed".to_owned());
            }
            Command::Prune => {
                let at = self.clock.now() + TimeDelta::hours(1);
                let pruning = Pruning {
                    before: at,
                    at: Some(at),
                };
                self.store.prune(pruning).await?;
            }
            command => return self.of_owner(command, before).await,
        }
        Ok(done())
    }

    /// A command to share the documents, or to lead the batch.
    async fn of_owner(
        &mut self,
        command: Command,
        before: &Reference,
    ) -> Result<String, LedgerError> {
        match command {
            Command::StartDocuments(server, free) => {
                let organization = self.request.organization;
                let server = &mut self.servers[server];
                let request = server.ask(free);
                let started = server
                    .ledger
                    .start_documents(organization, self.batch, request);
                let runs = started.await?.runs;
                return Ok(keep(&self.documents, &mut server.runs, runs));
            }
            Command::PlanRound(server) => {
                let server = &self.servers[server];
                let waits = RetryPolicy::default();
                let next = server.ledger.plan_round(server.lease(), waits).await?;
                let next = match next {
                    NextRound::At(_) => "a round",
                    NextRound::None => "no round",
                };
                return Ok(next.to_owned());
            }
            Command::BeginRound(server) => {
                let server = &self.servers[server];
                server.ledger.begin_round(server.lease()).await?;
            }
            Command::Settle(server) => {
                let server = &self.servers[server];
                let outcome: PassOutcome = server.ledger.settle(server.lease()).await?;
                return Ok(format!("{outcome:?}"));
            }
            Command::Resolve(server) => {
                let server = &self.servers[server];
                server
                    .ledger
                    .resolve(server.lease(), Resolving::new(None))
                    .await?;
            }
            command => self.of_document(command, before).await?,
        }
        Ok(done())
    }

    /// A command on a document that the server runs.
    async fn of_document(
        &mut self,
        command: Command,
        before: &Reference,
    ) -> Result<(), LedgerError> {
        let run = |server: usize, document: usize| &before.servers[server].runs[&document].run;
        match command {
            Command::Work(server, document, checkpoints) => {
                let run = run(server, document).clone();
                self.work(server, document, run, checkpoints).await
            }
            Command::FailUnit(server, document) => {
                let unit = run(server, document).running.expect("a unit runs");
                self.fail_unit(server, document, unit).await
            }
            Command::Complete(server, document) => {
                let trailing = run(server, document).running;
                self.complete(server, document, trailing).await
            }
            Command::CompleteAgain(server, document) => {
                let run = self.servers[server].completed[&document];
                self.record_outcome(server, run, None).await
            }
            Command::Fail(server, document, failure) => {
                let stage = run(server, document).stage();
                self.fail(server, document, failed(stage, failure)).await
            }
            command => panic!("{command:?} is no command on a document"),
        }
    }

    async fn cancel(&self, organization: OrganizationId) -> Result<String, LedgerError> {
        let ledger = &self.servers[0].ledger;
        let outcome = match ledger.cancel(organization, self.batch).await? {
            SteerOutcome::Changed => "changed",
            SteerOutcome::Unchanged => "unchanged",
        };
        Ok(outcome.to_owned())
    }

    async fn fail(
        &mut self,
        server: usize,
        document: usize,
        failed: FailedDocument,
    ) -> Result<(), LedgerError> {
        let server = &mut self.servers[server];
        let run = server.runs[&document];
        server.ledger.fail_document(run, failed).await?;
        server.runs.remove(&document);
        Ok(())
    }

    async fn start_again(&self, same: bool) -> Result<String, LedgerError> {
        let mut request = self.request.clone();
        if !same {
            request.request_hash.push_str(" of another request");
        }
        let server = &self.servers[1];
        let answer = match server.ledger.create(&request, &server.owner).await? {
            Created::Existing(batch) if batch == self.batch => "existing",
            Created::Conflict(batch) if batch == self.batch => "conflict",
            Created::New(_) | Created::Existing(_) | Created::Conflict(_) => "another batch",
        };
        Ok(answer.to_owned())
    }

    async fn claim(&mut self, server: usize, force: bool) -> Result<String, LedgerError> {
        let organization = self.request.organization;
        let server = &mut self.servers[server];
        let claim = server
            .ledger
            .claim(organization, self.batch, &server.owner, force);
        let Some(lease) = claim.await? else {
            return Ok("not claimed".to_owned());
        };
        server.take(lease);
        Ok("claimed".to_owned())
    }

    async fn reclaim(&mut self, server: usize) -> Result<String, LedgerError> {
        let organization = self.request.organization;
        let server = &mut self.servers[server];
        let claim = server
            .ledger
            .reclaim(organization, self.batch, &server.owner);
        let Some(lease) = claim.await? else {
            return Ok("not claimed".to_owned());
        };
        server.take(lease);
        Ok("claimed".to_owned())
    }

    async fn work(
        &mut self,
        server: usize,
        document: usize,
        mut run: Run,
        checkpoints: u8,
    ) -> Result<(), LedgerError> {
        let server = &self.servers[server];
        for _ in 0..checkpoints {
            let Some(step) = run.advance() else {
                break;
            };
            let made = server
                .ledger
                .checkpoint(server.runs[&document], checkpoint(&step));
            made.await?;
        }
        Ok(())
    }

    async fn fail_unit(
        &self,
        server: usize,
        document: usize,
        unit: Unit,
    ) -> Result<(), LedgerError> {
        let server = &self.servers[server];
        let failed = FailedUnit {
            key: key(unit),
            error: ActivityError::retryable("it failed"),
            duration_ms: 1,
            next_attempt_at: Some(self.clock.now()),
        };
        let run = server.runs[&document];
        server.ledger.fail_unit(run, failed).await?;
        Ok(())
    }

    async fn complete(
        &mut self,
        server: usize,
        document: usize,
        trailing: Option<Unit>,
    ) -> Result<(), LedgerError> {
        let run = self.servers[server].runs[&document];
        self.record_outcome(server, run, trailing).await?;
        self.servers[server].runs.remove(&document);
        self.servers[server].completed.insert(document, run);
        Ok(())
    }

    async fn record_outcome(
        &self,
        server: usize,
        run: DocumentRun,
        trailing: Option<Unit>,
    ) -> Result<(), LedgerError> {
        let origin = origin(self.request.organization, run.content, run.execution);
        let name = format!("entity of {}", run.content);
        let outcome = DocumentOutcome {
            extraction: origin.extraction(),
            entities: 2,
            relations: 0,
            missing: 0,
            tokens: 7,
            output: serde_json::json!({}),
            trailing: trailing
                .map(|unit| (unit.0, completed(unit)))
                .into_iter()
                .collect(),
            graph: Some(found_graph(origin, &name)),
        };
        let server = &self.servers[server];
        server.ledger.complete_document(run, outcome).await?;
        Ok(())
    }
}

impl Server {
    fn lease(&self) -> Lease {
        self.lease
            .expect("a server without a lease gives no such command")
    }

    fn take(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }

    /// A request for documents that only the server's room limits.
    fn ask(&self, free: u32) -> StartRequest {
        let running = u32::try_from(self.runs.len()).unwrap_or(u32::MAX);
        StartRequest {
            owner: self.owner.clone(),
            running,
            held: self.runs.values().map(|run| run.execution).collect(),
            free,
            share: u32::MAX,
            recheck: true,
            quarantine_after: 0,
            alone: false,
        }
    }
}

fn server(store: &Store, clock: &Arc<SetClock>) -> Server {
    let clock: Arc<dyn Clock> = clock.clone();
    let ledger = Ledger::new(
        store.clone(),
        EventHub::default(),
        clock,
        Arc::new(SystemEntropy),
    );
    let owner = Owner {
        name: format!("history:{}", ledger.entropy().uuid_v7()),
        ttl: Duration::from_secs(LEASE_SECONDS.unsigned_abs()),
        shares: true,
    };
    Server {
        ledger,
        owner,
        lease: None,
        runs: BTreeMap::new(),
        completed: BTreeMap::new(),
    }
}

/// Keeps what a server was given to run; the documents' positions.
fn keep(
    documents: &[BatchDocumentId],
    kept: &mut BTreeMap<usize, DocumentRun>,
    runs: Vec<DocumentRun>,
) -> String {
    let position = |run: &DocumentRun| documents.iter().position(|id| *id == run.document);
    let mut positions = Vec::new();
    for run in runs {
        let position = position(&run).expect("a document of the batch");
        positions.push(position);
        kept.insert(position, run);
    }
    format!("runs {positions:?}")
}
