//! Calls of models on the wire: what they cost, what they would cost, how their providers fare.

use async_graphql::{Enum, ID, SimpleObject};
use chrono::{DateTime, Utc};
use knowledge_domain::ids::ExecutionId;
use knowledge_extraction::{MissingUnit as Missing, Rejections as Counts};

use super::scalar::{Long, int};
use crate::{
    llm::{BreakerState, GatewayHealth, RouteHealth},
    orchestrator::{BatchEstimate, VectorEstimate as Meanings},
    store::read::{CallTotals, UncertainCall as Uncertain},
};

/// What model calls cost.
#[derive(SimpleObject)]
pub(crate) struct ModelUsage {
    /// Tokens that they took, of failed units too.
    tokens: Long,
    /// Tokens of these that were counted, because their provider did not report them.
    counted_tokens: Long,
    /// What they cost in US dollars, where the model has a price.
    cost_usd: f64,
}

impl From<CallTotals> for ModelUsage {
    fn from(totals: CallTotals) -> Self {
        Self {
            tokens: totals.tokens.into(),
            counted_tokens: totals.counted.into(),
            cost_usd: usd(totals.cost_micro_usd),
        }
    }
}

fn usd(micro: u64) -> f64 {
    micro as f64 / 1_000_000.0
}

/// What a batch is expected to take. What is in the cache already costs nothing.
#[derive(SimpleObject)]
pub(crate) struct ModelEstimate {
    /// Documents.
    documents: Long,
    /// Chunks of all documents.
    chunks: Long,
    /// Calls.
    calls: Long,
    /// Tokens of the questions.
    prompt_tokens: Long,
    /// Tokens of the answers.
    completion_tokens: Long,
    /// What they cost in US dollars; `null` where the model has no price.
    cost_usd: Option<f64>,
    /// The model; `null` where no model is asked.
    model: Option<String>,
    /// What comparing the meanings of names takes on top; `null` where that is not done.
    vectors: Option<VectorEstimate>,
}

impl From<BatchEstimate> for ModelEstimate {
    fn from(estimate: BatchEstimate) -> Self {
        let planned = estimate.extraction;
        Self {
            documents: planned.documents.into(),
            chunks: planned.chunks.into(),
            calls: planned.calls.into(),
            prompt_tokens: planned.usage.prompt_tokens.into(),
            completion_tokens: planned.usage.completion_tokens.into(),
            cost_usd: planned.cost_micro_usd.map(usd),
            model: estimate.model,
            vectors: estimate.vectors.map(Into::into),
        }
    }
}

/// What comparing the meanings of names is expected to take. Names that the organisation knows
/// already cost nothing.
#[derive(SimpleObject)]
pub(crate) struct VectorEstimate {
    /// The model.
    model: String,
    /// Calls.
    calls: Long,
    /// Vectors.
    vectors: Long,
    /// Tokens.
    tokens: Long,
    /// What they cost in US dollars; `null` where the model has no price.
    cost_usd: Option<f64>,
}

impl From<Meanings> for VectorEstimate {
    fn from(meanings: Meanings) -> Self {
        Self {
            model: meanings.model,
            calls: meanings.calls.into(),
            vectors: meanings.vectors.into(),
            tokens: meanings.tokens.into(),
            cost_usd: meanings.cost_micro_usd.map(usd),
        }
    }
}

/// A call that may be paid for twice: it was sent again after an attempt of which nobody saw the
/// end.
#[derive(SimpleObject)]
pub(crate) struct UncertainCall {
    /// SHA-256 of the question, in hex.
    key: String,
    /// Who was asked.
    provider: String,
    /// The model.
    model: String,
    /// The workflow.
    execution_id: Option<ID>,
    /// The unit: `mentions/3`.
    unit: Option<String>,
    /// Times that it was about to be sent.
    attempts: i32,
    /// Times of these of which nobody saw the outcome.
    unknown_outcomes: i32,
    /// When it was first recorded.
    created_at: DateTime<Utc>,
}

