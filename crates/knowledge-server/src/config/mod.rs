//! Configuration: flags over environment over `knowledge.toml` over defaults.

mod hosts;
mod listen;
mod llm;
mod unknown;

use std::{fmt::Write as _, time::Duration};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use knowledge_domain::{
    batch::Extractor,
    workflow::{RetryPolicy, WorkflowMode},
};
use knowledge_extraction::llm::PriceTable;
use serde::{Deserialize, Serialize};

pub use self::{
    hosts::AllowedHosts,
    listen::ListenAddress,
    unknown::{UnknownVariable, unknown_variables},
};
use crate::{orchestrator::OrchestratorSettings, store::DatabaseUrl};

/// The file that is read in the working folder, where there is one.
const FILE: &str = "knowledge.toml";
const ENV_PREFIX: &str = "KNOWLEDGE_";
const FLAGS: &str = "flag";

const MAX_DOCUMENTS: u64 = 10_000;
const MAX_BODY_BYTES: u64 = 4 * 1024 * 1024 * 1024;
const MAX_LEASE_SECONDS: u64 = 24 * 60 * 60;
const MAX_STREAM_RETRY_MS: u64 = 10 * 60 * 1_000;
const MAX_QUERY_SECONDS: u64 = 60 * 60;
const MAX_RETRIES: u64 = 1_000;
const MAX_OUTPUT_TOKENS: u64 = 1_000_000;

/// What flags say.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Overrides {
    /// `--database`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    /// `--listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// `--extractor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extractor: Option<Extractor>,
    /// `--listen` of a worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_listen: Option<String>,
    /// `--url` of a worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_url: Option<String>,
}

/// The configuration. The names of the fields are the keys of `knowledge.toml`, and, in upper case
/// behind `KNOWLEDGE_`, of the environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the database is.
    pub database_url: String,
    /// Where the server listens.
    pub listen: String,
    /// Names that the server is known by, beside `localhost` and addresses; those that a proxy
    /// passes on. Requests to any other are refused.
    pub allowed_hosts: AllowedHosts,
    /// What runs workflows.
    pub workflow_mode: WorkflowMode,
    /// Where Restate takes invocations, for the mode `engine`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restate_ingress_url: Option<String>,
    /// Where workers make themselves known to Restate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restate_admin_url: Option<String>,
    /// The public key of the Restate server that workers obey; whoever reaches them, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restate_identity_key: Option<String>,
    /// Where a worker listens.
    pub worker_listen: String,
    /// Where Restate finds it, or the balancer before several; where it listens, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_url: Option<String>,
    /// What extracts when a batch does not say; a model where there is a key, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extractor: Option<Extractor>,
    /// Retries of a failed activity.
    pub activity_max_retries: u32,
    /// Milliseconds before the first retry.
    pub activity_backoff_ms: u64,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// Documents of all batches that run at a time.
    pub max_documents: usize,
    /// Times that a document may fail, or end the process that works on it, before it is
    /// quarantined; 0 is never.
    pub quarantine_after: u32,
    /// Milliseconds after which a client whose progress stream broke is to reconnect.
    pub stream_retry_ms: u64,
    /// Seconds that a GraphQL query may take.
    pub query_timeout_seconds: u64,
    /// Seconds that a batch stays leased to a server which says nothing.
    pub lease_seconds: u64,
    /// Where models answer: the URL that `/chat/completions` is below. Of the environment
    /// `OPENAI_BASE_URL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openai_base_url: Option<String>,
    /// The key for it. Of the environment `OPENAI_API_KEY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openai_api_key: Option<String>,
    /// The model that extracts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llm_model: Option<String>,
    /// The model of vectors, by which resolution compares meanings; without one it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_model: Option<String>,
    /// Calls of models at a time.
    pub llm_max_concurrent: u32,
    /// Calls of models a minute; 0 is no limit.
    pub llm_requests_per_minute: u32,
    /// Tokens of models a minute; 0 is no limit.
    pub llm_tokens_per_minute: u64,
    /// Seconds that one call may take.
    pub llm_timeout_seconds: u64,
    /// The most tokens of one answer.
    pub llm_max_output_tokens: u32,
    /// Who is asked while the first endpoint is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llm_fallback_base_url: Option<String>,
    /// The key for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llm_fallback_api_key: Option<String>,
    /// The model that is asked there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llm_fallback_model: Option<String>,
    /// US dollars for a million tokens, by the beginnings of models' names.
    pub llm_prices: PriceTable,
    /// Failures in a row after which a provider is left alone.
    pub breaker_failures: u32,
    /// Seconds that it is left alone.
    pub breaker_recovery_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            database_url: "sqlite://knowledge.db".to_owned(),
            listen: "127.0.0.1:8080".to_owned(),
            allowed_hosts: AllowedHosts::default(),
            workflow_mode: WorkflowMode::Legacy,
            restate_ingress_url: None,
            restate_admin_url: None,
            restate_identity_key: None,
            worker_listen: "127.0.0.1:9080".to_owned(),
            worker_url: None,
            extractor: None,
            activity_max_retries: 3,
            activity_backoff_ms: 1000,
            max_body_bytes: 64 * 1024 * 1024,
            max_documents: 64,
            quarantine_after: 5,
            stream_retry_ms: 2000,
            query_timeout_seconds: 30,
            lease_seconds: 10,
            openai_base_url: None,
            openai_api_key: None,
            llm_model: None,
            embedding_model: None,
            llm_max_concurrent: 5,
            llm_requests_per_minute: 50,
            llm_tokens_per_minute: 100_000,
            llm_timeout_seconds: 60,
            llm_max_output_tokens: 4_096,
            llm_fallback_base_url: None,
            llm_fallback_api_key: None,
            llm_fallback_model: None,
            llm_prices: PriceTable::default(),
            breaker_failures: 5,
            breaker_recovery_seconds: 30,
        }
    }
}

