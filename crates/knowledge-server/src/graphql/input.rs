//! What a client says to start a batch.

use async_graphql::{ID, InputObject, Json};
use knowledge_domain::{batch::BatchOptions, ids::OntologyId};
use serde_json::Value;

use super::{
    enums::{ExtractionStrategy, Extractor, FailurePolicy},
    scalar::Long,
};
use crate::orchestrator::{NewDocument, StartBatch};

/// A document.
#[derive(InputObject)]
pub(crate) struct DocumentInput {
    /// The name that people read.
    name: String,
    /// The text.
    text: String,
    /// Where it came from.
    source_uri: Option<String>,
    /// Whatever belongs to it.
    metadata: Option<Json<Value>>,
}

/// Settings of a batch; what is left out takes its default.
#[derive(InputObject)]
pub(crate) struct BatchConfigInput {
    /// Documents at a time, from 1 to 64; 3 when left out.
    concurrency: Option<i32>,
    /// `CONTINUE_ON_FAILURE` when left out.
    failure_policy: Option<FailurePolicy>,
    /// Rounds over failed documents under `RETRY_FAILED`, from 0 to 10; 2 when left out.
    max_retries: Option<i32>,
    /// Whether entities are resolved across documents at the end; they are when left out.
    enable_entity_resolution: Option<bool>,
    /// What extracts; when left out, what the server is configured with.
    extractor: Option<Extractor>,
    /// The most tokens that model calls may use; no limit when left out.
    token_budget: Option<Long>,
    /// How chunks become questions to a model; `SINGLE` when left out.
    strategy: Option<ExtractionStrategy>,
    /// Rounds in which a model is asked for what it missed, from 0 to 5; 0 when left out.
    gleaning_rounds: Option<i32>,
    /// The least share of a document's units that must be extracted, in percent; 100 when left out.
    minimum_coverage: Option<i32>,
}

/// A batch to start.
#[derive(InputObject)]
pub(crate) struct StartBatchInput {
    /// The documents in their order; at least one.
    documents: Vec<DocumentInput>,
    /// A registered ontology; the core types when left out.
    ontology_id: Option<ID>,
    /// Settings; what is left out takes its default.
    config: Option<BatchConfigInput>,
    /// Names the request: sent again, it gives the same batch.
    idempotency_key: Option<String>,
}

/// An id that names no ontology.
pub(super) struct UnknownOntology(pub(super) String);

impl StartBatchInput {
    /// The command to start it.
    pub(super) fn command(self) -> Result<StartBatch, UnknownOntology> {
        let ontology_id: Option<OntologyId> = self
            .ontology_id
            .map(|id| id.parse().map_err(|_| UnknownOntology(id.to_string())))
            .transpose()?;
        Ok(StartBatch {
            documents: self.documents.into_iter().map(NewDocument::from).collect(),
            ontology_id,
            options: self.config.map(BatchOptions::from).unwrap_or_default(),
            idempotency_key: self.idempotency_key,
        })
    }
}

impl From<DocumentInput> for NewDocument {
    fn from(input: DocumentInput) -> Self {
        let nothing = || Value::Object(serde_json::Map::new());
        Self {
            name: input.name,
            text: input.text,
            source_uri: input.source_uri,
            metadata: input.metadata.map_or_else(nothing, |metadata| metadata.0),
        }
    }
}

impl From<BatchConfigInput> for BatchOptions {
    fn from(input: BatchConfigInput) -> Self {
        Self {
            concurrency: input.concurrency.map(i64::from),
            failure_policy: input.failure_policy.map(Into::into),
            max_retries: input.max_retries.map(i64::from),
            enable_entity_resolution: input.enable_entity_resolution,
            extractor: input.extractor.map(Into::into),
            token_budget: input.token_budget.map(|budget| budget.0),
            strategy: input.strategy.map(Into::into),
            gleaning_rounds: input.gleaning_rounds.map(i64::from),
            minimum_coverage: input.minimum_coverage.map(i64::from),
        }
    }
}
