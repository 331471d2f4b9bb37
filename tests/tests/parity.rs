//! Comparisons of documents with what running them once more comes to.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use knowledge_domain::{
    Clock as _,
    ids::OrganizationId,
    workflow::{BoxFuture, RetryPolicy, WorkflowError, WorkflowMode},
};
use knowledge_server::{
    app::ExtractionWorkflows,
    engine::{Executor as _, Job, Workflow, Workflows, legacy::LegacyExecutor, parity::Rehearsals},
    environment::{SystemClock, SystemEntropy},
    orchestrator::{NewDocument, Orchestrator, OrchestratorSettings, StartBatch},
    progress::EventHub,
    store::{Store, ledger::Ledger, parity::CheckKey},
};
use knowledge_tables::parity_check;
use knowledge_tests::{TestDatabase, documents::text, each_database, scripted::batch_of};
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, JsonValue, QueryOrder, Statement};

/// What a comparison must leave as it is.
const OTHERS: [&str; 12] = [
    "batch_execution",
    "batch_event",
    "batch_document",
    "workflow_execution",
    "workflow_activity",
    "extraction",
    "entity",
    "mention_record",
    "relation",
    "llm_call",
    "token_account",
    "circuit_breaker",
];

fn ledger(store: &Store) -> Ledger {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    Ledger::new(store.clone(), EventHub::default(), clock, entropy)
}

/// Runs a batch over these documents in the mode `shadow`.
async fn shadowed(store: &Store, documents: &[usize]) {
    let ledger = ledger(store);
    let workflows = Arc::new(ExtractionWorkflows::new(ledger.clone()));
    let executor = LegacyExecutor::new(ledger.clone(), workflows, RetryPolicy::none()).compared();
    assert_eq!(executor.mode(), WorkflowMode::Shadow);
    let settings = OrchestratorSettings::default();
    let orchestrator = Orchestrator::new(ledger, Arc::new(executor), settings);
    let documents = documents.iter().map(|number| NewDocument {
        name: format!("{number}.txt"),
        text: text(*number, 2),
        source_uri: None,
        metadata: JsonValue::Null,
    });
    let command = StartBatch {
        documents: documents.collect(),
        ..batch_of(&["one"])
    };
    let batch = orchestrator.start(OrganizationId::DEFAULT, command).await;
    orchestrator.wait(batch.unwrap()).await;
}

fn rehearsals(store: &Store, most_attempts: u32) -> Rehearsals {
    let workflows = ExtractionWorkflows::new(ledger(store)).for_rehearsals();
    let clock = Arc::new(SystemClock);
    Rehearsals::new(store.clone(), Arc::new(workflows), clock, most_attempts)
}

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

/// The comparisons that wait, none of which was submitted.
async fn waiting(store: &Store) -> Vec<CheckKey> {
    store.checks_to_submit(now(), 100).await.unwrap()
}

/// What is recorded of the comparisons, the first noted first.
async fn recorded(db: &TestDatabase) -> Vec<parity_check::Model> {
    use parity_check::Column;
    let rows = parity_check::Entity::find();
    let rows = rows
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id);
    rows.all(&db.connect().await).await.unwrap()
}

async fn statuses(db: &TestDatabase) -> Vec<String> {
    recorded(db)
        .await
        .into_iter()
        .map(|row| row.status)
        .collect()
}

async fn execute(db: &TestDatabase, statement: &str) {
    let done = db.connect().await.execute_unprepared(statement).await;
    assert!(done.unwrap().rows_affected() > 0, "{statement}");
}

/// Every row that is no comparison.
async fn everything(db: &TestDatabase) -> Vec<JsonValue> {
    let connection = db.connect().await;
    let mut rows = Vec::new();
    for table in OTHERS {
        let all = format!("SELECT * FROM {table} ORDER BY 1");
        let all = Statement::from_string(connection.get_database_backend(), all);
        rows.extend(
            JsonValue::find_by_statement(all)
                .all(&connection)
                .await
                .unwrap(),
        );
    }
    assert!(rows.len() > 50, "{}", rows.len());
    rows
}

/// Has nothing to offer but a panic.
struct Panicking;

impl Workflows for Panicking {
    fn workflow<'a>(
        &'a self,
        _: &'a Job,
    ) -> BoxFuture<'a, Result<Arc<dyn Workflow>, WorkflowError>> {
        Box::pin(async { panic!("a defect") })
    }
}

