//! The parts of a process that runs batches, as the server puts them together.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use knowledge_domain::{
    batch::{BatchOptions, FailurePolicy},
    document::DocumentStatus,
    ids::OrganizationId,
    workflow::RetryPolicy,
};
use knowledge_server::{
    engine::{Workflows, legacy::LegacyExecutor},
    environment::{SystemClock, SystemEntropy},
    orchestrator::{NewDocument, Orchestrator, OrchestratorSettings, StartBatch},
    progress::EventHub,
    store::{DatabaseUrl, Store, ledger::Ledger},
};
use knowledge_tables::{batch_document, entity};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};

use crate::sample::{Latency, Meter, Sample};

/// The ledger of an empty database.
pub(crate) async fn ledger(url: &DatabaseUrl) -> Result<Ledger> {
    let store = Store::open(url).await?;
    let hub = EventHub::default();
    Ok(Ledger::new(
        store,
        hub,
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    ))
}

/// An orchestrator that runs these workflows on the built-in engine.
pub(crate) fn orchestrator(ledger: &Ledger, workflows: Arc<dyn Workflows>) -> Orchestrator {
    let executor = LegacyExecutor::new(ledger.clone(), workflows, RetryPolicy::default());
    let settings = OrchestratorSettings::default();
    let orchestrator = Orchestrator::new(ledger.clone(), Arc::new(executor), settings);
    orchestrator.keep_leases();
    orchestrator
}

/// A batch of texts, `concurrency` at a time.
pub(crate) fn batch(texts: Vec<String>, concurrency: u32, resolve: bool) -> StartBatch {
    let documents = texts.into_iter().enumerate();
    StartBatch {
        documents: documents
            .map(|(index, text)| NewDocument {
                name: format!("document-{index:05}.txt"),
                text,
                source_uri: None,
                metadata: serde_json::json!({}),
            })
            .collect(),
        options: BatchOptions {
            concurrency: Some(concurrency.into()),
            failure_policy: Some(FailurePolicy::ContinueOnFailure),
            enable_entity_resolution: Some(resolve),
            ..BatchOptions::default()
        },
        ..StartBatch::default()
    }
}

/// Runs a batch from its start to its end.
pub(crate) async fn run(
    ledger: &Ledger,
    workflows: Arc<dyn Workflows>,
    command: StartBatch,
) -> Result<Sample> {
    let documents = command.documents.len() as u64;
    let orchestrator = orchestrator(ledger, workflows);
    let mut meter = Meter::start()?;
    let batch = orchestrator.start(OrganizationId::DEFAULT, command).await?;
    meter.accepted()?;
    orchestrator.wait(batch).await;
    let mut sample = meter.stop()?;
    let completed = completed(ledger.store()).await?;
    ensure!(
        completed == documents,
        "{completed} of {documents} documents completed"
    );
    sample.workflow = workflow_times(ledger.store()).await?;
    sample.entities = entities(ledger.store()).await?;
    Ok(sample)
}

async fn completed(store: &Store) -> Result<u64> {
    let status = DocumentStatus::Completed.to_string();
    let completed = batch_document::Entity::find();
    let completed = completed.filter(batch_document::Column::Status.eq(status));
    Ok(completed.count(store.read()).await?)
}

/// How many entities are stored.
pub(crate) async fn entities(store: &Store) -> Result<u64> {
    Ok(entity::Entity::find().count(store.read()).await?)
}

/// From each document's turn to its outcome, as the database has it.
async fn workflow_times(store: &Store) -> Result<Latency> {
    type Times = (sea_orm::prelude::DateTimeUtc, sea_orm::prelude::DateTimeUtc);
    let rows: Vec<Times> = batch_document::Entity::find()
        .select_only()
        .column(batch_document::Column::StartedAt)
        .column(batch_document::Column::CompletedAt)
        .into_tuple()
        .all(store.read())
        .await
        .context("a completed document without its times")?;
    let spent = rows.into_iter().map(|(begun, ended)| ended - begun);
    Ok(Latency::of(
        spent
            .map(|spent| spent.to_std().unwrap_or_default())
            .collect(),
    ))
}
