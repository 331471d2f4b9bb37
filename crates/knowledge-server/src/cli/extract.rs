//! `knowledge extract`: one batch from files and folders, in this process.

use std::time::Duration;

use anyhow::{Context, bail};
use knowledge_domain::{
    batch::{BatchOptions, BatchStage, Extractor},
    ids::BatchId,
};
use sha2::{Digest, Sha256};

use super::{
    Ended,
    args::Extract,
    destination::Destination,
    dry_run, export, inputs,
    local::Local,
    ontology,
    serve::{self, Signals},
    watch,
};
use crate::{
    config::Config,
    export::Format,
    ontologies::CheckedOntology,
    orchestrator::{NewDocument, StartBatch, StartBatchError, SteerError},
    store::{ledger::Raised, read::BatchView},
    text::{chain, hex},
};

/// How long documents in flight may take to finish after Ctrl-C; they are resumed anyway.
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);

/// How long until another process's lease is looked at again.
const LEASE_RECHECK: Duration = Duration::from_secs(1);

pub(super) async fn run(command: Extract, config: Config) -> anyhow::Result<Ended> {
    let ontology = command
        .ontology
        .as_deref()
        .map(ontology::read)
        .transpose()?;
    let out = Destination::of(command.out.as_deref())?;
    let format = export::format_of(command.format, command.out.as_deref(), &out)?;
    let documents = inputs::read(&command.paths)?;
    let start = request(&command, documents, ontology.as_ref(), &config);
    let signals = serve::Signals::catch()?;
    let local = Local::open(&config, &command.organization).await?;
    let ended = if command.dry_run {
        let ontology = ontology.map(|ontology| ontology.document().ontology.clone());
        dry_run::run(&local, start, ontology, command.json).await
    } else {
        let registered = register(&local, start, ontology).await;
        match registered {
            Ok(start) => extract(&local, start, signals, &command, format, &out).await,
            Err(error) => Err(error),
        }
    };
    local.app.close().await;
    ended
}

/// The request with its ontology, which is registered.
async fn register(
    local: &Local,
    start: StartBatch,
    ontology: Option<CheckedOntology>,
) -> anyhow::Result<StartBatch> {
    let Some(ontology) = ontology else {
        return Ok(start);
    };
    let registered = local
        .app
        .orchestrator
        .register_ontology(local.organization, ontology);
    Ok(StartBatch {
        ontology_id: Some(registered.await?),
        ..start
    })
}

async fn extract(
    local: &Local,
    start: StartBatch,
    mut signals: Signals,
    command: &Extract,
    format: Format,
    out: &Destination,
) -> anyhow::Result<Ended> {
    local.app.orchestrator.keep_leases();
    let batch = begin(local, start).await?;
    if command.retry {
        retry(local, batch).await?;
    }
    tokio::select! {
        watched = run_to_end(local, batch) => watched?,
        () = signals.next() => {
            local.app.orchestrator.drain(DRAIN_PATIENCE).await;
            bail!("interrupted; run the same command again to go on where {batch} is");
        }
    }
    local.app.orchestrator.drain(DRAIN_PATIENCE).await;
    let view = view(local, batch).await?;
    let exported = export::write(local.source(), ended(&view)?, format, out);
    let (exported, carried) = tokio::join!(exported, local.app.store.carry_log_over());
    if let Err(error) = carried {
        // Whoever opens the database next does it.
        tracing::debug!("the log was not carried over: {}", chain(&error));
    }
    exported?;
    report(local, &view, command.json && *out != Destination::Standard).await
}

/// Tries again what an ended batch has no graph of. One that runs goes on, and one that lacks
/// nothing stays.
async fn retry(local: &Local, batch: BatchId) -> anyhow::Result<()> {
    let retried = local
        .app
        .orchestrator
        .retry_failed(local.organization, batch);
    match retried.await {
        Err(SteerError::InvalidStateTransition { .. }) => Ok(()),
        retried => Ok(retried?),
    }
}

