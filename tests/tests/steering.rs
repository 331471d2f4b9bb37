//! Documents that are shared, suspended, paused, resumed and cancelled, over every database.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use knowledge_domain::{
    batch::{BatchOptions, FailurePolicy},
    ids::{BatchId, ExecutionId, OrganizationId},
    workflow::WorkflowSignal,
};
use knowledge_server::{
    orchestrator::StartBatch,
    progress::batch_events,
    store::{Store, ledger::SignalError},
};
use knowledge_tables::{batch_document, workflow_execution, workflow_signal};
use knowledge_tests::{
    each_database,
    events::{assert_event_log, kind},
    scripted::{Act, Script, ScriptedApp, batch_of, unit_names},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;

const ORG: OrganizationId = OrganizationId::DEFAULT;
const PATIENCE: Duration = Duration::from_mins(4);

/// Longer than a third of a lease, after which servers count each other.
const HEARD_OF_EACH_OTHER: Duration = Duration::from_secs(4);

fn concurrent(command: StartBatch, concurrency: i64) -> StartBatch {
    StartBatch {
        options: BatchOptions {
            failure_policy: Some(FailurePolicy::ContinueOnFailure),
            concurrency: Some(concurrency),
            ..BatchOptions::default()
        },
        ..command
    }
}

async fn events_to_end(app: &ScriptedApp, batch: BatchId) -> Vec<Value> {
    let stream = batch_events(app.ledger.store(), &app.hub, ORG, batch, 0);
    let events: Vec<Value> = tokio::time::timeout(PATIENCE, stream.collect::<Vec<_>>())
        .await
        .expect("the batch ends")
        .into_iter()
        .map(|event| serde_json::to_value(&**event.unwrap()).unwrap())
        .collect();
    assert_event_log(&events);
    events
}

fn count(events: &[Value], name: &str) -> usize {
    events.iter().filter(|event| kind(event) == name).count()
}

/// The workflow of the document of this name, when it has this status.
async fn execution_that_is(store: &Store, name: &str, status: &str) -> ExecutionId {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let document = batch_document::Entity::find()
            .filter(batch_document::Column::Name.eq(name))
            .one(store.read())
            .await
            .unwrap()
            .unwrap();
        if let Some(id) = document.execution_id {
            let row = workflow_execution::Entity::find_by_id(id)
                .one(store.read())
                .await
                .unwrap()
                .unwrap();
            if row.status == status {
                return ExecutionId::from_uuid(id);
            }
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{name} never is {status}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn unacknowledged(store: &Store) -> usize {
    workflow_signal::Entity::find()
        .filter(workflow_signal::Column::Acknowledged.eq(false))
        .all(store.read())
        .await
        .unwrap()
        .len()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("d{number}")).collect()
}

/// A script in which the mentions of every document take a while.
fn slow(names: &[String]) -> Script {
    let mut script = Script::new();
    for name in names {
        for unit in ["mentions/0", "mentions/1", "mentions/2"] {
            script = script.with(name, unit, &[Act::Slow]);
        }
    }
    script
}

each_database! {
    async fn two_servers_share_the_documents_of_a_batch(db: TestDatabase) {
        // So many that the one is not done before the other has looked for work.
        let names = names(400);
        let (here, there) = (Arc::new(slow(&names)), Arc::new(slow(&names)));
        let first = ScriptedApp::new(db.open().await, &here);
        let second = ScriptedApp::new(db.open().await, &there);
        first.orchestrator.recover(false).await.unwrap();
        second.orchestrator.recover(false).await.unwrap();
        tokio::time::sleep(HEARD_OF_EACH_OTHER).await;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let command = concurrent(batch_of(&names), 4);
        let batch = first.orchestrator.start(ORG, command).await.unwrap();
        let events = events_to_end(&first, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchCompleted");
        let (here, there) = (here.runs(), there.runs());
        for name in &names {
            for unit in unit_names() {
                let key = ((*name).to_owned(), unit);
                let runs = here.get(&key).copied().unwrap_or(0) + there.get(&key).copied().unwrap_or(0);
                assert_eq!(runs, 1, "{key:?} is run once, by one of the two");
            }
        }
        assert!(!here.is_empty() && !there.is_empty(), "both have run documents");
        knowledge_tests::verify(&db).await;
    }

    async fn a_dead_helper_leaves_its_documents_to_the_other(db: TestDatabase) {
        let hangs = Arc::new(Script::new().with("d0", "mentions/0", &[Act::Hang]));
        let first = ScriptedApp::new(db.open().await, &hangs);
        first.orchestrator.keep_leases();
        let batch = first.orchestrator.start(ORG, concurrent(batch_of(&["d0", "d1"]), 1)).await.unwrap();
        hangs.hanging.notified().await;
        // Drained at once: its leases are given up with a document in flight.
        first.orchestrator.drain(Duration::ZERO).await;
        let second = ScriptedApp::new(db.open().await, &Arc::new(Script::new()));
        second.orchestrator.recover(false).await.unwrap();
        let events = events_to_end(&second, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchCompleted");
        assert_eq!(count(&events, "DocumentStarted"), 2, "it went on; it did not start again");
        knowledge_tests::verify(&db).await;
    }

    async fn a_suspended_document_goes_on_by_itself(db: TestDatabase) {
        let script = Arc::new(Script::new().with("a", "mentions/1", &[Act::Suspend(Some(200))]));
        let app = ScriptedApp::new(db.open().await, &script);
        let batch = app.orchestrator.start(ORG, concurrent(batch_of(&["a", "b"]), 2)).await.unwrap();
        let events = events_to_end(&app, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchCompleted");
        assert_eq!(count(&events, "DocumentSuspended"), 1);
        assert_eq!(count(&events, "DocumentResumed"), 1);
        let suspended = events.iter().find(|event| kind(event) == "DocumentSuspended").unwrap();
        assert_eq!(suspended["reason"], "breaker_open");
        assert!(suspended["until"].is_string());
        let runs = script.runs();
        for unit in unit_names() {
            let expected = if unit == "mentions/1" { 2 } else { 1 };
            assert_eq!(runs[&("a".to_owned(), unit.clone())], expected, "{unit}: what was in flight is kept");
        }
        knowledge_tests::verify(&db).await;
    }

    async fn a_suspension_outlives_its_process(db: TestDatabase) {
        let script = Arc::new(Script::new().with("a", "entities/0", &[Act::Suspend(Some(5_000))]));
        let app = ScriptedApp::new(db.open().await, &script);
        let batch = app.orchestrator.start(ORG, concurrent(batch_of(&["a"]), 1)).await.unwrap();
        execution_that_is(app.ledger.store(), "a", "suspended").await;
        app.orchestrator.drain(Duration::ZERO).await;
        let other = ScriptedApp::new(db.open().await, &script);
        other.orchestrator.recover(true).await.unwrap();
        let events = events_to_end(&other, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchCompleted");
        assert_eq!(script.runs()[&("a".to_owned(), "mentions/0".to_owned())], 1);
        knowledge_tests::verify(&db).await;
    }

    async fn a_paused_document_waits_to_be_resumed(db: TestDatabase) {
        let script = Arc::new(slow(&names(1)).with("d0", "mentions/0", &[Act::Wait]));
        let app = ScriptedApp::new(db.open().await, &script);
        let batch = app.orchestrator.start(ORG, concurrent(batch_of(&["d0", "b"]), 2)).await.unwrap();
        let store = app.ledger.store();
        let execution = execution_that_is(store, "d0", "running").await;
        let orchestrator = &app.orchestrator;
        orchestrator.signal(ORG, execution, WorkflowSignal::Pause).await.unwrap();
        script.go_on();
        execution_that_is(store, "d0", "suspended").await;
        assert_eq!(unacknowledged(store).await, 0, "the pause is done");
        let resumed = orchestrator.signal(ORG, execution, WorkflowSignal::Resume).await.unwrap();
        assert!(resumed.acknowledged);
        let events = events_to_end(&app, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchCompleted");
        assert_eq!(events.last().unwrap()["completedDocuments"], 2);
        for unit in unit_names() {
            assert_eq!(script.runs()[&("d0".to_owned(), unit.clone())], 1, "{unit}: nothing is run twice");
        }
        let ended = orchestrator.signal(ORG, execution, WorkflowSignal::Pause).await;
        assert!(matches!(ended, Err(SignalError::Ended { .. })), "{ended:?}");
        let unknown = ExecutionId::from_uuid(batch.uuid());
        let unknown = orchestrator.signal(ORG, unknown, WorkflowSignal::Pause).await;
        assert!(matches!(unknown, Err(SignalError::NotFound(_))), "{unknown:?}");
        knowledge_tests::verify(&db).await;
    }

    async fn a_pause_before_the_first_unit_keeps_what_is_under_way(db: TestDatabase) {
        let script = Arc::new(Script::new().gated());
        let app = ScriptedApp::new(db.open().await, &script);
        let batch = app.orchestrator.start(ORG, concurrent(batch_of(&["a"]), 1)).await.unwrap();
        let store = app.ledger.store();
        let execution = execution_that_is(store, "a", "running").await;
        app.orchestrator.signal(ORG, execution, WorkflowSignal::Pause).await.unwrap();
        script.open_gate();
        execution_that_is(store, "a", "suspended").await;
        assert_eq!(script.runs().len(), 1, "the first unit calls nobody, and waits for nothing");
        app.orchestrator.signal(ORG, execution, WorkflowSignal::Resume).await.unwrap();
        let events = events_to_end(&app, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchCompleted");
        for unit in unit_names() {
            assert_eq!(script.runs()[&("a".to_owned(), unit.clone())], 1, "{unit}: nothing is run twice");
        }
        knowledge_tests::verify(&db).await;
    }

    async fn a_cancelled_document_is_skipped_and_the_rest_goes_on(db: TestDatabase) {
        let script = Arc::new(Script::new().with("a", "mentions/0", &[Act::Hang]));
        let app = ScriptedApp::new(db.open().await, &script);
        let batch = app.orchestrator.start(ORG, concurrent(batch_of(&["a", "b"]), 1)).await.unwrap();
        script.hanging.notified().await;
        let execution = execution_that_is(app.ledger.store(), "a", "running").await;
        let signalled = app.orchestrator.signal(ORG, execution, WorkflowSignal::Cancel).await.unwrap();
        assert!(signalled.acknowledged);
        let events = events_to_end(&app, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchCompleted");
        assert_eq!(count(&events, "DocumentSkipped"), 1);
        assert_eq!(events.last().unwrap()["completedDocuments"], 1);
        assert_eq!(unacknowledged(app.ledger.store()).await, 0);
        knowledge_tests::verify(&db).await;
    }
}
