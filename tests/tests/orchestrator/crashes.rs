//! What a process that dies in any unit of a workflow costs, and what the next one makes of it.

use std::sync::Arc;

use knowledge_domain::batch::FailurePolicy;
use knowledge_server::{orchestrator::StartBatch, store::Store};
use knowledge_tables::workflow_activity;
use knowledge_tests::{
    TestDatabase, each_database,
    scripted::{Act, Script, ScriptedApp, batch_of, die_while_hanging, unit_names},
};
use sea_orm::EntityTrait;
use serde_json::Value;

use super::{PATIENCE, assert_counters, events_to_end, start, with_policy};

each_database! {
    async fn a_crash_in_any_activity_costs_that_activity_alone(db: TestDatabase) {
        let undisturbed = undisturbed_events(&db).await;
        for unit in unit_names() {
            crash_at(&db, &unit, &undisturbed).await;
        }
    }
}

/// The events of the batch of [`crash_at`] without a crash, but for what differs by run.
async fn undisturbed_events(db: &TestDatabase) -> Vec<Value> {
    let database = db.another();
    let app = ScriptedApp::new(database.open().await, &Arc::new(Script::new()));
    let batch = start(&app, crash_batch()).await;
    shapes(&events_to_end(&app, batch).await)
}

/// What two runs of one batch must agree on. How far a stage is in between depends on which of its
/// units are recorded together.
fn shapes(events: &[Value]) -> Vec<Value> {
    let between = |event: &&Value| event["status"] == "in_progress";
    let told = events.iter().filter(|event| !between(event));
    told.map(shape).collect()
}

fn crash_batch() -> StartBatch {
    with_policy(batch_of(&["a", "b"]), FailurePolicy::ContinueOnFailure)
}

/// An event without what differs by run.
fn shape(event: &Value) -> Value {
    let mut event = event.clone();
    for field in [
        "batchId",
        "documentId",
        "workflowExecutionId",
        "timestamp",
        // Without gaps in a run, with as many as there are events in between.
        "sequence",
        // How fast it went, and what shared a transaction.
        "documentsPerMinute",
        "remainingSeconds",
        "documentsByStage",
    ] {
        event.as_object_mut().unwrap().remove(field);
    }
    event
}

/// Ends a process while `unit` of document `b` runs, starts another, and checks that nothing but
/// that unit ran again and that the log is that of an undisturbed run.
async fn crash_at(db: &TestDatabase, unit: &str, undisturbed: &[Value]) {
    let database = db.another();
    let store = database.open().await;
    let script = Arc::new(Script::new().with("b", unit, &[Act::Hang]));
    let batch = die_while_hanging(database.database_url(), &script, crash_batch()).await;
    let completed_before = completed(&store).await;

    let app = ScriptedApp::new(store.clone(), &script);
    app.orchestrator.recover(true).await.unwrap();
    let events = shapes(&events_to_end(&app, batch).await);
    assert_eq!(events, undisturbed, "crashed in {unit}");
    for (row, runs) in script.runs() {
        let crashed = row.0 == "b" && row.1 == unit;
        let siblings = row.0 == "b" && row.1.split('/').next() == unit.split('/').next();
        // The next document begins while the graph of this one is being written.
        let in_flight = row.0 == "a" && row.1 == "assemble/0";
        assert!(
            runs == 1 || crashed || siblings || in_flight,
            "{row:?} ran {runs} times, crashed in {unit}"
        );
    }
    let completed_after = completed(&store).await;
    assert!(
        completed_before
            .iter()
            .all(|row| completed_after.contains(row)),
        "a completed activity changed, crashed in {unit}"
    );
    assert_counters(&store, batch).await;
    app.orchestrator.drain(PATIENCE).await;
    knowledge_tests::verify(&database).await;
}

/// The completed activities with all that must never change.
async fn completed(store: &Store) -> Vec<workflow_activity::Model> {
    let rows = workflow_activity::Entity::find()
        .all(store.read())
        .await
        .unwrap();
    rows.into_iter()
        .filter(|row| row.status == "completed")
        .collect()
}
