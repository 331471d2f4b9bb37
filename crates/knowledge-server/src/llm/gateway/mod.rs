//! Cache, budget, limiter, circuit breaker, provider, fallback: in this order.
//!
//! Here is what a gateway is made of; [`memory`] answers from what was asked before, [`run`] asks
//! until there is an answer, [`attempt`] makes one attempt, [`outcome`] records what it came to,
//! [`patience`] and [`refusal`] say when nobody asks, [`health`] says how the calls fare.

mod attempt;
mod health;
mod memory;
mod outcome;
mod patience;
mod refusal;
mod run;

use std::sync::Arc;

use knowledge_domain::{
    Clock,
    batch::{BatchConfig, PinnedModel},
};
use knowledge_extraction::llm::{
    Answer, Call, CallError, LlmExtractor, LlmOptions, Tokenizer, Usage,
};
use tokio::sync::Notify;

pub use self::health::{GatewayHealth, RouteHealth};
pub(super) use self::memory::key;
use self::{patience::Patience, refusal::RefusedKey};
use super::{
    calibration::Calibration, counts::Counts, flights::Flights, limiter::Limiter,
    provider::Provider, question::Question, routes::Routes, session::Session,
    settings::LlmSettings,
};
use crate::{
    store::{StoreError, calls::CallLog},
    text::chain,
};

/// The way to the models; cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    log: CallLog,
    limiter: Limiter,
    routes: Routes,
    flights: Flights,
    settings: Arc<LlmSettings>,
    clock: Arc<dyn Clock>,
    counts: Counts,
    calibration: Calibration,
    refused: RefusedKey,
    patience: Patience,
    /// Told whenever a call is settled.
    settled: Notify,
}

impl Gateway {
    /// The way to the providers of the settings, asked through these clients in this order; their
    /// breakers go on from where they were left.
    pub async fn open(
        settings: LlmSettings,
        clients: Vec<Arc<dyn Provider>>,
        log: CallLog,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let settings = Arc::new(settings);
        let routes = Routes::open(
            Arc::clone(&settings),
            clients,
            log.clone(),
            Arc::clone(&clock),
        )
        .await?;
        Ok(Self(Arc::new(Inner {
            limiter: Limiter::new(settings.limits, Arc::clone(&clock)),
            log,
            routes,
            flights: Flights::default(),
            patience: Patience::new(settings.longest_wait),
            settings,
            clock,
            counts: Counts::default(),
            calibration: Calibration::default(),
            refused: RefusedKey::default(),
            settled: Notify::new(),
        })))
    }

    /// The model that is asked first.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.0.settings.primary.model
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &LlmSettings {
        &self.0.settings
    }

    /// How the documents of a batch with these settings are asked about.
    #[must_use]
    pub fn options(&self, config: &BatchConfig) -> LlmOptions {
        LlmOptions {
            strategy: config.strategy,
            gleaning_rounds: config.gleaning_rounds,
            max_output_tokens: self.0.settings.max_output_tokens,
        }
    }

    /// What a batch with these settings asks, if it begins now.
    #[must_use]
    pub fn asks(&self, config: &BatchConfig) -> PinnedModel {
        let options = self.options(config);
        PinnedModel {
            model: self.model().to_owned(),
            prompts: LlmExtractor::prompt_versions(&options),
            max_output_tokens: options.max_output_tokens,
        }
    }

    /// How tokens are counted.
    #[must_use]
    pub fn tokenizer(&self) -> Tokenizer {
        self.0.counts.tokenizer(self.model())
    }

    pub(super) async fn ask(&self, session: &Session, call: &Call) -> Result<Answer, CallError> {
        let question = Question::Chat(call.clone());
        self.answer(session, session.model(), question).await
    }

    /// The vectors of some texts, by a model of vectors, all asked for in one request.
    pub(super) async fn vectors(
        &self,
        session: &Session,
        model: &str,
        unit: &str,
        texts: Vec<String>,
    ) -> Result<(Vec<Vec<f32>>, Usage), CallError> {
        let count = texts.len();
        let unit = unit.to_owned();
        let question = Question::Vectors { texts, unit };
        let answer = self.answer(session, model, question).await?;
        let vectors: Vec<Vec<f32>> = serde_json::from_str(&answer.text).unwrap_or_default();
        if vectors.len() != count {
            return Err(CallError::Protocol {
                message: "what was kept is not one vector for each text".to_owned(),
            });
        }
        Ok((vectors, answer.usage))
    }

    /// The model of vectors by which meanings are compared, where one is named.
    #[must_use]
    pub fn embedding_model(&self) -> Option<&str> {
        self.0.settings.embedding_model.as_deref()
    }
}

fn not_recorded(error: &StoreError) -> CallError {
    CallError::Store {
        message: chain(error),
        kind: error.kind(),
    }
}
