//! What can be said of a batch on the command line, of one in this process or on a server.

use clap::{Args, ValueEnum};
use knowledge_domain::batch::{BatchOptions, ExtractionStrategy, Extractor, FailurePolicy};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Documents at a time, 1 to 64.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(1..=64))]
    concurrency: Option<i64>,
    /// What to do about documents that fail.
    #[arg(long, value_enum)]
    failure_policy: Option<PolicyArg>,
    /// Rounds over failed documents under retry-failed, 0 to 10.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..=10))]
    max_retries: Option<i64>,
    /// Leave entities as each document has them.
    #[arg(long)]
    no_resolution: bool,
    /// What extracts.
    #[arg(long, value_enum)]
    pub(super) extractor: Option<ExtractorArg>,
    /// How chunks become questions to a model.
    #[arg(long, value_enum)]
    strategy: Option<StrategyArg>,
    /// Rounds in which a model is asked for what it missed, 0 to 5.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..=5))]
    gleaning_rounds: Option<i64>,
    /// The least share of a document's units that must be extracted, in percent.
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..=100))]
    minimum_coverage: Option<i64>,
    /// The most tokens that model calls may use.
    #[arg(long, value_name = "TOKENS", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(1..))]
    token_budget: Option<i64>,
}

impl From<&Options> for BatchOptions {
    fn from(options: &Options) -> Self {
        Self {
            concurrency: options.concurrency,
            failure_policy: options.failure_policy.map(Into::into),
            max_retries: options.max_retries,
            enable_entity_resolution: options.no_resolution.then_some(false),
            extractor: options.extractor.map(Into::into),
            token_budget: options.token_budget,
            strategy: options.strategy.map(Into::into),
            gleaning_rounds: options.gleaning_rounds,
            minimum_coverage: options.minimum_coverage,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExtractorArg {
    Offline,
    Llm,
}

impl From<ExtractorArg> for Extractor {
    fn from(argument: ExtractorArg) -> Self {
        match argument {
            ExtractorArg::Offline => Self::Offline,
            ExtractorArg::Llm => Self::Llm,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StrategyArg {
    /// One question a chunk.
    Single,
    /// A question for each stage.
    Staged,
}

impl From<StrategyArg> for ExtractionStrategy {
    fn from(argument: StrategyArg) -> Self {
        match argument {
            StrategyArg::Single => Self::Single,
            StrategyArg::Staged => Self::Staged,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PolicyArg {
    ContinueOnFailure,
    AbortAll,
    RetryFailed,
}

impl From<PolicyArg> for FailurePolicy {
    fn from(argument: PolicyArg) -> Self {
        match argument {
            PolicyArg::ContinueOnFailure => Self::ContinueOnFailure,
            PolicyArg::AbortAll => Self::AbortAll,
            PolicyArg::RetryFailed => Self::RetryFailed,
        }
    }
}
