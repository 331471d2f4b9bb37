//! How models are reached and how much is asked of them.

use std::{fmt, time::Duration};

use knowledge_extraction::llm::{Price, PriceTable};

use super::{breaker::BreakerRules, limiter::LimiterRules};

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one header that it belongs into.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// Somebody else's text without it.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        text.replace(&self.0, "***")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A model at an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where `/chat/completions` is below: `https://api.openai.com/v1`.
    pub base_url: String,
    /// The key, where the endpoint takes one.
    pub api_key: Option<Secret>,
    /// The model.
    pub model: String,
}

impl Endpoint {
    /// The endpoint as it is recorded: scheme, host and port, without whatever else a URL may hold.
    #[must_use]
    pub fn provider(&self) -> String {
        match reqwest::Url::parse(&self.base_url) {
            Ok(url) => url.origin().ascii_serialization(),
            Err(_) => "unknown".to_owned(),
        }
    }
}

/// Everything about the calls of models.
#[derive(Debug, Clone, PartialEq)]
pub struct LlmSettings {
    /// Who is asked.
    pub primary: Endpoint,
    /// Who is asked while the first is away.
    pub fallback: Option<Endpoint>,
    /// The model of vectors; without one nobody asks for vectors.
    pub embedding_model: Option<String>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How much is asked at a time.
    pub limits: LimiterRules,
    /// When a provider is left alone.
    pub breaker: BreakerRules,
    /// The most tokens of one answer.
    pub max_output_tokens: u32,
    /// What tokens cost.
    pub prices: PriceTable,
    /// A provider that asks to wait for longer suspends the document.
    pub longest_wait: Duration,
}

impl LlmSettings {
    /// Settings with the defaults for a model at an endpoint.
    #[must_use]
    pub fn new(primary: Endpoint) -> Self {
        Self {
            primary,
            fallback: None,
            embedding_model: None,
            timeout: Duration::from_mins(1),
            limits: LimiterRules::default(),
            breaker: BreakerRules::default(),
            max_output_tokens: 4_096,
            prices: PriceTable::default(),
            longest_wait: Duration::from_secs(5),
        }
    }

    /// What a model's tokens cost, where that is known.
    #[must_use]
    pub fn price(&self, model: &str) -> Option<Price> {
        self.prices.of_model(model)
    }
}
