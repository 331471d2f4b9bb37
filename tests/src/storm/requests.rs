//! What the storm runs: one request per policy, with documents that fail in every way.

use serde_json::{Value, json};

use crate::{
    TestDatabase, TestServer,
    documents::{document, empty_document, text},
    faults::{FAULTY, faulty_document, outcome},
    server,
};

/// A request with what becomes of it when nothing disturbs it.
pub(super) struct Request {
    pub(super) name: &'static str,
    pub(super) input: Value,
    /// A document whose failure a second run mends, which the client asks for.
    pub(super) retried: Option<&'static str>,
    pub(super) outcome: Value,
    pub(super) export: String,
}

/// The requests, each run once to its end.
pub(super) async fn all() -> Vec<Request> {
    let mut requests = vec![
        request(
            "continue-on-failure",
            "CONTINUE_ON_FAILURE",
            3,
            &failing("flaky"),
        ),
        request("retry-failed", "RETRY_FAILED", 3, &failing("slow")),
        request("abort-all", "ABORT_ALL", 1, &aborting()),
    ];
    requests[0].retried = Some("faulty-011.txt");
    for request in &mut requests {
        run_undisturbed(request).await;
    }
    requests
}

fn request(name: &'static str, policy: &str, concurrency: u32, documents: &[Value]) -> Request {
    Request {
        name,
        input: json!({
            "documents": documents,
            "config": { "failurePolicy": policy, "concurrency": concurrency, "maxRetries": 2 },
            "idempotencyKey": name,
        }),
        retried: None,
        outcome: Value::Null,
        export: String::new(),
    }
}

fn long_document(index: usize) -> Value {
    json!({ "name": format!("report-{index:03}.txt"), "text": text(index, 24) })
}

/// A document whose units are in flight for so long that a kill meets them.
fn slow_document(index: usize) -> Value {
    let slow = [
        "mentions/0 slow 150",
        "entities/0 slow 150",
        "relations/0 slow 150",
    ];
    faulty_document(index, &slow)
}

/// Documents that succeed, fail once, always, and for good. `flaky` ones fail in their first
/// attempt, unless a kill meets that: where the activity's retries hide it, the outcome is the same.
fn failing(flaky: &str) -> Vec<Value> {
    let flaky = format!("mentions/0 {flaky} 1");
    vec![
        long_document(0),
        document(1),
        faulty_document(10, &[&flaky, "mentions/0 slow 40"]),
        faulty_document(11, &["mentions/0 retryable 1"]),
        long_document(2),
        faulty_document(12, &["entities/0 retryable 99"]),
        empty_document(),
        faulty_document(13, &["relations/0 permanent 99", "entities/0 slow 40"]),
        document(3),
        slow_document(14),
        slow_document(17),
        slow_document(18),
    ]
}

/// Documents of which one ends the batch. They run one after the other, so that those before it
/// have always completed and those after it never begun.
fn aborting() -> Vec<Value> {
    vec![
        document(0),
        long_document(1),
        faulty_document(15, &["mentions/0 flaky 1", "relations/0 slow 100"]),
        slow_document(17),
        document(2),
        faulty_document(16, &["relations/0 permanent 99"]),
        document(3),
        document(4),
    ]
}

async fn run_undisturbed(request: &mut Request) {
    let db = TestDatabase::create(crate::Backend::Sqlite).expect("SQLite is always there");
    let server = TestServer::start_with(db.url(), FAULTY);
    let payload = server.client().start_batch(request.input.clone()).await;
    let id = payload["batch"]["id"].as_str().unwrap_or_default();
    let mut batch = server.client().ended(id).await;
    if request.retried.is_some() {
        server.client().retry(id).await;
        batch = server.client().ended(id).await;
    }
    request.outcome = outcome(&batch);
    drop(server);
    request.export = server::export(db.url(), id);
}
