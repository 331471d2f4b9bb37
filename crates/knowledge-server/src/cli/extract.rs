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
    args::{Extract, Format},
    export, inputs, serve, watch,
};
use crate::{
    app::App,
    config::Config,
    orchestrator::{BatchEstimate, NewDocument, StartBatch, StartBatchError},
    store::{ledger::Raised, read::BatchView},
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
    let start = request(&command, documents, &config);
    let mut signals = serve::Signals::catch()?;
    let app = App::open(&config).await?;
    if command.dry_run {
        return dry_run(&app, start, command.json).await;
    }
    app.orchestrator.keep_leases();
    let batch = begin(&app, start).await?;
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

/// Starts the batch, or goes on with the one that the same arguments have started; a larger budget
/// is that one's from now on.
async fn begin(app: &App, start: StartBatch) -> anyhow::Result<BatchId> {
    let budget = start.options.token_budget;
    let started = app.orchestrator.start(OrganizationId::DEFAULT, start).await;
    let (batch, budget) = match (started, budget) {
        // All else is part of the key.
        (Err(StartBatchError::IdempotencyConflict { batch_id }), Some(budget)) => {
            (batch_id, budget)
        }
        (started, _) => return Ok(started?),
    };
    let budget = u64::try_from(budget).context("--token-budget is negative")?;
    let raised = app
        .orchestrator
        .raise_token_budget(OrganizationId::DEFAULT, batch, budget);
    match raised.await? {
        Raised::Raised => super::tell(&format!("{batch} goes on with {budget} tokens")),
        Raised::Enough(Some(more)) if more > budget => super::tell(&format!(
            "{batch} keeps its budget of {more} tokens: one is raised, and never lowered"
        )),
        Raised::Enough(_) => {}
    }
    Ok(batch)
}

/// Says what a model would be asked, and asks nothing.
async fn dry_run(app: &App, start: StartBatch, json: bool) -> anyhow::Result<Ended> {
    let estimated = app.orchestrator.estimate(OrganizationId::DEFAULT, start);
    let estimate = estimated.await?;
    if json {
        super::print(&format!("{}\n", as_json(&estimate)))?;
        return Ok(Ended::Done);
    }
    super::print(&in_words(&estimate))?;
    Ok(Ended::Done)
}

fn in_words(estimate: &BatchEstimate) -> String {
    let planned = estimate.extraction;
    let extraction = match &estimate.model {
        None if estimate.vectors.is_none() => "no model is asked".to_owned(),
        None => "no model extracts from them".to_owned(),
        Some(model) => format!(
            "{} chunks: {} calls of {model}, about {} tokens, {}",
            planned.chunks,
            planned.calls,
            planned.usage.total(),
            cost(planned.cost_micro_usd)
        ),
    };
    let vectors = estimate.vectors.as_ref().map(|vectors| {
        format!(
            "meanings of names: {} calls of {} for about {} vectors, about {} tokens, {}\n",
            vectors.calls,
            vectors.model,
            vectors.vectors,
            vectors.tokens,
            cost(vectors.cost_micro_usd)
        )
    });
    let documents = planned.documents;
    format!(
        "{documents} documents, {extraction}\n{}",
        vectors.unwrap_or_default()
    )
}

fn cost(micro_usd: Option<u64>) -> String {
    match micro_usd {
        Some(cost) => format!("about {:.4} USD", cost as f64 / 1_000_000.0),
        None => "no price is known; set llm_prices in knowledge.toml".to_owned(),
    }
}

fn as_json(estimate: &BatchEstimate) -> serde_json::Value {
    let planned = estimate.extraction;
    let vectors = estimate.vectors.as_ref().map(|vectors| {
        serde_json::json!({
            "model": vectors.model,
            "calls": vectors.calls,
            "vectors": vectors.vectors,
            "tokens": vectors.tokens,
            "costMicroUsd": vectors.cost_micro_usd,
        })
    });
    serde_json::json!({
        "model": estimate.model,
        "documents": planned.documents,
        "chunks": planned.chunks,
        "calls": planned.calls,
        "promptTokens": planned.usage.prompt_tokens,
        "completionTokens": planned.usage.completion_tokens,
        "costMicroUsd": planned.cost_micro_usd,
        "vectors": vectors,
    })
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

/// The same arguments give the same request, so that running again resumes. Another model is
/// another request: what it would find is not what the first has found.
fn request(command: &Extract, documents: Vec<NewDocument>, config: &Config) -> StartBatch {
    let options = BatchOptions::from(&command.options);
    let mut hasher = Sha256::new();
    // How large a budget is can change while a batch waits for it; whether there is one cannot.
    let named = BatchOptions {
        token_budget: options.token_budget.map(|_| 0),
        ..options.clone()
    };
    hasher.update(format!("{named:?}"));
    if options.extractor.unwrap_or(config.default_extractor()) == Extractor::Llm {
        let model = config.llm().map(|llm| llm.primary.model);
        hasher.update(format!("{model:?}"));
    }
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
        super::print(&format!("{}\n", totals(app, batch).await?))?;
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

async fn totals(app: &App, batch: &BatchView) -> anyhow::Result<serde_json::Value> {
    let reads = app.store.reads(OrganizationId::DEFAULT);
    let (account, findings) = (
        reads.account(batch.id).await?,
        reads.findings(batch.id).await?,
    );
    let missing = findings.missing.iter().map(|(document, missing)| {
        serde_json::json!({
            "document": document,
            "unit": missing.unit,
            "reason": missing.reason,
        })
    });
    Ok(serde_json::json!({
        "batchId": batch.id,
        "stage": batch.stage,
        "extractor": Extractor::to_string(&batch.extractor),
        "totalDocuments": batch.total_documents,
        "completedDocuments": batch.completed_documents,
        "failedDocuments": batch.failed_documents,
        "skippedDocuments": batch.skipped_documents,
        "entityCount": batch.entity_count,
        "relationCount": batch.relation_count,
        "tokensUsed": batch.tokens_used,
        "tokensPaid": account.totals.tokens,
        "costMicroUsd": account.totals.cost_micro_usd,
        "rejections": findings.rejections,
        "missing": missing.collect::<Vec<_>>(),
    }))
}
