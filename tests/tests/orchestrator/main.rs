//! The orchestrator and the built-in engine over every database, with scripted activities.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod crashes;

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use knowledge_domain::{
    batch::{BatchOptions, BatchStage, FailurePolicy},
    ids::{BatchId, OrganizationId},
    workflow::WorkflowStage,
};
use knowledge_server::{
    orchestrator::{StartBatch, StartBatchError, SteerError},
    progress::batch_events,
    store::Store,
};
use knowledge_tables::{batch_document, batch_execution, extraction, workflow_execution};
use knowledge_tests::{
    each_database,
    events::{assert_event_log, kind},
    scripted::{Act, Script, ScriptedApp, batch_of},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};
use serde_json::Value;
use uuid::Uuid;

const ORG: OrganizationId = OrganizationId::DEFAULT;
const PATIENCE: Duration = Duration::from_mins(4);

async fn start(app: &ScriptedApp, command: StartBatch) -> BatchId {
    app.orchestrator.start(ORG, command).await.unwrap()
}

/// Runs a batch to the end of its log and checks the log.
async fn events_to_end(app: &ScriptedApp, batch: BatchId) -> Vec<Value> {
    let store = app.ledger.store();
    let stream = batch_events(store, &app.hub, ORG, batch, 0);
    let events: Vec<Value> = tokio::time::timeout(PATIENCE, stream.collect::<Vec<_>>())
        .await
        .expect("the batch ends")
        .into_iter()
        .map(|event| serde_json::to_value(&**event.unwrap()).unwrap())
        .collect();
    assert_event_log(&events);
    events
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(kind).collect()
}

fn with_policy(command: StartBatch, failure_policy: FailurePolicy) -> StartBatch {
    StartBatch {
        options: BatchOptions {
            failure_policy: Some(failure_policy),
            concurrency: Some(1),
            ..BatchOptions::default()
        },
        ..command
    }
}

async fn batch_row(store: &Store, batch: BatchId) -> batch_execution::Model {
    batch_execution::Entity::find_by_id(batch.uuid())
        .one(store.read())
        .await
        .unwrap()
        .unwrap()
}

async fn statuses(store: &Store) -> Vec<(String, String, i32)> {
    batch_document::Entity::find()
        .order_by_asc(batch_document::Column::Position)
        .all(store.read())
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.name, row.status, row.attempt))
        .collect()
}

fn status(name: &str, status: &str, attempt: i32) -> (String, String, i32) {
    (name.to_owned(), status.to_owned(), attempt)
}

/// Every counter of the batch equals what its rows say.
async fn assert_counters(store: &Store, batch: BatchId) {
    let row = batch_row(store, batch).await;
    let documents = batch_document::Entity::find()
        .all(store.read())
        .await
        .unwrap();
    let count = |statuses: &[&str]| {
        let with = documents
            .iter()
            .filter(|document| statuses.contains(&document.status.as_str()));
        i32::try_from(with.count()).unwrap()
    };
    assert_eq!(row.completed_documents, count(&["completed"]));
    assert_eq!(row.failed_documents, count(&["failed", "abandoned"]));
    assert_eq!(row.skipped_documents, count(&["skipped"]));
    let progress: i64 = documents
        .iter()
        .map(|document| i64::from(document.progress_units))
        .sum();
    assert_eq!(row.progress_units, progress);
    assert_eq!(row.lease_owner, None, "an ended batch has no owner");
}

/// Each document's position in its batch and its content's id, in the order of the turns.
async fn turns(store: &Store, batch: BatchId) -> Vec<(i32, Uuid)> {
    let mut places = batch_document::Entity::find()
        .filter(batch_document::Column::BatchId.eq(batch.uuid()))
        .all(store.read())
        .await
        .unwrap();
    places.sort_by_key(|place| place.id);
    let shown = |place: batch_document::Model| (place.position, place.document_id);
    places.into_iter().map(shown).collect()
}

