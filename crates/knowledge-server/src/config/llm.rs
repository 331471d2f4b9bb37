//! The settings of model calls.

use std::time::Duration;

use knowledge_domain::batch::Extractor;
use knowledge_extraction::llm::{Price, PriceTable};

use super::{Config, ConfigurationError};
use crate::llm::{BreakerRules, Endpoint, LimiterRules, LlmSettings, Secret};

const OPENAI: &str = "https://api.openai.com/v1";
const DEFAULT_MODEL: &str = "gpt-4o-mini";

impl Config {
    /// What extracts when neither a batch nor the configuration says: a model where there is a key.
    #[must_use]
    pub fn default_extractor(&self) -> Extractor {
        match self.extractor {
            Some(extractor) => extractor,
            None if given(self.openai_api_key.as_ref()).is_some() => Extractor::Llm,
            None => Extractor::Offline,
        }
    }

    /// How models are reached; `None` where nothing says where a model is.
    #[must_use]
    pub fn llm(&self) -> Option<LlmSettings> {
        let base_url = given(self.openai_base_url.as_ref());
        let api_key = given(self.openai_api_key.as_ref()).map(Secret::new);
        if base_url.is_none() && api_key.is_none() {
            return None;
        }
        let primary = Endpoint {
            base_url: base_url.unwrap_or(OPENAI).to_owned(),
            api_key,
            model: given(self.llm_model.as_ref())
                .unwrap_or(DEFAULT_MODEL)
                .to_owned(),
        };
        Some(LlmSettings {
            fallback: self.fallback(&primary),
            embedding_model: given(self.embedding_model.as_ref()).map(str::to_owned),
            timeout: Duration::from_secs(self.llm_timeout_seconds),
            limits: LimiterRules {
                permits: self.llm_max_concurrent,
                requests_per_minute: self.llm_requests_per_minute,
                tokens_per_minute: self.llm_tokens_per_minute,
            },
            breaker: BreakerRules {
                failures: self.breaker_failures,
                recovery: Duration::from_secs(self.breaker_recovery_seconds),
                ..BreakerRules::default()
            },
            max_output_tokens: self.llm_max_output_tokens,
            prices: self.prices(),
            ..LlmSettings::new(primary)
        })
    }

    /// Another endpoint, another model, or both; what is not said is as with the first.
    fn fallback(&self, primary: &Endpoint) -> Option<Endpoint> {
        let base_url = given(self.llm_fallback_base_url.as_ref());
        let model = given(self.llm_fallback_model.as_ref());
        if base_url.is_none() && model.is_none() {
            return None;
        }
        let own_key = given(self.llm_fallback_api_key.as_ref()).map(Secret::new);
        Some(Endpoint {
            // A key is sent to the endpoint that it was given for, and to no other.
            api_key: match base_url {
                None => own_key.or_else(|| primary.api_key.clone()),
                Some(_) => own_key,
            },
            base_url: base_url.unwrap_or(&primary.base_url).to_owned(),
            model: model.unwrap_or(&primary.model).to_owned(),
        })
    }

    /// The known prices, with those of the configuration over them.
    fn prices(&self) -> PriceTable {
        let known = [
            ("gpt-4o-mini", 0.15, 0.6),
            ("gpt-4o", 2.5, 10.0),
            ("gpt-4.1-nano", 0.1, 0.4),
            ("gpt-4.1-mini", 0.4, 1.6),
            ("gpt-4.1", 2.0, 8.0),
        ];
        let mut prices: PriceTable = PriceTable(
            known
                .into_iter()
                .map(|(model, prompt, completion)| (model.to_owned(), Price { prompt, completion }))
                .collect(),
        );
        prices.0.extend(self.llm_prices.0.clone());
        prices
    }

    pub(super) fn check_llm(&self) -> Result<(), ConfigurationError> {
        if self.extractor == Some(Extractor::Llm) && self.llm().is_none() {
            return Err(ConfigurationError::NoModel);
        }
        for (key, url) in [
            ("openai_base_url", &self.openai_base_url),
            ("llm_fallback_base_url", &self.llm_fallback_base_url),
        ] {
            let Some(url) = given(url.as_ref()) else {
                continue;
            };
            let parsed = reqwest::Url::parse(url);
            if !parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
                return Err(ConfigurationError::Endpoint { key });
            }
        }
        Ok(())
    }
}

/// What is set and not empty.
fn given(value: Option<&String>) -> Option<&str> {
    value
        .map(|value| value.trim())
        .filter(|value| !value.is_empty())
}
