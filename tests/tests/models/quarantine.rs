//! Documents that keep failing, and failures of the whole batch, over the death of a process.

use std::time::Duration;

use knowledge_domain::ids::BatchId;
use knowledge_tables::batch_execution;
use knowledge_tests::{
    TestDatabase, TestServer, each_database,
    events::{assert_event_log, kind},
    faults::faulty_document,
    provider::{Provider, Script},
    server,
};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::run::{batch, notes, serve};

/// A document is left alone after it has failed so often.
const AFTER_THREE: &[(&str, &str)] = &[("KNOWLEDGE_QUARANTINE_AFTER", "3")];

/// A provider that refuses whatever is said of the second of the documents.
fn refusing() -> Script {
    Script {
        latency: Duration::from_millis(10),
        refuses: Some("item 1.0 ".to_owned()),
        ..Script::default()
    }
}

fn config(policy: &str) -> Value {
    json!({ "extractor": "LLM", "concurrency": 2, "failurePolicy": policy })
}

fn of_second(batch: &Value) -> &Value {
    &batch["documents"]["nodes"][1]
}

async fn events(server: &TestServer, id: &str) -> Vec<Value> {
    let events = server.client().events_over_websocket(id, 0).await;
    assert_event_log(&events);
    events
}

fn quarantines(events: &[Value]) -> Vec<&Value> {
    let is_one = |event: &&Value| kind(event) == "DocumentQuarantined";
    events.iter().filter(is_one).collect()
}

/// A server with a wrong key that dies at this point, with the batch that it was given.
async fn dies_with_a_wrong_key(
    db: &TestDatabase,
    provider: &Provider,
    point: &'static str,
) -> String {
    let server = serve(db, provider, &[("KNOWLEDGE_FAILPOINT", point)]);
    let one_at_a_time = json!({ "extractor": "LLM", "concurrency": 1 });
    let request = json!({ "documents": notes(0, 6, 1), "config": one_at_a_time });
    // It may die before it answers.
    server.client().try_start_batch(request).await;
    server.wait_until_killed();
    knowledge_tests::verify(db).await;
    let store = db.connect().await;
    let batches = batch_execution::Entity::find().all(&store);
    let batches = batches.await.expect("the database answers");
    let [batch] = batches.as_slice() else {
        panic!("{batches:?}");
    };
    BatchId::from_uuid(batch.id).to_string()
}

each_database! {
    /// A document that fails again and again is given up after so many failures, the others are
    /// what they are, and a user who has mended the cause has it all the same.
    async fn a_document_that_keeps_failing_is_quarantined(db: TestDatabase) {
        let provider = Provider::start(refusing());
        let server = serve(&db, &provider, AFTER_THREE);
        let id = server.client().start(&notes(0, 4, 1), config("CONTINUE_ON_FAILURE")).await;
        for attempt in 1..=3 {
            let ended = server.client().ended(&id).await;
            assert_eq!((&ended["stage"], &ended["completedDocuments"]), (&json!("COMPLETED"), &json!(3)), "{ended}");
            let asked = provider.calls();
            assert_eq!(asked, 3 + attempt, "only the one that failed is asked about again");
            let now = batch(server.client(), &id).await;
            let status = if attempt < 3 { "FAILED" } else { "ABANDONED" };
            assert_eq!((&of_second(&now)["status"], &of_second(&now)["attempt"]), (&json!(status), &json!(attempt)), "{now}");
            if attempt < 3 {
                assert_eq!(server.client().retry(&id).await["__typename"], "BatchSuccess");
            }
        }
        let told = events(&server, &id).await;
        let told = quarantines(&told);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((&told[0]["stage"], &told[0]["attempts"]), (&json!("MENTIONS"), &json!(3)));
        assert!(told[0]["error"].as_str().unwrap().contains("refuses"), "{}", told[0]);

        provider.follow(Script::default());
        assert_eq!(server.client().retry(&id).await["__typename"], "BatchSuccess");
        assert_eq!(server.client().ended(&id).await["completedDocuments"], json!(4));
        assert_eq!(provider.calls(), 7);
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    /// Under `retry-failed` the rounds are the count; neither the documents of the batch nor another
    /// batch wait for the one that fails.
    async fn one_that_fails_in_every_round_blocks_nobody(db: TestDatabase) {
        let provider = Provider::start(Script::answering(Duration::from_millis(10)));
        let server = serve(&db, &provider, &[("KNOWLEDGE_FAULTS", "text")]);
        let mut documents = notes(0, 20, 1);
        documents[1] = faulty_document(1, &["mentions/0 retryable 9"]);
        let mut rounds = config("RETRY_FAILED");
        rounds["maxRetries"] = json!(2);
        let id = server.client().start(&documents, rounds).await;
        let other = server.client().start(&notes(100, 5, 1), config("CONTINUE_ON_FAILURE")).await;
        assert_eq!(server.client().ended(&other).await["completedDocuments"], json!(5));
        let ended = server.client().ended(&id).await;
        assert_eq!((&ended["stage"], &ended["completedDocuments"]), (&json!("COMPLETED"), &json!(19)), "{ended}");
        let now = batch(server.client(), &id).await;
        assert_eq!((&of_second(&now)["status"], &of_second(&now)["attempt"]), (&json!("ABANDONED"), &json!(3)), "{now}");
        let events = events(&server, &id).await;
        assert_eq!(quarantines(&events).len(), 1);
        let failed = |event: &Value| kind(event) == "DocumentFailed";
        let retried = events.iter().rposition(failed).unwrap();
        let last_other = events.iter().rposition(|event| kind(event) == "DocumentCompleted").unwrap();
        assert!(last_other < retried, "somebody waited for it");
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    /// The refusal of a key that was recorded ends the batch after a restart, without another call.
    async fn a_wrong_key_that_was_recorded_ends_the_batch_after_a_crash(db: TestDatabase) {
        for point in ["unit_failure_after_commit", "document_failure_before_commit", "document_failure_after_commit"] {
            let db = db.another();
            let provider = Provider::start(Script { key: Some("another".to_owned()), ..Script::default() });
            let id = dies_with_a_wrong_key(&db, &provider, point).await;
            let calls = provider.calls();
            assert_eq!(calls, 1, "{point}");

            let server = serve(&db, &provider, &[]);
            let ended = server.client().ended(&id).await;
            assert_eq!(ended["stage"], "FAILED", "{point}: {ended}");
            let error = ended["error"].as_str().unwrap();
            assert!(error.contains("OPENAI_API_KEY") && error.contains("retry"), "{point}: {error}");
            assert_eq!((&ended["failedDocuments"], &ended["skippedDocuments"]), (&json!(1), &json!(5)), "{point}: {ended}");
            assert_eq!(provider.calls(), calls, "{point}: what is known is asked again");
            let told = events(&server, &id).await;
            assert!(quarantines(&told).is_empty(), "{point}: it is no document's fault");

            provider.follow(Script::default());
            assert_eq!(server.client().retry(&id).await["__typename"], "BatchSuccess");
            let ended = server.client().ended(&id).await;
            assert_eq!(ended["completedDocuments"], json!(6), "{point}: {ended}");
            assert_eq!(provider.calls(), calls + 6, "{point}");
            assert!(server.terminate().success());
            knowledge_tests::verify(&db).await;
            assert!(!server::export(db.url(), &id).is_empty());
        }
    }
}
