//! What the storm runs: one request per policy, with documents that fail in every way.

use serde_json::{Value, json};

use crate::{
    documents::{document, empty_document, text},
    faults::{Expected, faulty_document, undisturbed},
};

/// A request with what becomes of it when nothing disturbs it.
pub(super) struct Request {
    pub(super) name: &'static str,
    pub(super) input: Value,
    /// A document whose failure a second run mends, which the client asks for.
    pub(super) retried: Option<&'static str>,
    pub(super) expected: Expected,
}

/// The requests, each run once to its end.
pub(super) async fn all() -> Vec<Request> {
    let config = |policy, concurrency| json!({ "failurePolicy": policy, "concurrency": concurrency, "maxRetries": 2 });
    let (continued, rounds) = (config("CONTINUE_ON_FAILURE", 3), config("RETRY_FAILED", 3));
    let retried = Some("faulty-011.txt");
    vec![
        request("continue-on-failure", continued, retried, &failing("flaky")).await,
        request("retry-failed", rounds, None, &failing("slow")).await,
        request("abort-all", config("ABORT_ALL", 1), None, &aborting()).await,
    ]
}

async fn request(
    name: &'static str,
    config: Value,
    retried: Option<&'static str>,
    documents: &[Value],
) -> Request {
    let input = json!({ "documents": documents, "config": config, "idempotencyKey": name });
    Request {
        name,
        expected: undisturbed(&input, retried.is_some()).await,
        input,
        retried,
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
