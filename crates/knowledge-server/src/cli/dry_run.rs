//! `knowledge extract --dry-run`: what a batch would take.

use knowledge_domain::Ontology;

use super::{Ended, local::Local, print};
use crate::orchestrator::{BatchEstimate, StartBatch};

/// Says what a model would be asked, and asks nothing.
pub(super) async fn run(
    local: &Local,
    start: StartBatch,
    ontology: Option<Ontology>,
    json: bool,
) -> anyhow::Result<Ended> {
    let ontology = ontology.unwrap_or_else(Ontology::core);
    let estimated =
        local
            .app
            .orchestrator
            .estimate_unregistered(local.organization, start, ontology);
    let estimate = estimated.await?;
    if json {
        print(&format!("{}\n", as_json(&estimate)))?;
        return Ok(Ended::Done);
    }
    print(&in_words(&estimate))?;
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
