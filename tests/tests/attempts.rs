//! The attempts of workers at one document: only the latest may write.

use std::sync::Arc;

use knowledge_domain::{
    ErrorKind,
    ids::OrganizationId,
    workflow::{BoxFuture, RetryPolicy, WorkflowError, WorkflowMode, WorkflowStage},
};
use knowledge_server::{
    app::ExtractionWorkflows,
    engine::{Completed, Executor, Job, legacy::LegacyExecutor},
    environment::{SystemClock, SystemEntropy},
    orchestrator::{Orchestrator, OrchestratorSettings},
    progress::EventHub,
    store::{
        Store,
        ledger::{Checkpoint, DocumentRun, Ledger, LedgerError, StageEntry, Taken, UnitKey},
    },
};
use knowledge_tables::batch_document;
use knowledge_tests::{TestDatabase, each_database, scripted::batch_of};
use sea_orm::EntityTrait;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Processes of workers.
const ONE: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

/// Hands documents over, and waits for ever.
struct Handing(mpsc::UnboundedSender<Job>);

impl Executor for Handing {
    fn mode(&self) -> WorkflowMode {
        WorkflowMode::Engine
    }

    fn run(&self, job: Job) -> BoxFuture<'_, Result<Completed, WorkflowError>> {
        let _ = self.0.send(job);
        Box::pin(std::future::pending())
    }
}

/// A process of its own, as far as the store can tell.
fn ledger(store: &Store) -> Ledger {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    Ledger::new(store.clone(), EventHub::default(), clock, entropy)
}

/// A document that a server has been given, and what keeps it.
async fn handed(store: &Store) -> (Orchestrator, Job) {
    let (hand, mut handed) = mpsc::unbounded_channel();
    let settings = OrchestratorSettings::default();
    let server = Orchestrator::new(ledger(store), Arc::new(Handing(hand)), settings);
    let started = server.start(OrganizationId::DEFAULT, batch_of(&["one"]));
    started.await.expect("it starts");
    let job = handed.recv().await.expect("a document");
    (server, job)
}

fn taken(taken: Taken) -> DocumentRun {
    match taken {
        Taken::Run(run) => run,
        other => panic!("{other:?}"),
    }
}

/// Enters the first stage, and begins a unit.
fn begun(name: &str) -> Checkpoint {
    Checkpoint {
        stage: WorkflowStage::Chunk,
        entered: Some(StageEntry {
            total: 1,
            replayed: 0,
        }),
        completed: Vec::new(),
        starting: vec![UnitKey {
            name: name.to_owned(),
            input_hash: "0".repeat(64),
        }],
        under_way: false,
    }
}

fn is_fenced<T>(result: Result<T, LedgerError>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::Cancelled)
}

async fn status(db: &TestDatabase) -> String {
    let connection = db.connect().await;
    let rows = batch_document::Entity::find().all(&connection).await;
    let [row] = rows.expect("it answers").try_into().expect("one document");
    row.status
}

each_database! {
    async fn only_the_latest_attempt_writes(db: TestDatabase) {
        let store = db.open().await;
        let (server, job) = handed(&store).await;
        let (one, other) = (ledger(&store), ledger(&store));
        let first = taken(one.take(job.run, ONE, 5).await.unwrap());
        assert!(first.fresh);
        one.checkpoint(first, begun("chunk")).await.unwrap();
        assert!(one.holds(first).await.unwrap());

        let second = taken(other.take(job.run, OTHER, 5).await.unwrap());
        assert!(!second.fresh, "the first has written to its journal");
        assert!(is_fenced(one.checkpoint(first, begun("chunk")).await));
        assert!(!one.holds(first).await.unwrap());
        assert!(other.holds(second).await.unwrap());
        other.checkpoint(second, begun("chunk")).await.unwrap();

        let workflows = Arc::new(ExtractionWorkflows::new(other.clone()));
        let executor = LegacyExecutor::new(other.clone(), workflows, RetryPolicy::none());
        let run = Job { run: second, ..job.clone() };
        let Completed::With(outcome) = executor.run(run).await.unwrap() else {
            panic!("the built-in engine records no outcome");
        };
        assert!(is_fenced(one.complete_document(first, (*outcome).clone()).await));
        other.complete_document(second, *outcome).await.unwrap();
        assert_eq!(status(&db).await, "completed");
        assert_eq!(one.take(job.run, ONE, 5).await.unwrap(), Taken::Completed);
        assert!(!other.holds(second).await.unwrap());
        drop(server);
    }

    async fn a_lease_that_has_passed_on_is_no_lease_of_a_worker(db: TestDatabase) {
        let store = db.open().await;
        let (server, job) = handed(&store).await;
        let worker = ledger(&store);
        let run = taken(worker.take(job.run, ONE, 5).await.unwrap());
        server.cancel(OrganizationId::DEFAULT, job.run.batch).await.unwrap();
        assert!(is_fenced(worker.checkpoint(run, begun("chunk")).await));
        assert!(is_fenced(worker.take(job.run, ONE, 5).await));
        assert!(!worker.holds(run).await.unwrap());
        let stranger = DocumentRun { token: job.run.token + 1, ..job.run };
        assert!(is_fenced(worker.take(stranger, ONE, 5).await));
    }

    async fn a_document_with_which_workers_die_is_quarantined(db: TestDatabase) {
        let store = db.open().await;
        let (server, job) = handed(&store).await;
        let worker = ledger(&store);
        let process = Uuid::from_u128;
        for stopped in 10..19 {
            // It stops in good order.
            let run = taken(worker.take(job.run, process(stopped), 3).await.unwrap());
            worker.let_go(run).await.unwrap();
        }
        for _ in 0..9 {
            // It lives, and is asked again.
            taken(worker.take(job.run, ONE, 3).await.unwrap());
        }
        for other in 20..22 {
            taken(worker.take(job.run, process(other), 3).await.unwrap());
        }
        assert_eq!(worker.take(job.run, OTHER, 3).await.unwrap(), Taken::Quarantined);
        assert_eq!(status(&db).await, "abandoned");
        drop(server);
    }
}
