//! Processes that end or stop at a failure point, and what must hold of their batches after.

mod scenarios;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use scenarios::{die_at, needs_a_scenario};

use crate::{
    Client, TestDatabase, TestServer,
    documents::document,
    events::{assert_event_log, tally},
    server,
};

/// The settings under which documents say what fails, and waits are short.
pub const FAULTY: &[(&str, &str)] = &[
    ("KNOWLEDGE_FAULTS", "text"),
    ("KNOWLEDGE_ACTIVITY_BACKOFF_MS", "50"),
    ("KNOWLEDGE_ACTIVITY_MAX_RETRIES", "1"),
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

/// What a request comes to when nothing disturbs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// See [`outcome`].
    pub outcome: Value,
    /// See [`tally`].
    pub events: BTreeMap<String, u32>,
    /// The exported graph.
    pub export: String,
}

impl Expected {
    /// Checks an ended batch on a server that runs.
    ///
    /// # Panics
    /// When it ended otherwise, or its log of events is not as promised.
    pub async fn check(&self, client: &Client, id: &str) {
        assert_eq!(outcome(&client.ended(id).await), self.outcome);
        let events = client.events_over_websocket(id, 0).await;
        assert_event_log(&events);
        assert_eq!(tally(&events), self.events);
    }

    /// Checks the graph, before another batch gives its entities another face.
    ///
    /// # Panics
    /// When it is another.
    pub fn check_export(&self, db: &TestDatabase, id: &str) {
        assert_eq!(server::export(db.url(), id), self.export);
    }

    /// Checks what is left of the batch when no server runs.
    ///
    /// # Panics
    /// When the graph is another, or the database breaks a promise.
    pub async fn check_database(&self, db: &TestDatabase, id: &str) {
        self.check_export(db, id);
        crate::verify(db).await;
    }
}

/// Runs a request that nothing disturbs, on a SQLite database; with the failed documents tried
/// again, where `retried`.
///
/// # Panics
/// When the batch does not end.
pub async fn undisturbed(input: &Value, retried: bool) -> Expected {
    let db = TestDatabase::create(crate::Backend::Sqlite).expect("SQLite is always there");
    let server = TestServer::start_with(db.url(), FAULTY);
    let client = server.client();
    let payload = client.start_batch(input.clone()).await;
    let id = payload["batch"]["id"].as_str().unwrap_or_default();
    let mut batch = client.ended(id).await;
    if retried {
        client.retry(id).await;
        batch = client.ended(id).await;
    }
    let events = client.events_over_websocket(id, 0).await;
    drop(server);
    Expected {
        outcome: outcome(&batch),
        events: tally(&events),
        export: server::export(db.url(), id),
    }
}
