//! Errors that several modules share, and the kind that policies consume.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a policy may do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// A later attempt may succeed: a time-out, a dropped connection, a busy database.
    Retryable,
    /// No attempt can succeed: an empty document, a bad ontology, an oversized output.
    Permanent,
    /// The provider asks to wait.
    RateLimited {
        /// How long to wait before the next attempt.
        after: Duration,
    },
    /// The work was cancelled; it neither failed nor succeeded.
    Cancelled,
}

impl ErrorKind {
    /// Whether another attempt may be made.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Retryable | Self::RateLimited { .. })
    }

    /// The name that the database stores in `error_kind`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Retryable => "retryable",
            Self::Permanent => "permanent",
            Self::RateLimited { .. } => "rate_limited",
            Self::Cancelled => "cancelled",
        }
    }

    /// The kind that a stored name stands for; an unknown name is permanent, so that nothing is
    /// retried by mistake. A stored rate limit has lost its delay and asks for none.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "retryable" => Self::Retryable,
            "rate_limited" => Self::RateLimited {
                after: Duration::ZERO,
            },
            "cancelled" => Self::Cancelled,
            _ => Self::Permanent,
        }
    }
}

/// A setting that is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} is {value}, but must be {expected}")]
pub struct ConfigError {
    /// The field in camelCase, as it is on the wire: `concurrency`.
    pub path: &'static str,
    /// The value that was given.
    pub value: String,
    /// What would be accepted: `between 1 and 64`.
    pub expected: &'static str,
}

impl ConfigError {
    /// A wrong setting is never worth another attempt.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Permanent
    }
}
