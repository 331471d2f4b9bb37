//! Processes that end or stop at a failure point, and what must hold of their batches after.

mod scenarios;

use serde_json::{Value, json};

pub use scenarios::{die_at, needs_a_scenario};

use crate::{TestDatabase, TestServer, documents::document, server};

/// The settings under which documents say what fails, and waits are short.
pub const FAULTY: &[(&str, &str)] = &[
    ("KNOWLEDGE_FAULTS", "text"),
    ("KNOWLEDGE_ACTIVITY_BACKOFF_MS", "50"),
    ("KNOWLEDGE_LEASE_SECONDS", "1"),
];

/// [`FAULTY`] with a failure point.
#[must_use]
pub fn armed(point: &str) -> Vec<(&str, &str)> {
    let mut environment = FAULTY.to_vec();
    environment.push(("KNOWLEDGE_FAILPOINT", point));
    environment
}

/// A document in which a unit fails, or is slow; see `faults/script.rs` of the server.
#[must_use]
pub fn faulty_document(index: usize, faults: &[&str]) -> Value {
    let mut document = document(index);
    let mut text = document["text"].as_str().unwrap_or_default().to_owned();
    for fault in faults {
        text.extend(["\nfault: ", fault, "\n"]);
    }
    document["name"] = json!(format!("faulty-{index:03}.txt"));
    document["text"] = json!(text);
    document
}

/// What must be the same of a batch whatever was killed: its outcome and that of its documents.
#[must_use]
pub fn outcome(batch: &Value) -> Value {
    const BATCH: [&str; 10] = [
        "stage",
        "failurePolicy",
        "progress",
        "totalDocuments",
        "completedDocuments",
        "failedDocuments",
        "skippedDocuments",
        "entityCount",
        "relationCount",
        "documents",
    ];
    const DOCUMENT: [&str; 7] = [
        "name",
        "status",
        "stage",
        "attempt",
        "error",
        "entityCount",
        "relationCount",
    ];
    let nodes = batch["documents"]["nodes"].as_array();
    let documents: Vec<Value> = nodes
        .into_iter()
        .flatten()
        .map(|document| only(document, &DOCUMENT))
        .collect();
    let mut outcome = only(batch, &BATCH);
    outcome["documents"] = json!(documents);
    outcome
}

fn only(value: &Value, fields: &[&str]) -> Value {
    let kept = fields
        .iter()
        .map(|field| ((*field).to_owned(), value[field].clone()));
    Value::Object(kept.collect())
}

/// Outcome and graph of a request from a run that nothing disturbed, on a SQLite database.
///
/// # Panics
/// When the batch does not end.
pub async fn undisturbed(input: &Value) -> (Value, String) {
    let db = TestDatabase::create(crate::Backend::Sqlite).expect("SQLite is always there");
    let server = TestServer::start_with(db.url(), FAULTY);
    let payload = server.client().start_batch(input.clone()).await;
    let id = payload["batch"]["id"].as_str().unwrap_or_default();
    let outcome = outcome(&server.client().ended(id).await);
    drop(server);
    (outcome, server::export(db.url(), id))
}
