use serde::{Deserialize, Serialize};

use crate::ConfigError;

/// The most documents of one batch that run at a time.
pub const MAX_CONCURRENCY: u32 = 64;

const MAX_RETRIES: u32 = 10;

const MAX_GLEANING_ROUNDS: u32 = 5;

/// What a batch does about documents that fail.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum FailurePolicy {
    /// Every document is tried; failures become results.
    #[default]
    ContinueOnFailure,
    /// The first failure stops the batch.
    AbortAll,
    /// After a full pass, failed documents are tried again in rounds.
    RetryFailed,
}

/// What finds mentions, entities and relations.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Extractor {
    /// Embedded rules: deterministic, no key, no download.
    #[default]
    Offline,
    /// An OpenAI-compatible endpoint.
    Llm,
}

/// How the chunks of a document become questions to a model.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ExtractionStrategy {
    /// One question a chunk, whose answer holds mentions, entities and relations.
    #[default]
    Single,
    /// A question for each stage: mentions, entities, relations.
    Staged,
}

/// What a batch asks, as it was when it began: what else decides an answer is in [`BatchConfig`].
///
/// A batch that goes on after the environment has changed goes on with this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PinnedModel {
    /// The model.
    pub model: String,
    /// The versions of the prompts: `single@1`.
    pub prompts: String,
    /// The most tokens of one answer.
    pub max_output_tokens: u32,
}

/// What a user may say about a batch; what is left out takes its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchOptions {
    /// Documents at a time, 1..=64; default 3.
    pub concurrency: Option<i64>,
    /// Default: continue on failure.
    pub failure_policy: Option<FailurePolicy>,
    /// Rounds over failed documents under `retry-failed`, 0..=10; default 2.
    pub max_retries: Option<i64>,
    /// Default: true.
    pub enable_entity_resolution: Option<bool>,
    /// Default: offline.
    pub extractor: Option<Extractor>,
    /// The most tokens that the batch may use, at least 1; default: no limit.
    pub token_budget: Option<i64>,
    /// Default: single.
    pub strategy: Option<ExtractionStrategy>,
    /// Rounds in which a model is asked for what it missed, 0..=5; default 0.
    pub gleaning_rounds: Option<i64>,
    /// The least share of a document's units that must be extracted, in percent, 0..=100; default
    /// 100.
    pub minimum_coverage: Option<i64>,
}

/// A batch's validated settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchConfig {
    /// Documents at a time, 1..=64.
    pub concurrency: u32,
    /// What to do about failures.
    pub failure_policy: FailurePolicy,
    /// Rounds over failed documents under `retry-failed`.
    pub max_retries: u32,
    /// Whether entities are resolved across documents at the end.
    pub enable_entity_resolution: bool,
    /// What extracts.
    pub extractor: Extractor,
    /// The most tokens that the batch may use.
    pub token_budget: Option<u64>,
    /// How chunks become questions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub strategy: ExtractionStrategy,
    /// Rounds in which a model is asked for what it missed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gleaning_rounds: u32,
    /// The least share of a stage's units, in percent, that must be extracted.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub minimum_coverage: u32,
    /// What it asks; absent where it asks no model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<PinnedModel>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn all() -> u32 {
    100
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_all(percent: &u32) -> bool {
    *percent == all()
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            concurrency: 3,
            failure_policy: FailurePolicy::default(),
            max_retries: 2,
            enable_entity_resolution: true,
            extractor: Extractor::default(),
            token_budget: None,
            strategy: ExtractionStrategy::default(),
            gleaning_rounds: 0,
            minimum_coverage: all(),
            asks: None,
        }
    }
}

impl BatchConfig {
    /// Checks a user's options and fills in the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] names the first option that is out of range.
    pub fn new(options: &BatchOptions) -> Result<Self, ConfigError> {
        let default = Self::default();
        Ok(Self {
            concurrency: in_range(
                "concurrency",
                options.concurrency,
                1..=MAX_CONCURRENCY,
                "between 1 and 64",
            )?
            .unwrap_or(default.concurrency),
            failure_policy: options.failure_policy.unwrap_or_default(),
            max_retries: in_range(
                "maxRetries",
                options.max_retries,
                0..=MAX_RETRIES,
                "between 0 and 10",
            )?
            .unwrap_or(default.max_retries),
            enable_entity_resolution: options
                .enable_entity_resolution
                .unwrap_or(default.enable_entity_resolution),
            extractor: options.extractor.unwrap_or_default(),
            token_budget: token_budget(options.token_budget)?,
            strategy: options.strategy.unwrap_or_default(),
            gleaning_rounds: in_range(
                "gleaningRounds",
                options.gleaning_rounds,
                0..=MAX_GLEANING_ROUNDS,
                "between 0 and 5",
            )?
            .unwrap_or(default.gleaning_rounds),
            minimum_coverage: in_range(
                "minimumCoverage",
                options.minimum_coverage,
                0..=100,
                "between 0 and 100",
            )?
            .unwrap_or(default.minimum_coverage),
            asks: None,
        })
    }

    /// How many rounds over failed documents the policy allows.
    #[must_use]
    pub fn retry_rounds(&self) -> u32 {
        match self.failure_policy {
            FailurePolicy::RetryFailed => self.max_retries,
            FailurePolicy::ContinueOnFailure | FailurePolicy::AbortAll => 0,
        }
    }
}

fn in_range(
    path: &'static str,
    value: Option<i64>,
    range: std::ops::RangeInclusive<u32>,
    expected: &'static str,
) -> Result<Option<u32>, ConfigError> {
    let Some(value) = value else { return Ok(None) };
    match u32::try_from(value) {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => Err(ConfigError {
            path,
            value: value.to_string(),
            expected,
        }),
    }
}

fn token_budget(value: Option<i64>) -> Result<Option<u64>, ConfigError> {
    let Some(value) = value else { return Ok(None) };
    match u64::try_from(value) {
        Ok(budget) if budget > 0 => Ok(Some(budget)),
        _ => Err(ConfigError {
            path: "tokenBudget",
            value: value.to_string(),
            expected: "at least 1",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_gives_the_defaults() {
        assert_eq!(
            BatchConfig::new(&BatchOptions::default()),
            Ok(BatchConfig::default())
        );
    }

    #[test]
    fn values_out_of_range_are_named() {
        for (concurrency, max_retries, token_budget, path) in [
            (Some(0), None, None, "concurrency"),
            (Some(65), None, None, "concurrency"),
            (Some(i64::MIN), None, None, "concurrency"),
            (None, Some(-1), None, "maxRetries"),
            (None, Some(11), None, "maxRetries"),
            (None, None, Some(0), "tokenBudget"),
        ] {
            let error = BatchConfig::new(&BatchOptions {
                concurrency,
                max_retries,
                token_budget,
                ..BatchOptions::default()
            })
            .unwrap_err();
            assert_eq!(error.path, path);
        }
    }
}
