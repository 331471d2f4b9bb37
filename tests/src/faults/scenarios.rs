//! What leads a server to each failure point, and what must hold after.

use std::os::unix::process::ExitStatusExt;

use knowledge_server::faults::FailurePoint;
use serde_json::{Value, json};

use super::{Expected, FAULTY, armed, faulty_document, undisturbed};
use crate::{
    Client, TestDatabase, TestServer,
    documents::{document, empty_document},
    events::{assert_event_log, kind},
    rows::{assert_kept, completed_activities},
    server,
    storm::Bodies,
};

/// Whether a point is reached by what no batch does of itself: steering, a drain, a prune.
#[must_use]
pub fn needs_a_scenario(point: FailurePoint) -> bool {
    use FailurePoint as At;
    matches!(
        point,
        At::CancelBeforeCommit
            | At::CancelAfterCommit
            | At::RetryBeforeCommit
            | At::RetryAfterCommit
            | At::ReleaseBeforeCommit
            | At::ReleaseAfterCommit
            | At::PruneBeforeCommit
            | At::PruneAfterCommit
    )
}

/// Has a server die at the point, and checks that another goes on as if nothing had happened.
///
/// # Panics
/// When the point is not reached, or something was lost or done twice.
pub async fn die_at(db: &TestDatabase, point: FailurePoint) {
    use FailurePoint as At;
    let name = point.to_string();
    match point {
        At::HeartbeatBeforeCommit | At::HeartbeatAfterCommit => run_slowly(db, &name).await,
        At::TakeoverBeforeCommit
        | At::TakeoverAfterCommit
        | At::ResumeBeforeCommit
        | At::ResumeAfterCommit => take_over(db, &name).await,
        At::CancelBeforeCommit | At::CancelAfterCommit => cancel(db, &name).await,
        At::RetryBeforeCommit | At::RetryAfterCommit => retry(db, &name).await,
        At::ReleaseBeforeCommit | At::ReleaseAfterCommit => stop(db, &name).await,
        At::PruneBeforeCommit | At::PruneAfterCommit => prune(db, &name).await,
        _ => run(db, &name).await,
    }
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

/// A document that lasts until its server has been killed.
fn slower() -> Value {
    faulty_document(2, &["mentions/0 slow 5000"])
}

/// A document that is not done before it is cancelled.
fn endless() -> Value {
    faulty_document(2, &["mentions/0 slow 50000"])
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
    let expected = undisturbed(&request, false).await;
    let mut bodies = Bodies::new(db);
    // A server that dies by itself may do so before it listens.
    if let Some(server) = TestServer::try_start(db.url(), &bodies.watched(&armed(point))) {
        server.client().try_start_batch(request.clone()).await;
        server.wait_until_killed();
    }
    bodies.killed(db).await;
    go_on(db, request, &expected, &bodies).await;
}

/// Sends the request again to another server, which ends it as if nothing had happened.
async fn go_on(db: &TestDatabase, request: Value, expected: &Expected, bodies: &Bodies) {
    crate::verify(db).await;
    let before = completed_activities(db).await;
    let server = TestServer::start_with(db.url(), &bodies.watched(FAULTY));
    let payload = server.client().start_batch(request).await;
    let id = payload["batch"]["id"].as_str().unwrap_or_default();
    expected.check(server.client(), id).await;
    assert!(server.terminate().success());
    assert_kept(&before, &completed_activities(db).await);
    expected.check_database(db, id).await;
    bodies.count();
}

/// A batch of slow documents is left by a server that is killed; the next one dies at the point.
async fn take_over(db: &TestDatabase, point: &str) {
    let request = request(&[slower()]);
    let expected = undisturbed(&request, false).await;
    let mut bodies = Bodies::new(db);
    let server = TestServer::start_with(db.url(), &bodies.watched(FAULTY));
    let id = started(server.client(), &request).await;
    in_flight(server.client(), &id).await;
    server.kill9();
    bodies.killed(db).await;
    TestServer::run_until_killed(db.url(), &bodies.watched(&armed(point)));
    bodies.killed(db).await;
    go_on(db, request, &expected, &bodies).await;
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
    let request = request(&[endless()]);
    let server = TestServer::start_with(db.url(), &armed(point));
    let id = started(server.client(), &request).await;
    in_flight(server.client(), &id).await;
    server.client().try_steer("cancelBatch", &id).await;
    server.wait_until_killed();
    crate::verify(db).await;

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
    crate::verify(db).await;
}

/// A retry that was recorded is carried out; one that was not can be sent again.
async fn retry(db: &TestDatabase, point: &str) {
    let request = json!({ "documents": [document(0), empty_document()] });
    let server = TestServer::start_with(db.url(), &armed(point));
    let id = started(server.client(), &request).await;
    let before = server.client().ended(&id).await;
    server.client().try_steer("retryFailedDocuments", &id).await;
    server.wait_until_killed();
    crate::verify(db).await;

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
    crate::verify(db).await;
}

/// A server that is asked to stop while documents wait.
async fn stop(db: &TestDatabase, point: &str) {
    let request = request(&[slow(), document(0), document(1)]);
    let expected = undisturbed(&request, false).await;
    let mut bodies = Bodies::new(db);
    let server = TestServer::start_with(db.url(), &bodies.watched(&armed(point)));
    let id = started(server.client(), &request).await;
    in_flight(server.client(), &id).await;
    server.signal("TERM");
    server.wait_until_killed();
    bodies.killed(db).await;
    go_on(db, request, &expected, &bodies).await;
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
    crate::verify(db).await;
    assert!(server::run(&arguments).status.success());
    crate::verify(db).await;
    assert_eq!(server::export(db.url(), &id), before);
}
