//! `knowledge batch`: batches of a running server, through its API.

mod api;
mod follow;
mod show;
mod sse;

use std::fmt;

use anyhow::bail;
use knowledge_domain::{
    batch::{BatchOptions, BatchStage},
    ids::BatchId,
};
use serde_json::{Value, json};

use self::{api::Api, follow::follow};
use super::{
    Ended,
    args::{BatchArguments, BatchCommand, BatchStart},
    inputs, ontology, print, tell,
};
use crate::orchestrator::NewDocument;

pub(super) async fn run(arguments: BatchArguments) -> anyhow::Result<Ended> {
    let api = Api::new(&arguments.server)?;
    match arguments.command {
        BatchCommand::Start(command) => start(&api, command).await,
        BatchCommand::Status { batch, json } => {
            report(&api.batch(batch).await?, json)?;
            Ok(Ended::Done)
        }
        BatchCommand::Watch { batch, json } => watch(&api, batch, json).await,
        BatchCommand::Cancel { batch, json } => {
            report(&api.cancel(batch).await?, json)?;
            Ok(Ended::Done)
        }
        BatchCommand::Raise {
            batch,
            token_budget,
            json,
        } => {
            raise(&api, batch, token_budget, json).await?;
            Ok(Ended::Done)
        }
        BatchCommand::Retry { batch, watch, json } => {
            let changed = api.retry(batch).await?;
            go_on(&api, &changed, watch, json).await
        }
        BatchCommand::Parity { batch, json } => parity(&api, batch, json).await,
        BatchCommand::List { stage, limit, json } => {
            list(&api, stage.map(BatchStage::from), limit, json).await?;
            Ok(Ended::Done)
        }
    }
}

async fn start(api: &Api, command: BatchStart) -> anyhow::Result<Ended> {
    let documents = inputs::read(&command.paths)?;
    let ontology_id = match &command.ontology {
        Some(path) => Some(api.register(ontology::read(path)?.into_request()).await?),
        None => command.ontology_id.clone(),
    };
    let batch = api
        .start(&request(&command, documents, ontology_id.as_deref()))
        .await?;
    go_on(api, &batch, command.watch, command.json).await
}

/// Says what the batch is now, or watches it to its end.
async fn go_on(api: &Api, batch: &Value, watched: bool, json: bool) -> anyhow::Result<Ended> {
    if !watched {
        report(batch, json)?;
        return Ok(Ended::Done);
    }
    watch(api, api::id_of(batch)?, json).await
}

/// A request as `startBatch` takes it; what is not said is left out.
fn request(command: &BatchStart, documents: Vec<NewDocument>, ontology_id: Option<&str>) -> Value {
    let documents: Vec<Value> = documents
        .into_iter()
        .map(|document| {
            json!({
                "name": document.name,
                "text": document.text,
                "sourceUri": document.source_uri,
                "metadata": document.metadata,
            })
        })
        .collect();
    let options = BatchOptions::from(&command.options);
    json!({
        "documents": documents,
        "ontologyId": ontology_id,
        "idempotencyKey": command.idempotency_key,
        "config": {
            "concurrency": options.concurrency,
            "failurePolicy": options.failure_policy.map(named),
            "maxRetries": options.max_retries,
            "enableEntityResolution": options.enable_entity_resolution,
            "extractor": options.extractor.map(named),
            "tokenBudget": options.token_budget,
            "strategy": options.strategy.map(named),
            "gleaningRounds": options.gleaning_rounds,
            "minimumCoverage": options.minimum_coverage,
        },
    })
}

/// A word as GraphQL writes it.
fn named(word: impl fmt::Display) -> String {
    word.to_string().replace('-', "_").to_uppercase()
}

async fn watch(api: &Api, batch: BatchId, json: bool) -> anyhow::Result<Ended> {
    follow(api, batch, json).await?;
    let ended = api.batch(batch).await?;
    if !json {
        tell(&show::outcome(&ended));
    }
    let count = |name: &str| ended[name].as_u64().unwrap_or_default();
    match ended["stage"].as_str() {
        Some("COMPLETED") if count("failedDocuments") + count("skippedDocuments") > 0 => {
            Ok(Ended::SomeDocumentsFailed)
        }
        Some("COMPLETED") => Ok(Ended::Done),
        Some("CANCELLED") => bail!("{batch} was cancelled"),
        _ => {
            let error = ended["error"]
                .as_str()
                .unwrap_or("the server does not say why");
            bail!("{batch} failed: {error}")
        }
    }
}

async fn parity(api: &Api, batch: BatchId, json: bool) -> anyhow::Result<Ended> {
    let report = api.parity(batch).await?;
    if json {
        print(&format!("{report}\n"))?;
    } else {
        print(&show::parity(&report))?;
    }
    match report["different"].as_u64().unwrap_or_default() {
        0 => Ok(Ended::Done),
        different => bail!("{different} documents of {batch} come to something else on workers"),
    }
}

async fn raise(api: &Api, batch: BatchId, budget: i64, json: bool) -> anyhow::Result<()> {
    let raised = api.raise(batch, budget).await?;
    report(&raised, json)?;
    if !raised["completedAt"].is_null() {
        tell(&format!(
            "{batch} has ended; `knowledge batch retry {batch}` tries its failed documents again"
        ));
    }
    Ok(())
}

async fn list(api: &Api, stage: Option<BatchStage>, limit: u32, json: bool) -> anyhow::Result<()> {
    for batch in api.batches(stage, limit).await? {
        if json {
            print(&format!("{batch}\n"))?;
        } else {
            print(&format!("{}\n", show::row(&batch)))?;
        }
    }
    Ok(())
}

fn report(batch: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        print(&format!("{batch}\n"))
    } else {
        print(&show::details(batch))
    }
}
