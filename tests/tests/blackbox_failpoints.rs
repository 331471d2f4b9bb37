//! A server that dies at any named point loses nothing and does nothing twice.

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt};

use knowledge_server::faults::FailurePoint;
use knowledge_tests::{
    Client, TestDatabase, TestServer,
    documents::{document, empty_document},
    events::{assert_event_log, kind},
    faults::{FAULTY, armed, faulty_document, outcome, undisturbed},
    rows::{assert_kept, completed_activities},
    server,
};
use serde_json::{Value, json};
use strum::IntoEnumIterator;

/// One test per point and database.
macro_rules! points {
    ($($point:ident by $scenario:ident,)*) => {
        knowledge_tests::each_database! {
            $(async fn $point(db: TestDatabase) {
                $scenario(&db, stringify!($point)).await;
            })*
        }

        #[test]
        fn every_point_is_tested() {
            let tested = BTreeSet::from([$(stringify!($point).to_owned()),*]);
            let named: BTreeSet<_> = FailurePoint::iter().map(|point| point.to_string()).collect();
            assert_eq!(tested, named);
        }
    };
}

points! {
    create_before_commit by run,
    create_after_commit by run,
    start_before_commit by run,
    start_after_commit by run,
    group_before_commit by run,
    group_after_commit by run,
    checkpoint_before_commit by run,
    checkpoint_after_commit by run,
    activity_before_body by run,
    activity_after_body by run,
    unit_failure_before_commit by run,
    unit_failure_after_commit by run,
    graph_before_write by run,
    graph_half_written by run,
    graph_written by run,
    completion_before_commit by run,
    completion_after_commit by run,
    document_failure_before_commit by run,
    document_failure_after_commit by run,
    round_plan_before_commit by run,
    round_plan_after_commit by run,
    round_begin_before_commit by run,
    round_begin_after_commit by run,
    settle_before_commit by run,
    settle_after_commit by run,
    resolution_half_written by run,
    resolution_before_commit by run,
    resolution_after_commit by run,
    heartbeat_before_commit by run_slowly,
    heartbeat_after_commit by run_slowly,
    takeover_before_commit by take_over,
    takeover_after_commit by take_over,
    resume_before_commit by take_over,
    resume_after_commit by take_over,
    cancel_before_commit by cancel,
    cancel_after_commit by cancel,
    retry_before_commit by retry,
    retry_after_commit by retry,
    release_before_commit by stop,
    release_after_commit by stop,
    prune_before_commit by prune,
    prune_after_commit by prune,
}

/// A request under `retry-failed` with one document that fails for good, and one that fails once.
fn request(documents: &[Value]) -> Value {
    let mut documents = documents.to_vec();
    documents.push(empty_document());
    documents.push(faulty_document(3, &["mentions/0 retryable 1"]));
    json!({
        "documents": documents,
        "config": { "concurrency": 2, "failurePolicy": "RETRY_FAILED", "maxRetries": 2 },
        "idempotencyKey": "the only one",
    })
}

fn slow() -> Value {
    faulty_document(2, &["mentions/0 slow 1500"])
}

/// Runs the request on a server that dies at the point, and then on another.
async fn run(db: &TestDatabase, point: &str) {
    run_request(db, point, request(&[document(0), document(1)])).await;
}

/// The same with a document that lasts longer than a heartbeat.
async fn run_slowly(db: &TestDatabase, point: &str) {
    run_request(db, point, request(&[document(0), slow()])).await;
}

async fn run_request(db: &TestDatabase, point: &str, request: Value) {
    let expected = undisturbed(&request).await;
    let server = TestServer::start_with(db.url(), &armed(point));
    server.client().try_start_batch(request.clone()).await;
    server.wait_until_killed();
    go_on(db, request, &expected).await;
}

/// Sends the request again to another server, which ends it as if nothing had happened.
async fn go_on(db: &TestDatabase, request: Value, expected: &(Value, String)) {
    knowledge_tests::verify(db).await;
    let before = completed_activities(db).await;
    let server = TestServer::start_with(db.url(), FAULTY);
    let payload = server.client().start_batch(request).await;
    let id = payload["batch"]["id"].as_str().unwrap_or_default();
    let batch = server.client().ended(id).await;
    assert_eq!(outcome(&batch), expected.0);
    assert_event_log(&server.client().events_over_websocket(id, 0).await);
    assert!(server.terminate().success());
    assert_kept(&before, &completed_activities(db).await);
    assert_eq!(server::export(db.url(), id), expected.1);
    knowledge_tests::verify(db).await;
}