/// Keys of the environment that have no prefix of ours.
const OPENAI_KEYS: [&str; 2] = ["openai_base_url", "openai_api_key"];

const SECRETS: [&str; 2] = ["openai_api_key", "llm_fallback_api_key"];

const KEYS: [&str; 33] = [
    "database_url",
    "listen",
    "allowed_hosts",
    "workflow_mode",
    "restate_ingress_url",
    "restate_admin_url",
    "restate_identity_key",
    "worker_listen",
    "worker_url",
    "extractor",
    "activity_max_retries",
    "activity_backoff_ms",
    "max_body_bytes",
    "max_documents",
    "quarantine_after",
    "stream_retry_ms",
    "query_timeout_seconds",
    "lease_seconds",
    "openai_base_url",
    "openai_api_key",
    "llm_model",
    "embedding_model",
    "llm_max_concurrent",
    "llm_requests_per_minute",
    "llm_tokens_per_minute",
    "llm_timeout_seconds",
    "llm_max_output_tokens",
    "llm_fallback_base_url",
    "llm_fallback_api_key",
    "llm_fallback_model",
    "llm_prices",
    "breaker_failures",
    "breaker_recovery_seconds",
];

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// A value is missing its form.
    #[error("the configuration is wrong: {0}")]
    Invalid(Box<figment::Error>),
    /// A mode that this release does not have.
    #[error(
        "KNOWLEDGE_WORKFLOW_MODE={0} is not available in this build; use `legacy`, the built-in engine"
    )]
    Mode(WorkflowMode),
    /// A mode for many machines, with a database for one.
    #[error(
        "workers take PostgreSQL, which servers and workers share; set KNOWLEDGE_DATABASE_URL to postgres://…, or KNOWLEDGE_WORKFLOW_MODE to legacy"
    )]
    EngineDatabase,
    /// A setting that another one asks for.
    #[error("{key} is missing: {what}")]
    Missing {
        /// The variable.
        key: &'static str,
        /// What it is.
        what: &'static str,
    },
    /// A model is to extract, and nothing says which.
    #[error(
        "the extractor `llm` has no model to ask; set OPENAI_API_KEY, or OPENAI_BASE_URL to any OpenAI-compatible endpoint"
    )]
    NoModel,
    /// An endpoint that is no URL.
    #[error("{key} must be an http or https URL, such as http://127.0.0.1:11434/v1")]
    Endpoint {
        /// The key.
        key: &'static str,
    },
    /// An address that means nothing.
    #[error("`{0}` is not an address to listen on; use HOST:PORT, such as 127.0.0.1:8080")]
    Address(String),
    /// A number out of range.
    #[error("{key} must be between 1 and {most}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// The largest value.
        most: u64,
    },
}

