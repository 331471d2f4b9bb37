//! What a failed document does to its batch, under each policy.

use knowledge_tests::{
    TestServer,
    documents::{document, documents, empty_document, long_documents},
    each_database,
    events::{assert_event_log, kind},
};
use serde_json::{Value, json};

/// The documents of a batch, in their order.
fn nodes(batch: &Value) -> &[Value] {
    batch["documents"]["nodes"]
        .as_array()
        .map_or(&[], Vec::as_slice)
}

/// The document without a text; the only one that fails.
fn failed(batch: &Value) -> &Value {
    nodes(batch)
        .iter()
        .find(|document| document["name"] == "empty.txt")
        .expect("the document is in the batch")
}

fn with_one_empty() -> Vec<Value> {
    let mut documents = documents(4);
    documents.insert(1, empty_document());
    documents
}

each_database! {
    async fn others_go_on_when_one_fails(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let config = json!({ "failurePolicy": "CONTINUE_ON_FAILURE" });
        let id = client.start(&with_one_empty(), config).await;
        let events = client.events_over_websocket(&id, 0).await;
        assert_event_log(&events);
        assert_eq!(kind(events.last().unwrap()), "BatchCompleted");

        let batch = client.batch(&id).await;
        assert_eq!(batch["stage"], "COMPLETED", "{batch}");
        assert_eq!(batch["completedDocuments"], 4, "{batch}");
        assert_eq!(batch["failedDocuments"], 1, "{batch}");
        let failed = failed(&batch);
        assert_eq!(failed["status"], "FAILED", "{failed}");
        assert_eq!(failed["attempt"], 1, "{failed}");
        assert!(failed["error"].as_str().is_some_and(|error| !error.is_empty()), "{failed}");
    }

    async fn the_first_failure_stops_all_under_abort(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let mut documents = vec![document(0), empty_document()];
        documents.extend(long_documents(10));
        let config = json!({ "failurePolicy": "ABORT_ALL", "concurrency": 1 });
        let id = client.start(&documents, config).await;
        let events = client.events_over_websocket(&id, 0).await;
        assert_event_log(&events);
        assert_eq!(kind(events.last().unwrap()), "BatchFailed");

        let batch = client.batch(&id).await;
        assert_eq!(batch["stage"], "FAILED", "{batch}");
        let error = batch["error"].as_str().unwrap_or_default();
        assert!(error.contains("empty.txt"), "the culprit is not named: {error}");
        assert_eq!(nodes(&batch)[0]["status"], "COMPLETED", "{batch}");
        assert_eq!(batch["completedDocuments"], 1, "{batch}");
        assert_eq!(batch["failedDocuments"], 1, "{batch}");
        assert_eq!(batch["skippedDocuments"], 10, "{batch}");
        for document in &nodes(&batch)[2..] {
            assert_eq!(document["status"], "SKIPPED", "{document}");
        }
    }

    async fn a_permanent_failure_is_not_tried_again(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let config = json!({ "failurePolicy": "RETRY_FAILED", "maxRetries": 3 });
        let id = client.start(&with_one_empty(), config).await;
        let events = client.events_over_websocket(&id, 0).await;
        assert_event_log(&events);
        let failures: Vec<_> = events
            .iter()
            .filter(|event| kind(event) == "DocumentFailed")
            .collect();
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert_eq!(failures[0]["willRetry"], false, "{failures:?}");

        let batch = client.batch(&id).await;
        assert_eq!(batch["stage"], "COMPLETED", "{batch}");
        let failed = failed(&batch);
        assert_eq!(failed["attempt"], 1, "{failed}");
        let status = failed["status"].as_str().unwrap_or_default();
        assert!(["FAILED", "ABANDONED"].contains(&status), "{failed}");
    }

    async fn a_batch_without_a_result_has_failed(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let id = client.start(&[empty_document()], json!({})).await;
        let events = client.events_over_websocket(&id, 0).await;
        assert_event_log(&events);
        assert_eq!(kind(events.last().unwrap()), "BatchFailed");
        let batch = client.batch(&id).await;
        assert_eq!(batch["stage"], "FAILED", "{batch}");
        assert!(batch["error"].is_string(), "{batch}");
    }

    async fn failed_documents_can_be_tried_again(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let id = client.start(&with_one_empty(), json!({})).await;
        let before = client.ended(&id).await;
        let accepted = client.retry(&id).await;
        assert_eq!(accepted["__typename"], "BatchSuccess", "{accepted}");

        let after = client.ended(&id).await;
        assert_event_log(&client.events_over_websocket(&id, 0).await);
        assert_eq!(after["stage"], "COMPLETED", "{after}");
        assert_eq!(failed(&after)["attempt"], 2, "{after}");
        for (before, after) in nodes(&before).iter().zip(nodes(&after)) {
            if before["status"] == "COMPLETED" {
                assert_eq!(before, after, "a completed document was run again");
            }
        }
    }
}