impl From<Uncertain> for UncertainCall {
    fn from(call: Uncertain) -> Self {
        Self {
            key: call.key,
            provider: call.provider,
            model: call.model,
            execution_id: call.execution_id.map(|id: ExecutionId| id.into()),
            unit: call.unit,
            attempts: int(call.attempts),
            unknown_outcomes: int(call.unknown_outcomes),
            created_at: call.created_at,
        }
    }
}

/// How many proposals of extractors were mended or dropped.
#[derive(SimpleObject)]
pub(crate) struct Rejections {
    /// Mentions whose text was found at another place than they said; kept.
    relocated_mentions: i32,
    /// Mentions and evidence whose text is not in the document.
    unverified: i32,
    /// Mentions and entities with a type that the ontology does not have.
    unknown_types: i32,
    /// Relations with a predicate that the ontology does not have.
    unknown_predicates: i32,
    /// Relations that the predicate's domain or range does not allow.
    domain_or_range: i32,
    /// Proposals below the confidence floor.
    low_confidence: i32,
    /// Items of answers that did not have the form which was asked for.
    malformed: i32,
    /// Answers that were mended.
    repaired_answers: i32,
    /// Questions that were asked again because the answer could not be used.
    asked_again: i32,
}

impl From<Counts> for Rejections {
    fn from(counts: Counts) -> Self {
        Self {
            relocated_mentions: int(counts.relocated_mentions),
            unverified: int(counts.unverified),
            unknown_types: int(counts.unknown_types),
            unknown_predicates: int(counts.unknown_predicates),
            domain_or_range: int(counts.domain_or_range),
            low_confidence: int(counts.low_confidence),
            malformed: int(counts.malformed),
            repaired_answers: int(counts.repaired_answers),
            asked_again: int(counts.asked_again),
        }
    }
}

/// A unit that a completed document's graph is without.
#[derive(SimpleObject)]
pub(crate) struct MissingUnit {
    /// The document's name.
    document: String,
    /// The unit: `mentions/3`.
    unit: String,
    /// Why.
    reason: String,
}

impl From<(String, Missing)> for MissingUnit {
    fn from((document, missing): (String, Missing)) -> Self {
        Self {
            document,
            unit: missing.unit,
            reason: missing.reason,
        }
    }
}

/// Whether calls go through to a provider.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "crate::llm::BreakerStatus")]
pub(crate) enum CircuitBreakerState {
    /// Calls go through.
    Closed,
    /// No call goes through.
    Open,
    /// One call at a time goes through.
    HalfOpen,
}

/// How a provider of models fares.
#[derive(SimpleObject)]
pub(crate) struct ModelProvider {
    /// Who is asked: `https://api.openai.com`.
    provider: String,
    /// The model.
    model: String,
    /// Its circuit breaker.
    breaker: CircuitBreakerState,
    /// When an open breaker lets a probe through.
    open_until: Option<DateTime<Utc>>,
    /// Failures since the last success, while the breaker is closed.
    failures: i32,
}

impl From<RouteHealth> for ModelProvider {
    fn from(route: RouteHealth) -> Self {
        let (open_until, failures) = match route.breaker {
            BreakerState::Open { until } => (Some(until), 0),
            BreakerState::Closed { failures } => (None, failures),
            BreakerState::HalfOpen { .. } => (None, 0),
        };
        Self {
            provider: route.provider,
            model: route.model,
            breaker: route.breaker.status().into(),
            open_until,
            failures: int(failures),
        }
    }
}

/// How the calls of models fare.
#[derive(SimpleObject)]
pub(crate) struct ModelHealth {
    /// Calls that run.
    in_flight: i32,
    /// Calls that wait for their turn.
    queued: i32,
    /// Until when nobody calls, because the provider asked everybody for silence.
    paused_until: Option<DateTime<Utc>>,
    /// The providers, the one that is asked first at first.
    providers: Vec<ModelProvider>,
}

impl From<GatewayHealth> for ModelHealth {
    fn from(health: GatewayHealth) -> Self {
        Self {
            in_flight: int(health.limiter.in_flight),
            queued: i32::try_from(health.limiter.queued).unwrap_or(i32::MAX),
            paused_until: health.limiter.paused_until,
            providers: health.routes.into_iter().map(Into::into).collect(),
        }
    }
}
