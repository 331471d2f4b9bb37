//! A database with a batch of every kind.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{sync::Arc, time::Duration};

use knowledge_domain::{
    batch::{BatchOptions, FailurePolicy},
    ids::{BatchId, OrganizationId},
};
use knowledge_server::{
    app::orchestrator,
    config::Config,
    orchestrator::{NewDocument, Orchestrator, StartBatch},
    progress::EventHub,
    store::Store,
};

use crate::{
    TestDatabase,
    documents::text,
    scripted::{Act, Script, ScriptedApp, batch_of, die_while_hanging},
};

/// The organisation that owns everything.
pub const ORG: OrganizationId = OrganizationId::DEFAULT;
const PATIENCE: Duration = Duration::from_mins(4);

/// A batch that runs one document at a time.
#[must_use]
pub fn batch(names: &[&str], policy: FailurePolicy) -> StartBatch {
    StartBatch {
        options: BatchOptions {
            failure_policy: Some(policy),
            concurrency: Some(1),
            ..BatchOptions::default()
        },
        ..batch_of(names)
    }
}

/// Waits until nothing runs a batch any more.
///
/// # Panics
/// When that takes longer than a minute.
pub async fn finished(orchestrator: &Orchestrator, batch: BatchId) {
    tokio::time::timeout(PATIENCE, orchestrator.wait(batch))
        .await
        .expect("the batch ends");
}

async fn run(app: &ScriptedApp, command: StartBatch) -> BatchId {
    let batch = app.orchestrator.start(ORG, command).await.unwrap();
    finished(&app.orchestrator, batch).await;
    batch
}

/// Every policy, with failures, retries, an abort, a cancel, crashes, relations, and one batch
/// whose process died and that nobody has taken over yet.
///
/// # Panics
/// When one of them cannot be run.
pub async fn every_kind_of_batch(db: &TestDatabase) {
    let store = db.open().await;
    scripted_batches(&store).await;
    cancelled_batch(&store).await;
    crashed_batch(db, &store, "crashed", true).await;
    batch_with_relations(&store).await;
    crashed_batch(db, &store, "left", false).await;
    store.close().await.unwrap();
}

async fn scripted_batches(store: &Store) {
    let script = Script::new()
        .with("fails", "mentions/1", &[Act::FailPermanent])
        .with("again", "entities/0", &[Act::FailRetryable])
        .with("culprit", "chunk/0", &[Act::FailPermanent])
        .with("once", "entities/1", &[Act::FailRetryable])
        .with("always", "mentions/2", &[Act::FailRetryable; 9]);
    let app = ScriptedApp::new(store.clone(), &Arc::new(script));
    let continued = batch(&["a", "fails", "again"], FailurePolicy::ContinueOnFailure);
    let continued = run(&app, continued).await;
    app.orchestrator.retry_failed(ORG, continued).await.unwrap();
    finished(&app.orchestrator, continued).await;
    run(
        &app,
        batch(&["b", "culprit", "c", "d"], FailurePolicy::AbortAll),
    )
    .await;
    let rounds = batch(&["once", "always", "good"], FailurePolicy::RetryFailed);
    run(&app, rounds).await;
    let mut unresolved = batch(&["e", "f"], FailurePolicy::ContinueOnFailure);
    unresolved.options.enable_entity_resolution = Some(false);
    run(&app, unresolved).await;
}

async fn cancelled_batch(store: &Store) {
    let script = Arc::new(Script::new().with("hangs", "mentions/0", &[Act::Hang]));
    let app = ScriptedApp::new(store.clone(), &script);
    let command = batch(&["g", "hangs", "h"], FailurePolicy::ContinueOnFailure);
    let cancelled = app.orchestrator.start(ORG, command).await.unwrap();
    script.hanging.notified().await;
    app.orchestrator.cancel(ORG, cancelled).await.unwrap();
    finished(&app.orchestrator, cancelled).await;
}

/// A batch whose process died in its second document.
async fn crashed_batch(db: &TestDatabase, store: &Store, name: &str, resumed: bool) {
    let script = Arc::new(Script::new().with(name, "mentions/1", &[Act::Hang]));
    let names = ["i", name, "j"];
    let command = batch(&names, FailurePolicy::ContinueOnFailure);
    let crashed = die_while_hanging(db.database_url(), &script, command).await;
    if resumed {
        let app = ScriptedApp::new(store.clone(), &script);
        app.orchestrator.recover(true).await.unwrap();
        finished(&app.orchestrator, crashed).await;
    }
}

async fn batch_with_relations(store: &Store) {
    let (orchestrator, batch) = real_batch(store, 3, 2).await;
    finished(&orchestrator, batch).await;
}

/// A batch of documents of so many paragraphs, run by the built-in extractor.
///
/// # Panics
/// When it cannot be started.
pub async fn real_batch(
    store: &Store,
    documents: usize,
    paragraphs: usize,
) -> (Orchestrator, BatchId) {
    let orchestrator = orchestrator(store, &EventHub::default(), &Config::default());
    let documents = (0..documents).map(|index| NewDocument {
        name: format!("note-{index}.txt"),
        text: text(index, paragraphs),
        source_uri: None,
        metadata: serde_json::json!({}),
    });
    let command = StartBatch {
        documents: documents.collect(),
        ..StartBatch::default()
    };
    let batch = orchestrator.start(ORG, command).await.unwrap();
    (orchestrator, batch)
}
