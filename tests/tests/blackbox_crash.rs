//! A server that dies or is stopped costs the calls in flight and nothing else.

use knowledge_tests::{
    TestDatabase, TestServer,
    documents::{documents, long_documents},
    each_database,
    events::{assert_event_log, kind},
    rows::{assert_kept, completed_activities, completed_documents},
    server,
};
use serde_json::{Value, json};

/// The graph of the documents from a run that nothing disturbed.
async fn undisturbed(db: &TestDatabase, documents: &[Value]) -> String {
    let db = db.another();
    let server = TestServer::start(db.url());
    let id = server.client().start(documents, json!({})).await;
    assert_eq!(server.client().ended(&id).await["stage"], "COMPLETED");
    assert!(server.terminate().success());
    server::export(db.url(), &id)
}

/// Waits for the end of a batch that was disturbed and checks its log and its graph.
async fn assert_as_if_nothing_happened(db: &TestDatabase, id: &str, expected: &str) {
    let server = TestServer::start(db.url());
    let batch = server.client().ended(id).await;
    assert_eq!(batch["stage"], "COMPLETED", "{batch}");
    assert_eq!(batch["failedDocuments"], 0, "{batch}");
    assert_event_log(&server.client().events_over_websocket(id, 0).await);
    assert_event_log(&server.client().events_over_sse(id, None).await);
    assert!(server.terminate().success());
    assert_eq!(server::export(db.url(), id), expected);
    knowledge_tests::verify(db).await;
}

each_database! {
    async fn a_killed_server_goes_on_where_it_was(db: TestDatabase) {
        let documents = long_documents(25);
        let expected = undisturbed(&db, &documents).await;

        let server = TestServer::start(db.url());
        let id = server.client().start(&documents, json!({ "concurrency": 2 })).await;
        server.client().wait_for(&id, |event| kind(event) == "DocumentCompleted").await;
        server.kill9();
        knowledge_tests::verify(&db).await;
        let before = completed_activities(&db).await;
        let (completed, total) = completed_documents(&db).await;
        assert!(0 < completed && completed < total, "killed at {completed} of {total}");

        assert_as_if_nothing_happened(&db, &id, &expected).await;
        assert_kept(&before, &completed_activities(&db).await);
    }

    async fn a_server_may_be_killed_again_and_again(db: TestDatabase) {
        let documents = long_documents(6);
        let expected = undisturbed(&db, &documents).await;

        let server = TestServer::start(db.url());
        let id = server.client().start(&documents, json!({ "concurrency": 2 })).await;
        server.kill9();
        let mut before = completed_activities(&db).await;
        for stage in ["MENTIONS", "ENTITIES", "RELATIONS"] {
            let server = TestServer::start(db.url());
            let reached = |event: &Value| {
                event["stage"].as_str().is_some_and(|at| at.eq_ignore_ascii_case(stage))
            };
            server.client().wait_for(&id, reached).await;
            server.kill9();
            knowledge_tests::verify(&db).await;
            let after = completed_activities(&db).await;
            assert_kept(&before, &after);
            before = after;
        }
        assert_as_if_nothing_happened(&db, &id, &expected).await;
        assert_kept(&before, &completed_activities(&db).await);
    }

    async fn a_stopped_server_leaves_a_resumable_batch(db: TestDatabase) {
        let documents = long_documents(25);
        let expected = undisturbed(&db, &documents).await;

        let server = TestServer::start(db.url());
        let id = server.client().start(&documents, json!({ "concurrency": 2 })).await;
        server.client().wait_for(&id, |event| kind(event) == "StageProgress").await;
        assert!(server.terminate().success());
        let before = completed_activities(&db).await;
        let (completed, total) = completed_documents(&db).await;
        assert!(completed < total, "nothing was left to resume");

        assert_as_if_nothing_happened(&db, &id, &expected).await;
        assert_kept(&before, &completed_activities(&db).await);
    }

    async fn an_idle_server_stops_at_once(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let id = server.client().start(&documents(1), json!({})).await;
        server.client().ended(&id).await;
        let asked = std::time::Instant::now();
        assert!(server.terminate().success());
        // The drain's patience is 10 seconds.
        assert!(asked.elapsed().as_secs() < 9, "{:?}", asked.elapsed());
    }
}
