//! A question to a model and what may come of it.

use std::{sync::Arc, time::Duration};

use knowledge_domain::{
    ErrorKind,
    workflow::{BoxFuture, Suspension},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The form that an answer must have.
#[derive(Debug)]
pub struct AnswerFormat {
    /// What an endpoint calls the schema by: `single_answer`.
    pub name: &'static str,
    /// The JSON schema, in the strict form that structured outputs take.
    pub schema: Value,
}

/// One question to a model.
#[derive(Debug, Clone)]
pub struct Call {
    /// The prompt and its version: `single@1`.
    pub prompt: String,
    /// What does not change from chunk to chunk, so that providers can cache it.
    pub system: Arc<str>,
    /// What is asked about.
    pub user: String,
    /// The form of the answer.
    pub format: Arc<AnswerFormat>,
    /// The most tokens that the answer may have.
    pub max_output_tokens: u32,
    /// Names the unit that asks, over all its attempts.
    pub unit: String,
}

/// Tokens that a provider reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the question.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
}

impl Usage {
    /// Tokens of both.
    #[must_use]
    pub fn total(self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}

/// A model's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The text, JSON where the model did as it was told.
    pub text: String,
    /// What this answer cost now: nothing, when it was paid for before.
    pub usage: Usage,
    /// Whether the answer ended at its limit of tokens.
    pub truncated: bool,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The work is to wait.
    #[error("{}", .0.message)]
    Suspended(Suspension),
    /// The provider asks to wait, for not too long.
    #[error("the provider asks to wait {} s", after.as_secs_f64())]
    RateLimited {
        /// For how long.
        after: Duration,
    },
    /// The question is longer than the model's context.
    #[error("the question is longer than the model's context")]
    ContextOverflow,
    /// The model will not answer.
    #[error("the model refuses to answer: {reason}")]
    Refused {
        /// In the model's words, shortened.
        reason: String,
    },
    /// The key is missing, wrong, or has no right to the model.
    #[error("the provider refuses the key: {message}")]
    Authentication {
        /// What the provider said, and what to do.
        message: String,
    },
    /// There is no such endpoint or model.
    #[error("the provider does not know what it is asked for: {message}")]
    Unknown {
        /// What the provider said, and what to do.
        message: String,
    },
    /// The provider cannot do what it is asked, and never will.
    #[error("the provider refuses the request: {message}")]
    Rejected {
        /// What the provider said.
        message: String,
    },
    /// The provider failed, did not answer in time, or could not be reached.
    #[error("the provider failed: {message}")]
    Unavailable {
        /// What happened.
        message: String,
    },
    /// What the provider sent is no answer of the protocol.
    #[error("the provider's answer cannot be read: {message}")]
    Protocol {
        /// What is wrong with it.
        message: String,
    },
    /// The record of calls could not be kept, so none is made.
    #[error("the call could not be recorded: {message}")]
    Store {
        /// What the store said.
        message: String,
        /// What a policy may do about it.
        kind: ErrorKind,
    },
    /// There is no answer of an earlier call, and none is asked for.
    #[error("the model's answer is not kept, and it is not asked again")]
    NotKept,
    /// Nobody waits for the answer any more.
    #[error("the call was cancelled")]
    Cancelled,
}

impl CallError {
    /// What a policy may do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Suspended(_) | Self::Unavailable { .. } | Self::Protocol { .. } => {
                ErrorKind::Retryable
            }
            Self::RateLimited { after } => ErrorKind::RateLimited { after: *after },
            Self::ContextOverflow
            | Self::Refused { .. }
            | Self::Authentication { .. }
            | Self::Unknown { .. }
            | Self::Rejected { .. } => ErrorKind::Permanent,
            Self::Store { kind, .. } => *kind,
            Self::NotKept | Self::Cancelled => ErrorKind::Cancelled,
        }
    }
}

/// Whoever answers questions: a provider behind a cache, limits and a circuit breaker.
///
/// # Cancel safety
/// Dropping a returned future drops the call, unless somebody else waits for the same answer.
pub trait Models: Send + Sync {
    /// The model that is asked.
    fn model(&self) -> &str;

    /// Asks. A question that was answered before is answered from memory.
    fn ask<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Answer, CallError>>;

    /// Forgets an answer that nothing could be made of, so that another attempt asks again.
    fn forget<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<(), CallError>>;
}
