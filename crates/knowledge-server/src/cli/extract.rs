//! `knowledge extract`: one batch from files and folders, in this process.

use std::{path::Path, time::Duration};

use anyhow::{Context, bail};
use knowledge_domain::{
    batch::{BatchOptions, BatchStage, Extractor},
    ids::{BatchId, OrganizationId},
};
use sha2::{Digest, Sha256};

use super::{
    Ended,
    args::{Extract, ExtractorArg, Format},
    export, inputs, serve, watch,
};
use crate::{
    app::App,
    config::Config,
    orchestrator::{NewDocument, StartBatch},
    store::read::BatchView,
    text::hex,
};

/// How long documents in flight may take to finish after Ctrl-C; they are resumed anyway.
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);

/// How long until another process's lease is looked at again.
const LEASE_RECHECK: Duration = Duration::from_secs(1);

pub(super) async fn run(command: Extract, config: Config) -> anyhow::Result<Ended> {
    let format = check(&command)?;
    if let Some(out) = command.out.as_deref() {
        export::check(out)?;
    }
    let documents = inputs::read(&command.paths)?;
    let start = request(&command, documents);
    let mut signals = serve::Signals::catch()?;
    let app = App::open(&config).await?;
    app.orchestrator.keep_leases();
    let batch = app
        .orchestrator
        .start(OrganizationId::DEFAULT, start)
        .await?;
    tokio::select! {
        watched = run_to_end(&app, batch) => watched?,
        () = signals.next() => {
            app.orchestrator.drain(DRAIN_PATIENCE).await;
            bail!("interrupted; run the same command again to go on where {batch} is");
        }
    }
    app.orchestrator.drain(DRAIN_PATIENCE).await;
    let view = view(&app, batch).await?;
    finish(&app, &view, format, &command).await
}

fn check(command: &Extract) -> anyhow::Result<Format> {
    if let Some(path) = &command.ontology {
        bail!(
            "--ontology {} is not available in this release; without it the core types are used",
            path.display()
        );
    }
    match (command.format, command.out.as_deref()) {
        (Some(format), _) => Ok(format),
        (None, None) => Ok(Format::Json),
        (None, Some(path)) => by_ending(path),
    }
}

fn by_ending(path: &Path) -> anyhow::Result<Format> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Ok(Format::Json),
        _ => bail!(
            "{} has an ending that names no format; use .json or --format",
            path.display()
        ),
    }
}

/// The same arguments give the same request, so that running again resumes.
fn request(command: &Extract, documents: Vec<NewDocument>) -> StartBatch {
    let options = BatchOptions {
        concurrency: command.concurrency,
        failure_policy: command.failure_policy.map(Into::into),
        max_retries: command.max_retries,
        enable_entity_resolution: command.no_resolution.then_some(false),
        extractor: command.extractor.map(ExtractorArg::into),
        token_budget: None,
    };
    let mut hasher = Sha256::new();
    hasher.update(format!("{options:?}"));
    for document in &documents {
        for part in [&document.name, &document.text] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hasher.update(document.source_uri.as_deref().unwrap_or_default());
    }
    StartBatch {
        documents,
        ontology_id: None,
        options,
        idempotency_key: Some(format!("extract:{}", hex(&hasher.finalize()))),
    }
}

/// Watches the batch to its end, taking it over where an earlier process left it.
async fn run_to_end(app: &App, batch: BatchId) -> anyhow::Result<()> {
    let adopt = async {
        loop {
            let alone = app.is_alone();
            let adopted = app
                .orchestrator
                .resume(OrganizationId::DEFAULT, batch, alone)
                .await;
            match adopted {
                Ok(_) => tokio::time::sleep(LEASE_RECHECK).await,
                Err(error) => return error,
            }
        }
    };
    tokio::select! {
        watched = watch::to_end(app, batch) => watched,
        error = adopt => Err(error.into()),
    }
}

async fn view(app: &App, batch: BatchId) -> anyhow::Result<BatchView> {
    let reads = app.store.reads(OrganizationId::DEFAULT);
    reads
        .batch(batch)
        .await?
        .with_context(|| format!("{batch} is gone"))
}

async fn finish(
    app: &App,
    batch: &BatchView,
    format: Format,
    command: &Extract,
) -> anyhow::Result<Ended> {
    if batch.stage != BatchStage::Completed {
        let error = batch.error.as_deref().unwrap_or("it was cancelled");
        bail!("{} is {}: {error}", batch.id, batch.stage);
    }
    let out = command.out.as_deref();
    export::write(&app.store, Some(batch.id), format, out).await?;
    if command.json && out.is_some() {
        super::print(&format!("{}\n", totals(batch)))?;
    }
    super::tell(&format!(
        "{}: {} of {} documents, {} entities, {} relations",
        batch.id,
        batch.completed_documents,
        batch.total_documents,
        batch.entity_count,
        batch.relation_count
    ));
    if batch.failed_documents + batch.skipped_documents > 0 {
        super::tell(&format!(
            "{} documents failed; the graph names them",
            batch.failed_documents
        ));
        return Ok(Ended::SomeDocumentsFailed);
    }
    Ok(Ended::Done)
}

fn totals(batch: &BatchView) -> serde_json::Value {
    serde_json::json!({
        "batchId": batch.id,
        "stage": batch.stage,
        "extractor": Extractor::to_string(&batch.extractor),
        "totalDocuments": batch.total_documents,
        "completedDocuments": batch.completed_documents,
        "failedDocuments": batch.failed_documents,
        "skippedDocuments": batch.skipped_documents,
        "entityCount": batch.entity_count,
        "relationCount": batch.relation_count,
    })
}