impl Config {
    /// Reads the configuration and checks it.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigurationError> {
        let config: Self = figment(overrides)
            .extract()
            .map_err(|error| ConfigurationError::Invalid(Box::new(error)))?;
        config.check()?;
        Ok(config)
    }

    /// The configuration as `key = value  # source` lines, secrets masked.
    pub fn describe(overrides: &Overrides) -> Result<String, ConfigurationError> {
        let figment = figment(overrides);
        let config = Self::load(overrides)?;
        let values = serde_json::to_value(&config).unwrap_or_default();
        let mut lines = String::new();
        for key in KEYS {
            let value = match key {
                "database_url" => serde_json::json!(config.masked_url()),
                key if SECRETS.contains(&key) && !values[key].is_null() => {
                    serde_json::json!("***")
                }
                "extractor" => serde_json::json!(config.default_extractor()),
                _ => values[key].clone(),
            };
            let source = figment
                .find_metadata(key)
                .map_or_else(|| "default".to_owned(), |metadata| source(metadata, key));
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{key} = {value}  # {source}");
        }
        Ok(lines)
    }

    /// How activities are retried.
    #[must_use]
    pub fn retries(&self) -> RetryPolicy {
        RetryPolicy {
            max_retries: self.activity_max_retries,
            initial_backoff: Duration::from_millis(self.activity_backoff_ms),
            ..RetryPolicy::default()
        }
    }

    /// How the orchestrator works.
    #[must_use]
    pub fn orchestrator(&self) -> OrchestratorSettings {
        OrchestratorSettings {
            rounds: self.retries(),
            default_extractor: self.default_extractor(),
            has_models: self.llm().is_some(),
            max_documents: self.max_documents,
            lease: Duration::from_secs(self.lease_seconds),
            quarantine_after: self.quarantine_after,
        }
    }

    /// That a server can work in its mode.
    ///
    /// # Errors
    /// [`ConfigurationError`] says what is missing.
    pub fn check_mode(&self) -> Result<(), ConfigurationError> {
        match self.workflow_mode {
            WorkflowMode::Legacy => Ok(()),
            WorkflowMode::Engine | WorkflowMode::Shadow if cfg!(feature = "restate") => {
                self.shared_database()?;
                self.ingress_url().map(drop)
            }
            mode => Err(ConfigurationError::Mode(mode)),
        }
    }

    /// That the database is one that servers and workers share.
    ///
    /// # Errors
    /// [`ConfigurationError::EngineDatabase`] when it is a file.
    pub fn shared_database(&self) -> Result<(), ConfigurationError> {
        let url = self.database_url.parse::<DatabaseUrl>();
        match url {
            Ok(url) if url.sqlite_path().is_some() => Err(ConfigurationError::EngineDatabase),
            // What is wrong with another URL is told where it is opened.
            _ => Ok(()),
        }
    }

    /// Where documents are submitted in the modes `engine` and `shadow`.
    ///
    /// # Errors
    /// [`ConfigurationError::Missing`] when nothing says.
    pub fn ingress_url(&self) -> Result<&str, ConfigurationError> {
        let missing = ConfigurationError::Missing {
            key: "KNOWLEDGE_RESTATE_INGRESS_URL",
            what: "the modes `engine` and `shadow` submit documents to Restate; its ingress is at http://HOST:8080 as a rule",
        };
        self.restate_ingress_url.as_deref().ok_or(missing)
    }

    fn check(&self) -> Result<(), ConfigurationError> {
        self.check_llm()?;
        for (key, value, most) in [
            ("max_documents", self.max_documents as u64, MAX_DOCUMENTS),
            ("max_body_bytes", self.max_body_bytes as u64, MAX_BODY_BYTES),
            ("lease_seconds", self.lease_seconds, MAX_LEASE_SECONDS),
            ("stream_retry_ms", self.stream_retry_ms, MAX_STREAM_RETRY_MS),
            (
                "query_timeout_seconds",
                self.query_timeout_seconds,
                MAX_QUERY_SECONDS,
            ),
            (
                "llm_timeout_seconds",
                self.llm_timeout_seconds,
                MAX_LEASE_SECONDS,
            ),
            (
                "llm_max_concurrent",
                u64::from(self.llm_max_concurrent),
                MAX_DOCUMENTS,
            ),
            (
                "llm_max_output_tokens",
                u64::from(self.llm_max_output_tokens),
                MAX_OUTPUT_TOKENS,
            ),
            (
                "breaker_failures",
                u64::from(self.breaker_failures),
                MAX_RETRIES,
            ),
            (
                "breaker_recovery_seconds",
                self.breaker_recovery_seconds,
                MAX_LEASE_SECONDS,
            ),
        ] {
            if !(1..=most).contains(&value) {
                return Err(ConfigurationError::OutOfRange { key, most });
            }
        }
        for (key, value, most) in [
            (
                "activity_max_retries",
                u64::from(self.activity_max_retries),
                MAX_RETRIES,
            ),
            (
                "activity_backoff_ms",
                self.activity_backoff_ms,
                MAX_LEASE_SECONDS * 1_000,
            ),
        ] {
            if value > most {
                return Err(ConfigurationError::OutOfRange { key, most });
            }
        }
        Ok(())
    }

    fn masked_url(&self) -> String {
        self.database_url
            .parse::<DatabaseUrl>()
            .map_or_else(|error| error.to_string(), |url| url.to_string())
    }
}

fn figment(overrides: &Overrides) -> Figment {
    Figment::from(Serialized::defaults(Config::default()))
        .merge(Toml::file(FILE))
        .merge(Env::prefixed(ENV_PREFIX).only(&KEYS).ignore(&OPENAI_KEYS))
        .merge(Env::raw().only(&OPENAI_KEYS))
        .merge(Serialized::from(overrides, figment::Profile::Default))
}

fn source(metadata: &figment::Metadata, key: &str) -> String {
    match metadata.name.as_ref() {
        name if name.contains("environment") && OPENAI_KEYS.contains(&key) => {
            format!("environment {}", key.to_uppercase())
        }
        name if name.contains("environment") => {
            format!("environment {ENV_PREFIX}{}", key.to_uppercase())
        }
        name if name.contains("Overrides") => FLAGS.to_owned(),
        name if name.contains("TOML") => FILE.to_owned(),
        _ => "default".to_owned(),
    }
}

#[cfg(test)]
mod tests;
