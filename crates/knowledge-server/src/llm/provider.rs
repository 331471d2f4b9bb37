//! The port that providers stand behind.

use std::time::Duration;

use knowledge_domain::workflow::BoxFuture;
use knowledge_extraction::llm::{Call, CallError};

use super::usage::Reported;

/// What a provider answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderAnswer {
    /// The answer's text.
    pub text: String,
    /// The tokens that the provider reported.
    pub reported: Reported,
    /// Whether the answer ended at its limit of tokens.
    pub truncated: bool,
}

/// Vectors of some texts, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// One vector a text.
    pub vectors: Vec<Vec<f32>>,
    /// The tokens that the provider reported.
    pub reported: Reported,
}

/// Why a provider gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It asks to wait.
    #[error("the provider asks to wait")]
    RateLimited {
        /// For how long, where it says.
        after: Option<Duration>,
    },
    /// The question is longer than the model's context.
    #[error("the question is longer than the model's context")]
    ContextOverflow,
    /// The model will not answer.
    #[error("the model refuses to answer: {reason}")]
    Refused {
        /// In the model's words, shortened.
        reason: String,
        /// What it reported that the refusal cost.
        reported: Reported,
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
    /// The provider failed or could not be reached: nothing was paid for.
    #[error("the provider failed: {message}")]
    Failed {
        /// What happened.
        message: String,
    },
    /// The connection ended before the answer was whole: it may be paid for.
    #[error("the provider's answer was lost: {message}")]
    Lost {
        /// What happened.
        message: String,
    },
    /// What came is no answer of the protocol: it may be paid for.
    #[error("the provider's answer cannot be read: {message}")]
    Protocol {
        /// What is wrong with it.
        message: String,
    },
}

impl ProviderError {
    /// Whether it says that the provider is not well, rather than something of the question.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Failed { .. } | Self::Lost { .. } | Self::Protocol { .. }
        )
    }

    /// Whether the call may be paid for although there is no answer.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Protocol { .. })
    }
}

impl From<ProviderError> for CallError {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::RateLimited { after } => Self::RateLimited {
                after: after.unwrap_or_default(),
            },
            ProviderError::ContextOverflow => Self::ContextOverflow,
            ProviderError::Refused { reason, .. } => Self::Refused { reason },
            ProviderError::Authentication { message } => Self::Authentication { message },
            ProviderError::Unknown { message } => Self::Unknown { message },
            ProviderError::Rejected { message } => Self::Rejected { message },
            ProviderError::Failed { message } | ProviderError::Lost { message } => {
                Self::Unavailable { message }
            }
            ProviderError::Protocol { message } => Self::Protocol { message },
        }
    }
}

/// Whoever answers questions over a wire.
///
/// # Cancel safety
/// Dropping a returned future drops the call; it may be paid for.
pub trait Provider: Send + Sync {
    /// Asks a model.
    fn chat<'a>(
        &'a self,
        model: &'a str,
        call: &'a Call,
    ) -> BoxFuture<'a, Result<ProviderAnswer, ProviderError>>;

    /// Vectors of some texts, by a model of vectors.
    fn embed<'a>(
        &'a self,
        model: &'a str,
        texts: &'a [String],
    ) -> BoxFuture<'a, Result<Embeddings, ProviderError>>;
}