each_database! {
    async fn small_batches_are_in_the_order_of_the_request(db: TestDatabase) {
        let app = ScriptedApp::new(db.open().await, &Arc::new(Script::new()));
        let names: Vec<String> = (0..20).map(|name| name.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let batch = start(&app, batch_of(&names)).await;
        let turns = turns(app.ledger.store(), batch).await;
        let positions: Vec<i32> = turns.iter().map(|(position, _)| *position).collect();
        assert_eq!(positions, (0..20).collect::<Vec<i32>>());
        assert!(!turns.is_sorted_by_key(|(_, content)| *content));
        events_to_end(&app, batch).await;
    }
}

each_database! {
    async fn large_batches_are_in_the_order_of_the_disk(db: TestDatabase) {
        let app = ScriptedApp::new(db.open().await, &Arc::new(Script::new()));
        let names: Vec<String> = (0..300).map(|name| name.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let command = batch_of(&names);
        let one_by_one = with_policy(command, FailurePolicy::ContinueOnFailure);
        let batch = start(&app, one_by_one).await;
        let events = events_to_end(&app, batch).await;
        let store = app.ledger.store();
        let turns = turns(store, batch).await;
        assert!(turns.is_sorted_by_key(|(_, content)| *content));
        let mut positions: Vec<i32> = turns.iter().map(|(position, _)| *position).collect();
        assert!(!positions.is_sorted());
        positions.sort_unstable();
        assert_eq!(positions, (0..300).collect::<Vec<i32>>());
        let begun = extraction::Entity::find().all(store.read()).await.unwrap();
        assert!(begun.iter().all(|row| row.id.as_bytes()[..6] == row.document_id.as_bytes()[..6]));
        let started = events.iter().filter(|event| kind(event) == "DocumentStarted");
        let started: Vec<&str> = started.map(|event| event["documentId"].as_str().unwrap()).collect();
        assert_eq!(started.len(), 300);
        assert!(started.is_sorted(), "their ids are in the order of the turns");
    }
}

each_database! {
    async fn an_extraction_keeps_the_id_that_it_was_stored_with(db: TestDatabase) {
        let app = ScriptedApp::new(db.open().await, &Arc::new(Script::new()));
        let first = start(&app, batch_of(&["a"])).await;
        events_to_end(&app, first).await;
        let store = app.ledger.store();
        let derived = extraction::Entity::find().one(store.read()).await.unwrap().unwrap();
        let of_another_version = extraction::Model {
            id: Uuid::from_u128(7),
            ..derived.clone()
        };
        let database = db.connect().await;
        extraction::Entity::delete_by_id(derived.id).exec(&database).await.unwrap();
        extraction::Entity::insert(of_another_version.into_active_model().reset_all())
            .exec_without_returning(&database)
            .await
            .unwrap();
        let second = start(&app, batch_of(&["a", "b"])).await;
        events_to_end(&app, second).await;
        let mut places = batch_document::Entity::find()
            .filter(batch_document::Column::BatchId.eq(second.uuid()))
            .order_by_asc(batch_document::Column::Position)
            .all(store.read())
            .await
            .unwrap()
            .into_iter();
        assert_eq!(places.next().unwrap().extraction_id, Some(Uuid::from_u128(7)));
        let other = places.next().unwrap();
        let stored = extraction::Entity::find_by_id(other.extraction_id.unwrap());
        assert!(stored.one(store.read()).await.unwrap().is_some());
    }
}

each_database! {
    async fn documents_complete_and_meet(db: TestDatabase) {
        let app = ScriptedApp::new(db.open().await, &Arc::new(Script::new()));
        let batch = start(&app, batch_of(&["a", "b", "c", "d", "e"])).await;
        let events = events_to_end(&app, batch).await;
        let end = events.last().unwrap();
        assert_eq!(kind(end), "BatchCompleted");
        assert_eq!(end["progress"], 1.0);
        assert_eq!(end["entityCount"], 6, "five of their own and one shared");
        let resolved = &events[events.len() - 2];
        assert_eq!(resolved["clusterCount"], 6);
        assert_eq!(resolved["mergeCount"], 4);
        assert_eq!(resolved["sameAsCount"], 4);
        let row = batch_row(app.ledger.store(), batch).await;
        assert_eq!(row.tokens_used, 35);
        assert_counters(app.ledger.store(), batch).await;
    }

    async fn without_resolution_entities_stay_as_they_are(db: TestDatabase) {
        let app = ScriptedApp::new(db.open().await, &Arc::new(Script::new()));
        let mut command = batch_of(&["a", "b"]);
        command.options.enable_entity_resolution = Some(false);
        let batch = start(&app, command).await;
        let events = events_to_end(&app, batch).await;
        assert!(!kinds(&events).contains(&"ResolutionStarted"));
        assert_eq!(events.last().unwrap()["entityCount"], 4);
    }

    async fn failures_become_results(db: TestDatabase) {
        let script = Script::new()
            .with("b", "mentions/1", &[Act::FailPermanent])
            .with("c", "entities/0", &[Act::FailRetryable]);
        let script = Arc::new(script);
        let app = ScriptedApp::new(db.open().await, &script);
        let command = with_policy(batch_of(&["a", "b", "c"]), FailurePolicy::ContinueOnFailure);
        let batch = start(&app, command).await;
        let events = events_to_end(&app, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchCompleted");
        assert_eq!(events.last().unwrap()["failedDocuments"], 1);
        let store = app.ledger.store();
        let expected = [status("a", "completed", 1), status("b", "failed", 1), status("c", "completed", 1)];
        assert_eq!(statuses(store).await, expected);
        let runs = script.runs();
        assert_eq!(runs[&("c".to_owned(), "entities/0".to_owned())], 2, "the engine retries");
        assert_eq!(runs[&("b".to_owned(), "mentions/1".to_owned())], 1, "for good is for good");
        assert_counters(store, batch).await;
    }

    async fn the_first_failure_aborts_all(db: TestDatabase) {
        let script = Script::new().with("b", "chunk/0", &[Act::FailPermanent]);
        let app = ScriptedApp::new(db.open().await, &Arc::new(script));
        let command = with_policy(batch_of(&["a", "b", "c", "d"]), FailurePolicy::AbortAll);
        let batch = start(&app, command).await;
        let events = events_to_end(&app, batch).await;
        let tail = &kinds(&events)[events.len() - 4..];
        assert_eq!(tail, ["DocumentFailed", "DocumentSkipped", "DocumentSkipped", "BatchFailed"]);
        let error = events.last().unwrap()["error"].as_str().unwrap();
        assert!(error.contains("(b)"), "{error}");
        let store = app.ledger.store();
        let expected = [
            status("a", "completed", 1),
            status("b", "failed", 1),
            status("c", "skipped", 0),
            status("d", "skipped", 0),
        ];
        assert_eq!(statuses(store).await, expected);
        assert_counters(store, batch).await;
    }

    async fn an_abort_drops_what_runs(db: TestDatabase) {
        let script = Script::new()
            .with("a", "mentions/0", &[Act::Hang])
            .with("b", "chunk/0", &[Act::FailPermanent]);
        let app = ScriptedApp::new(db.open().await, &Arc::new(script));
        let mut command = with_policy(batch_of(&["a", "b"]), FailurePolicy::AbortAll);
        command.options.concurrency = Some(2);
        let batch = start(&app, command).await;
        let events = events_to_end(&app, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchFailed");
        let store = app.ledger.store();
        assert_eq!(statuses(store).await[0], status("a", "skipped", 1));
        let executions = workflow_execution::Entity::find().all(store.read()).await.unwrap();
        let mut ended: Vec<_> = executions.into_iter().map(|row| row.status).collect();
        ended.sort();
        assert_eq!(ended, ["cancelled", "failed"]);
        dropped(&app, batch).await;
    }

    async fn failed_documents_are_retried_in_rounds(db: TestDatabase) {
        let fails_always = [Act::FailRetryable; 9];
        let script = Script::new()
            .with("once", "entities/1", &[Act::FailRetryable])
            .with("always", "mentions/2", &fails_always)
            .with("never", "chunk/0", &[Act::FailPermanent]);
        let script = Arc::new(script);
        let app = ScriptedApp::new(db.open().await, &script);
        let command = with_policy(batch_of(&["once", "always", "never", "good"]), FailurePolicy::RetryFailed);
        let batch = start(&app, command).await;
        let events = events_to_end(&app, batch).await;
        let store = app.ledger.store();
        let expected = [
            status("once", "completed", 2),
            status("always", "abandoned", 3),
            status("never", "abandoned", 1),
            status("good", "completed", 1),
        ];
        assert_eq!(statuses(store).await, expected);
        let runs = script.runs();
        let ran = |document: &str, unit: &str| runs[&(document.to_owned(), unit.to_owned())];
        assert_eq!(ran("once", "entities/1"), 2, "one owner of retries");
        assert_eq!(ran("always", "mentions/2"), 3, "the first pass and two rounds");
        assert_eq!(ran("once", "entities/0"), 1, "what completed is replayed");
        assert_eq!(ran("always", "mentions/0"), 1, "what completed is replayed");
        let failures: Vec<_> = events.iter().filter(|event| kind(event) == "DocumentFailed").collect();
        let will_retry: Vec<_> = failures.iter().map(|event| event["willRetry"].as_bool().unwrap()).collect();
        assert_eq!(will_retry, [true, true, false, true, false]);
        let quarantined = events.iter().filter(|event| kind(event) == "DocumentQuarantined");
        let attempts: Vec<_> = quarantined.map(|event| event["attempts"].as_u64().unwrap()).collect();
        assert_eq!(attempts, [1, 3]);
        assert_eq!(batch_row(store, batch).await.retry_round, 2);
        assert_counters(store, batch).await;
    }

    async fn nothing_succeeds_and_the_batch_fails(db: TestDatabase) {
        let script = Script::new().with("a", "assemble/0", &[Act::FailPermanent]);
        let app = ScriptedApp::new(db.open().await, &Arc::new(script));
        let batch = start(&app, batch_of(&["a"])).await;
        let events = events_to_end(&app, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchFailed");
        assert_counters(app.ledger.store(), batch).await;
    }

    async fn a_user_retries_what_failed(db: TestDatabase) {
        let script = Script::new()
            .with("b", "mentions/0", &[Act::FailPermanent])
            .with("c", "entities/0", &[Act::FailPermanent]);
        let script = Arc::new(script);
        let app = ScriptedApp::new(db.open().await, &script);
        let command = with_policy(batch_of(&["a", "b", "c", "d"]), FailurePolicy::ContinueOnFailure);
        let batch = start(&app, command).await;
        events_to_end(&app, batch).await;
        app.orchestrator.retry_failed(ORG, batch).await.unwrap();
        let events = events_to_end(&app, batch).await;
        let terminals = events.iter().filter(|event| kind(event) == "BatchCompleted").count();
        assert_eq!(terminals, 2, "one a run");
        assert_eq!(events.last().unwrap()["entityCount"], 5);
        let store = app.ledger.store();
        let completed = statuses(store).await.iter().filter(|row| row.1 == "completed").count();
        assert_eq!(completed, 4);
        assert!(script.runs().values().all(|runs| *runs <= 2));
        assert_counters(store, batch).await;
        let again = app.orchestrator.retry_failed(ORG, batch).await.unwrap_err();
        let SteerError::InvalidStateTransition { source, .. } = again else { panic!("{again}") };
        assert_eq!((source.from, source.event), (BatchStage::Completed, "Retry"));
    }

    async fn a_retry_after_an_abort_goes_on_with_the_rest(db: TestDatabase) {
        let script = Script::new().with("a", "chunk/0", &[Act::FailPermanent]);
        let app = ScriptedApp::new(db.open().await, &Arc::new(script));
        let command = with_policy(batch_of(&["a", "b"]), FailurePolicy::AbortAll);
        let batch = start(&app, command).await;
        events_to_end(&app, batch).await;
        app.orchestrator.retry_failed(ORG, batch).await.unwrap();
        let events = events_to_end(&app, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchCompleted");
        assert_counters(app.ledger.store(), batch).await;
    }

    async fn a_cancel_is_prompt_final_and_idempotent(db: TestDatabase) {
        let script = Arc::new(Script::new().with("b", "mentions/0", &[Act::Hang]));
        let app = ScriptedApp::new(db.open().await, &script);
        let command = with_policy(batch_of(&["a", "b", "c"]), FailurePolicy::ContinueOnFailure);
        let batch = start(&app, command).await;
        script.hanging.notified().await;
        app.orchestrator.cancel(ORG, batch).await.unwrap();
        let events = events_to_end(&app, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchCancelled");
        app.orchestrator.cancel(ORG, batch).await.unwrap();
        let store = app.ledger.store();
        let expected = [status("a", "completed", 1), status("b", "skipped", 1), status("c", "skipped", 0)];
        assert_eq!(statuses(store).await, expected);
        assert_counters(store, batch).await;
        dropped(&app, batch).await;
        let refused = app.orchestrator.retry_failed(ORG, batch).await.unwrap_err();
        assert!(matches!(refused, SteerError::InvalidStateTransition { .. }));
        let revived = ScriptedApp::new(store.clone(), &script);
        assert!(!revived.orchestrator.resume(ORG, batch, true).await.unwrap());
        assert_eq!(events_to_end(&app, batch).await.len(), events.len(), "nothing more happens");
    }

    async fn steering_what_is_not_there_or_still_runs_is_refused(db: TestDatabase) {
        let script = Arc::new(Script::new().with("a", "mentions/0", &[Act::Hang]));
        let app = ScriptedApp::new(db.open().await, &script);
        let batch = start(&app, batch_of(&["a"])).await;
        script.hanging.notified().await;
        let running = app.orchestrator.retry_failed(ORG, batch).await.unwrap_err();
        assert!(matches!(running, SteerError::InvalidStateTransition { .. }));
        let unknown = BatchId::from_uuid(ORG.uuid());
        let missing = app.orchestrator.cancel(ORG, unknown).await.unwrap_err();
        assert!(matches!(missing, SteerError::NotFound));
        let other = OrganizationId::from_uuid(batch.uuid());
        let foreign = app.orchestrator.cancel(other, batch).await.unwrap_err();
        assert!(matches!(foreign, SteerError::NotFound));
        app.orchestrator.cancel(ORG, batch).await.unwrap();
    }

    async fn a_key_names_one_request(db: TestDatabase) {
        let app = ScriptedApp::new(db.open().await, &Arc::new(Script::new()));
        let keyed = |names: &[&str]| StartBatch {
            idempotency_key: Some("key".to_owned()),
            ..batch_of(names)
        };
        let (first, second) = tokio::join!(
            app.orchestrator.start(ORG, keyed(&["a"])),
            app.orchestrator.start(ORG, keyed(&["a"])),
        );
        let batch = first.unwrap();
        assert_eq!(second.unwrap(), batch, "two at once are one");
        let refused = app.orchestrator.start(ORG, keyed(&["b"])).await.unwrap_err();
        let StartBatchError::IdempotencyConflict { batch_id } = refused else { panic!("{refused}") };
        assert_eq!(batch_id, batch);
        events_to_end(&app, batch).await;
        assert_eq!(start(&app, keyed(&["a"])).await, batch, "also when it has ended");
    }

    async fn two_owners_never_run_one_batch(db: TestDatabase) {
        let script = Arc::new(Script::new().with("a", "mentions/0", &[Act::Hang]));
        let app = ScriptedApp::new(db.open().await, &script);
        // One at a time, so that nothing but the hanging unit is in flight.
        let command = with_policy(batch_of(&["a", "b"]), FailurePolicy::ContinueOnFailure);
        let batch = start(&app, command).await;
        script.hanging.notified().await;
        let other = ScriptedApp::new(db.open().await, &script);
        assert!(!other.orchestrator.resume(ORG, batch, false).await.unwrap(), "the lease holds");
        assert!(other.orchestrator.resume(ORG, batch, true).await.unwrap(), "taken over");
        let events = events_to_end(&other, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchCompleted");
        let runs = script.runs();
        assert_eq!(runs[&("a".to_owned(), "mentions/0".to_owned())], 2, "in flight when it was taken");
        assert_eq!(runs[&("b".to_owned(), "chunk/0".to_owned())], 1);
        // Only what it had in flight could end, and the journal refuses it.
        app.orchestrator.drain(Duration::ZERO).await;
        assert_counters(other.ledger.store(), batch).await;
        knowledge_tests::verify(&db).await;
    }

    async fn a_drain_leaves_a_batch_that_is_resumed_at_once(db: TestDatabase) {
        let script = Arc::new(Script::new().with("b", "entities/1", &[Act::Hang]));
        let store = db.open().await;
        let app = ScriptedApp::new(store.clone(), &script);
        let command = with_policy(batch_of(&["a", "b", "c"]), FailurePolicy::ContinueOnFailure);
        let batch = start(&app, command).await;
        script.hanging.notified().await;
        app.orchestrator.drain(Duration::from_millis(50)).await;
        let refused = app.orchestrator.start(ORG, batch_of(&["x"])).await.unwrap_err();
        assert!(matches!(refused, StartBatchError::Draining));
        let next = ScriptedApp::new(store, &script);
        next.orchestrator.recover(false).await.unwrap();
        let events = events_to_end(&next, batch).await;
        assert_eq!(kind(events.last().unwrap()), "BatchCompleted");
        next.orchestrator.drain(PATIENCE).await;
        knowledge_tests::verify(&db).await;
    }

    async fn whole_batches_of_one_organisation_share_entities(db: TestDatabase) {
        let app = ScriptedApp::new(db.open().await, &Arc::new(Script::new()));
        let (first, second) = (start(&app, batch_of(&["a", "b"])).await, start(&app, batch_of(&["b", "c"])).await);
        events_to_end(&app, first).await;
        events_to_end(&app, second).await;
        let reads = app.ledger.store().reads(ORG);
        let store = app.ledger.store();
        let canonical: std::collections::BTreeSet<_> = knowledge_tables::entity::Entity::find()
            .all(store.read())
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.canonical_id)
            .collect();
        assert_eq!(canonical.len(), 4, "a, b, c and the shared one");
        assert_eq!(reads.batch(second).await.unwrap().unwrap().entity_count, 3);
    }
}

/// Waits until a batch's task has ended. What hangs would end with the time of its stage.
async fn dropped(app: &ScriptedApp, batch: BatchId) {
    let patience = WorkflowStage::Mentions.policy().hard_timeout / 2;
    let ended = tokio::time::timeout(patience, app.orchestrator.wait(batch));
    ended.await.expect("what runs is dropped");
}