/// Starts the batch, or goes on with the one that the same arguments have started; a larger budget
/// is that one's from now on.
async fn begin(local: &Local, start: StartBatch) -> anyhow::Result<BatchId> {
    let budget = start.options.token_budget;
    let started = local
        .app
        .orchestrator
        .start(local.organization, start)
        .await;
    let (batch, budget) = match (started, budget) {
        // All else is part of the key.
        (Err(StartBatchError::IdempotencyConflict { batch_id }), Some(budget)) => {
            (batch_id, budget)
        }
        (started, _) => return Ok(started?),
    };
    let budget = u64::try_from(budget).context("--token-budget is negative")?;
    let raised = local
        .app
        .orchestrator
        .raise_token_budget(local.organization, batch, budget);
    match raised.await? {
        Raised::Raised if view(local, batch).await?.stage.is_terminal() => super::tell(&format!(
            "{batch} has ended; with --retry its failed documents may use the {budget} tokens"
        )),
        Raised::Raised => super::tell(&format!("{batch} goes on with {budget} tokens")),
        Raised::Enough(Some(more)) if more > budget => super::tell(&format!(
            "{batch} keeps its budget of {more} tokens: one is raised, and never lowered"
        )),
        Raised::Enough(_) => {}
    }
    Ok(batch)
}

/// The same arguments give the same request, so that running again resumes. Another model is
/// another request: what it would find is not what the first has found.
fn request(
    command: &Extract,
    documents: Vec<NewDocument>,
    ontology: Option<&CheckedOntology>,
    config: &Config,
) -> StartBatch {
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
    if let Some(ontology) = ontology {
        hasher.update(ontology.content_hash());
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
async fn run_to_end(local: &Local, batch: BatchId) -> anyhow::Result<()> {
    let adopt = async {
        loop {
            let alone = local.app.is_alone();
            let adopted = local
                .app
                .orchestrator
                .resume(local.organization, batch, alone)
                .await;
            match adopted {
                Ok(_) => tokio::time::sleep(LEASE_RECHECK).await,
                Err(error) => return error,
            }
        }
    };
    tokio::select! {
        watched = watch::to_end(local, batch) => watched,
        error = adopt => Err(error.into()),
    }
}

async fn view(local: &Local, batch: BatchId) -> anyhow::Result<BatchView> {
    let reads = local.app.store.reads(local.organization);
    reads
        .batch(batch)
        .await?
        .with_context(|| format!("{batch} is gone"))
}

/// The batch whose graph there is.
fn ended(batch: &BatchView) -> anyhow::Result<Option<BatchId>> {
    let id = batch.id;
    let why = batch.error.as_deref();
    match batch.stage {
        BatchStage::Completed => Ok(Some(id)),
        BatchStage::Cancelled => bail!("{id} was cancelled"),
        stage => bail!(
            "{id} is {stage}: {}; the same command with --retry tries it again",
            why.unwrap_or("it does not say why")
        ),
    }
}

async fn report(local: &Local, batch: &BatchView, json: bool) -> anyhow::Result<Ended> {
    if json {
        super::print(&format!("{}\n", totals(local, batch).await?))?;
    }
    super::tell(&format!(
        "{}: {} of {} documents, {} entities, {} relations",
        batch.id,
        batch.completed_documents,
        batch.total_documents,
        batch.entity_count,
        batch.relation_count
    ));
    if batch.ontology.is_some() {
        tell_rejected(local, batch).await?;
    }
    let missing = batch.failed_documents + batch.skipped_documents;
    if missing == 0 {
        return Ok(Ended::Done);
    }
    super::tell(&format!(
        "{missing} documents failed or were skipped; the graph names them, and the same command \
         with --retry tries them again"
    ));
    Ok(Ended::SomeDocumentsFailed)
}

/// What was found and the ontology has no word for: it may be more than what is in the graph.
async fn tell_rejected(local: &Local, batch: &BatchView) -> anyhow::Result<()> {
    let reads = local.app.store.reads(local.organization);
    let rejections = reads.findings(batch.id).await?.rejections;
    let (types, predicates) = (rejections.unknown_types, rejections.unknown_predicates);
    let ends = rejections.domain_or_range;
    if types + predicates + ends > 0 {
        super::tell(&format!(
            "the ontology has no class for {types} names that were found and no property for \
             {predicates} relations; {ends} do not fit a domain or range"
        ));
    }
    Ok(())
}

async fn totals(local: &Local, batch: &BatchView) -> anyhow::Result<serde_json::Value> {
    let reads = local.app.store.reads(local.organization);
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
        "tokensCounted": account.totals.counted,
        "costMicroUsd": account.totals.cost_micro_usd,
        "rejections": findings.rejections,
        "missing": missing.collect::<Vec<_>>(),
    }))
}
