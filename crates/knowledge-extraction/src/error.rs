//! What can go wrong between a text and its graph.

use knowledge_domain::{
    ConfigError, ErrorKind,
    workflow::{ActivityError, WorkflowError},
};

use crate::llm::CallError;

/// A failed extraction.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExtractionError {
    /// There is nothing to extract from: the text is empty or only white space.
    #[error("the document is empty: it has no character that is not white space")]
    EmptyDocument,
    /// The text is longer than positions can say.
    #[error("the document is too long: it has more than {} bytes", u32::MAX)]
    DocumentTooLong,
    /// A setting is out of range.
    #[error("the pipeline's settings are wrong")]
    Config(#[from] ConfigError),
    /// An extractor could not do its work.
    #[error("the extractor {extractor} failed: {message}")]
    Extractor {
        /// The name of the extractor.
        extractor: String,
        /// What failed and what to do, never a document's text.
        message: String,
        /// What a policy may do about it.
        kind: ErrorKind,
    },
    /// A model was asked, and there is no answer.
    #[error(transparent)]
    Model(#[from] CallError),
    /// One unit cannot be extracted; the others can.
    #[error("{reason}")]
    Unit {
        /// Why, never with a document's text.
        reason: String,
    },
    /// The workflow ended without a result.
    #[error("the extraction workflow failed")]
    Workflow(#[from] WorkflowError),
    /// A stage's input or output is not what the definition writes.
    #[error("cannot read the recorded data of {what}")]
    Decode {
        /// The activity or stage whose data it is.
        what: String,
        /// What the parser said.
        #[source]
        source: std::sync::Arc<serde_json::Error>,
    },
}

impl ExtractionError {
    /// What a policy may do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::EmptyDocument
            | Self::DocumentTooLong
            | Self::Unit { .. }
            | Self::Decode { .. } => ErrorKind::Permanent,
            Self::Model(error) => error.kind(),
            Self::Config(error) => error.kind(),
            Self::Extractor { kind, .. } => *kind,
            Self::Workflow(error) => error.kind(),
        }
    }
}

impl From<ExtractionError> for ActivityError {
    fn from(error: ExtractionError) -> Self {
        if let ExtractionError::Model(CallError::Suspended(suspension)) = error {
            return Self::suspended(suspension);
        }
        if let ExtractionError::Model(
            CallError::Authentication { .. } | CallError::Unknown { .. },
        ) = error
        {
            return Self::of_batch(error.to_string());
        }
        let message = match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        Self::new(error.kind(), message)
    }
}
