//! The domain's enums on the wire.

use async_graphql::Enum;

/// How far a batch is.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::batch::BatchStage")]
pub(crate) enum BatchStage {
    /// No document has begun.
    Pending,
    /// The most advanced document is cut into chunks.
    Chunking,
    /// The most advanced document has its mentions found.
    ExtractingMentions,
    /// The most advanced document has its entities typed.
    ExtractingEntities,
    /// The most advanced document has its relations found.
    ExtractingRelations,
    /// The most advanced document has its graph put together.
    Assembling,
    /// Every document is settled; entities are resolved across them.
    Resolving,
    /// At least one document completed.
    Completed,
    /// No document completed, or abort or resolution ended the batch.
    Failed,
    /// A user cancelled the batch.
    Cancelled,
}

/// How a document in a batch fares.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::document::DocumentStatus")]
pub(crate) enum DocumentStatus {
    /// Waits for its turn.
    Queued,
    /// Its workflow runs.
    Processing,
    /// Its graph is stored.
    Completed,
    /// Its workflow failed.
    Failed,
    /// Failed before, waits for another attempt.
    Retry,
    /// Failed, and the policy has given up.
    Abandoned,
    /// Left unfinished by abort or cancel.
    Skipped,
}

/// A stage of the extraction of one document.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::workflow::WorkflowStage")]
pub(crate) enum WorkflowStage {
    /// The document is cut into chunks.
    Chunk,
    /// Mentions are found in every chunk.
    Mentions,
    /// Mentions become typed entities.
    Entities,
    /// Relations are found in every chunk.
    Relations,
    /// The document's graph is put together and stored.
    Assemble,
}

/// How a workflow fares.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::workflow::WorkflowExecutionStatus")]
pub(crate) enum WorkflowExecutionStatus {
    /// Accepted, not begun.
    Pending,
    /// A process works on it.
    Running,
    /// It waits for something outside: a provider, a budget, a signal.
    Suspended,
    /// It has its output.
    Completed,
    /// It failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// What runs a workflow.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::workflow::WorkflowMode")]
pub(crate) enum WorkflowMode {
    /// The built-in engine.
    Legacy,
    /// The built-in engine, compared with the external one.
    Shadow,
    /// The external engine.
    Engine,
}

/// How the comparison of a document with what another engine comes to fares.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::workflow::ParityStatus")]
pub(crate) enum ParityStatus {
    /// It is still to be compared.
    Pending,
    /// Both came to the same.
    Same,
    /// They differ.
    Different,
    /// They could not be compared.
    Unavailable,
}

/// What happened to a stage.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::workflow::StageStatus")]
pub(crate) enum StageStatus {
    /// The document entered it.
    Started,
    /// A unit was finished, and more remain.
    InProgress,
    /// The last unit was finished.
    Completed,
    /// A unit failed for good.
    Failed,
}

/// What an ontology is written in.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::OntologyFormat")]
pub(crate) enum OntologyFormat {
    /// Turtle.
    Turtle,
    /// RDF/XML.
    #[graphql(name = "RDF_XML")]
    RdfXml,
    /// N-Triples.
    #[graphql(name = "N_TRIPLES")]
    NTriples,
    /// JSON-LD; its context stands in the document.
    #[graphql(name = "JSON_LD")]
    JsonLd,
}

/// Why a workflow waits.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::workflow::SuspendReason")]
pub(crate) enum SuspendReason {
    /// The provider's circuit breaker is open.
    BreakerOpen,
    /// The batch's token budget is spent.
    OverBudget,
    /// The provider asks to wait longer than a call may take.
    RateLimited,
    /// A user asked for it.
    Paused,
}

/// What a user tells one workflow.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::workflow::WorkflowSignal")]
pub(crate) enum WorkflowSignal {
    /// Finish what is in flight, then wait.
    Pause,
    /// Go on.
    Resume,
    /// Drop what is in flight, for good.
    Cancel,
}

/// What a batch does about documents that fail.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::batch::FailurePolicy")]
pub(crate) enum FailurePolicy {
    /// Every document is tried; failures become results.
    ContinueOnFailure,
    /// The first failure stops the batch.
    AbortAll,
    /// After a full pass, failed documents are tried again in rounds.
    RetryFailed,
}

/// How the chunks of a document become questions to a model.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::batch::ExtractionStrategy")]
pub(crate) enum ExtractionStrategy {
    /// One question a chunk, whose answer holds mentions, entities and relations.
    Single,
    /// A question for each stage: mentions, entities, relations.
    Staged,
}

/// What finds mentions, entities and relations.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::batch::Extractor")]
pub(crate) enum Extractor {
    /// Embedded rules: deterministic, no key, no download.
    Offline,
    /// An OpenAI-compatible endpoint.
    Llm,
}
