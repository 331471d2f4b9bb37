use std::time::Duration;

use knowledge_domain::{batch::Extractor, workflow::RetryPolicy};

/// How the orchestrator works.
#[derive(Debug, Clone, PartialEq)]
pub struct OrchestratorSettings {
    /// How long a batch stays leased to a process that says nothing.
    pub lease: Duration,
    /// The waits between rounds over failed documents.
    pub rounds: RetryPolicy,
    /// What extracts when a batch does not say.
    pub default_extractor: Extractor,
    /// Whether there is a model to ask.
    pub has_models: bool,
    /// Documents of all batches that run at a time in this process.
    pub max_documents: usize,
    /// Times that a document may fail, or end the process that works on it, before it is
    /// quarantined; 0 is never.
    pub quarantine_after: u32,
}

impl Default for OrchestratorSettings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(10),
            rounds: RetryPolicy::default(),
            default_extractor: Extractor::Offline,
            has_models: false,
            max_documents: 64,
            quarantine_after: 5,
        }
    }
}