/// A batch of slow documents is left by a server that is killed; the next one dies at the point.
async fn take_over(db: &TestDatabase, point: &str) {
    let request = request(&[slow()]);
    let expected = undisturbed(&request).await;
    let server = TestServer::start_with(db.url(), FAULTY);
    let id = started(server.client(), &request).await;
    in_flight(server.client(), &id).await;
    server.kill9();
    TestServer::run_until_killed(db.url(), &armed(point));
    go_on(db, request, &expected).await;
}

async fn started(client: &Client, request: &Value) -> String {
    let payload = client.start_batch(request.clone()).await;
    payload["batch"]["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

async fn in_flight(client: &Client, id: &str) {
    let in_mentions = |event: &Value| {
        let stage = event["stage"].as_str().unwrap_or_default();
        kind(event) == "StageProgress" && stage.eq_ignore_ascii_case("MENTIONS")
    };
    client.wait_for(id, in_mentions).await;
}

/// A cancel that was recorded holds; one that was not can be sent again.
async fn cancel(db: &TestDatabase, point: &str) {
    let request = request(&[slow()]);
    let server = TestServer::start_with(db.url(), &armed(point));
    let id = started(server.client(), &request).await;
    in_flight(server.client(), &id).await;
    server.client().try_steer("cancelBatch", &id).await;
    server.wait_until_killed();
    knowledge_tests::verify(db).await;

    let server = TestServer::start_with(db.url(), FAULTY);
    if point == "cancel_before_commit" {
        assert_ne!(server.client().batch(&id).await["stage"], "CANCELLED");
    } else {
        assert_eq!(server.client().batch(&id).await["stage"], "CANCELLED");
    }
    assert_eq!(
        server.client().cancel(&id).await["__typename"],
        "BatchSuccess"
    );
    assert_eq!(server.client().ended(&id).await["stage"], "CANCELLED");
    assert_event_log(&server.client().events_over_websocket(&id, 0).await);
    assert!(server.terminate().success());
    knowledge_tests::verify(db).await;
}

/// A retry that was recorded is carried out; one that was not can be sent again.
async fn retry(db: &TestDatabase, point: &str) {
    let request = json!({ "documents": [document(0), empty_document()] });
    let server = TestServer::start_with(db.url(), &armed(point));
    let id = started(server.client(), &request).await;
    let before = server.client().ended(&id).await;
    server.client().try_steer("retryFailedDocuments", &id).await;
    server.wait_until_killed();
    knowledge_tests::verify(db).await;

    let server = TestServer::start_with(db.url(), FAULTY);
    if point == "retry_before_commit" {
        assert_eq!(server.client().batch(&id).await, before);
        let retried = server.client().retry(&id).await;
        assert_eq!(retried["__typename"], "BatchSuccess", "{retried}");
    }
    let batch = server.client().ended(&id).await;
    assert_eq!(batch["stage"], "COMPLETED", "{batch}");
    assert_eq!(batch["documents"]["nodes"][1]["attempt"], 2, "{batch}");
    assert_event_log(&server.client().events_over_websocket(&id, 0).await);
    assert!(server.terminate().success());
    knowledge_tests::verify(db).await;
}

/// A server that is asked to stop while documents wait.
async fn stop(db: &TestDatabase, point: &str) {
    let request = request(&[slow(), document(0), document(1)]);
    let expected = undisturbed(&request).await;
    let server = TestServer::start_with(db.url(), &armed(point));
    let id = started(server.client(), &request).await;
    in_flight(server.client(), &id).await;
    server.signal("TERM");
    server.wait_until_killed();
    go_on(db, request, &expected).await;
}

/// A prune that dies can be run again, and takes nothing that counts.
async fn prune(db: &TestDatabase, point: &str) {
    let server = TestServer::start_with(db.url(), FAULTY);
    let id = started(server.client(), &request(&[document(0)])).await;
    server.client().ended(&id).await;
    assert!(server.terminate().success());
    let before = server::export(db.url(), &id);

    let arguments = ["prune", "--older-than", "0", "--database", db.url()];
    let died = server::run_with(&arguments, &armed(point));
    assert_eq!(died.status.signal(), Some(9), "{died:?}");
    knowledge_tests::verify(db).await;
    assert!(server::run(&arguments).status.success());
    knowledge_tests::verify(db).await;
    assert_eq!(server::export(db.url(), &id), before);
}

#[test]
fn an_unknown_point_is_refused() {
    let output = server::run_with(&["schema"], &armed("nowhere"));
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("`nowhere`"), "{complaint}");
}