each_database! {
    async fn what_is_the_same_changes_nothing_else(db: TestDatabase) {
        let store = db.open().await;
        shadowed(&store, &[1, 2, 3]).await;
        let (rehearsals, before) = (rehearsals(&store, 5), everything(&db).await);
        let keys = waiting(&store).await;
        assert_eq!(keys.len(), 3);
        for key in &keys {
            rehearsals.compare(*key).await.unwrap();
        }
        assert_eq!(statuses(&db).await, ["same"; 3]);
        assert_eq!(everything(&db).await, before);
        assert!(waiting(&store).await.is_empty());

        // Made once more, it is as it was.
        let made = recorded(&db).await;
        rehearsals.compare(keys[0]).await.unwrap();
        assert_eq!(recorded(&db).await, made);
        knowledge_tests::verify(&db).await;
    }

    async fn few_are_under_way_and_none_is_lost(db: TestDatabase) {
        let store = db.open().await;
        shadowed(&store, &[1, 2, 3]).await;
        let (begun, later) = (now(), now() + TimeDelta::hours(1));
        let first = store.checks_to_submit(begun, 2).await.unwrap();
        assert_eq!(first.len(), 2);
        for key in &first {
            store.note_submitted(*key, begun).await.unwrap();
        }
        assert!(store.checks_to_submit(begun, 2).await.unwrap().is_empty());
        let third = store.checks_to_submit(begun, 3).await.unwrap();
        assert!(third.len() == 1 && !first.contains(&third[0]));
        // Nobody made them in time.
        assert_eq!(store.checks_to_submit(later, 2).await.unwrap(), first);
        rehearsals(&store, 5).compare(first[0]).await.unwrap();
        assert_eq!(store.checks_to_submit(later, 1).await.unwrap(), first[1..]);
    }

    async fn what_completes_again_is_compared_again(db: TestDatabase) {
        let store = db.open().await;
        shadowed(&store, &[1]).await;
        let [key] = waiting(&store).await.try_into().unwrap();
        let rehearsals = rehearsals(&store, 5);
        // Another attempt has begun, and nothing came of it yet.
        execute(&db, "UPDATE workflow_execution SET lease_token = lease_token + 1 WHERE batch_document_id IS NOT NULL").await;
        rehearsals.compare(key).await.unwrap();
        let [row] = recorded(&db).await.try_into().unwrap();
        assert_eq!(row.status, "unavailable");
        assert!(row.reason.is_some_and(|reason| reason.contains("tried again")));

        // It came to something: the comparison that is under way has nothing to say any more.
        execute(&db, "UPDATE parity_check SET status = 'pending', lease_token = lease_token + 1").await;
        rehearsals.compare(key).await.unwrap();
        assert_eq!(statuses(&db).await, ["pending"]);
        let [again] = waiting(&store).await.try_into().unwrap();
        assert_ne!(again, key);
        rehearsals.compare(again).await.unwrap();
        assert_eq!(statuses(&db).await, ["same"]);
    }

    async fn what_ends_workers_is_left_alone(db: TestDatabase) {
        let store = db.open().await;
        shadowed(&store, &[1, 2]).await;
        let keys = waiting(&store).await;
        let rehearsals = rehearsals(&store, 2);
        for _ in 0..9 {
            store.begin_check(keys[0], now()).await.unwrap();
            rehearsals.let_go(keys[0]).await;
        }
        for _ in 0..2 {
            store.begin_check(keys[1], now()).await.unwrap();
        }
        for key in &keys {
            rehearsals.compare(*key).await.unwrap();
        }
        assert_eq!(statuses(&db).await, ["same", "unavailable"]);
        let reason = recorded(&db).await[1].reason.clone();
        assert!(reason.is_some_and(|reason| reason.contains("begun 2 times")));
    }

    async fn a_panic_is_no_verdict(db: TestDatabase) {
        let store = db.open().await;
        shadowed(&store, &[1]).await;
        let [key] = waiting(&store).await.try_into().unwrap();
        let clock = Arc::new(SystemClock);
        let panicking = Rehearsals::new(store.clone(), Arc::new(Panicking), clock, 5);
        panicking.compare(key).await.unwrap();
        let [row] = recorded(&db).await.try_into().unwrap();
        assert_eq!(row.status, "unavailable");
        assert!(row.reason.is_some_and(|reason| reason.contains("panicked")));
    }

    async fn a_graph_of_an_earlier_batch_is_not_held_against_a_later_one(db: TestDatabase) {
        let store = db.open().await;
        shadowed(&store, &[1]).await;
        shadowed(&store, &[1]).await;
        execute(&db, "UPDATE entity SET name = 'Nobody' WHERE position = 0").await;
        let rehearsals = rehearsals(&store, 5);
        for key in waiting(&store).await {
            rehearsals.compare(key).await.unwrap();
        }
        assert_eq!(statuses(&db).await, ["different", "unavailable"]);
        let [first, second] = recorded(&db).await.try_into().unwrap();
        assert_eq!(first.differences.unwrap()[0]["what"], "entities");
        assert!(second.reason.unwrap().contains("earlier workflow"));
    }

    async fn a_graph_without_some_units_is_not_held_against_anybody(db: TestDatabase) {
        let store = db.open().await;
        shadowed(&store, &[1]).await;
        execute(&db, "UPDATE batch_document SET missing_units = 1").await;
        let [key] = waiting(&store).await.try_into().unwrap();
        rehearsals(&store, 5).compare(key).await.unwrap();
        let [row] = recorded(&db).await.try_into().unwrap();
        assert_eq!(row.status, "unavailable");
        assert!(row.reason.unwrap().contains("without some units"));
    }
}
