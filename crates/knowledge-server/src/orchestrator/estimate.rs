//! What a batch would take, before anything is asked or stored.

mod vectors;

use std::sync::Arc;

use knowledge_domain::{Ontology, batch::Extractor, ids::OrganizationId};
use knowledge_extraction::{
    PipelineConfig,
    llm::{Estimate, LlmOptions, estimate},
};

pub use self::vectors::VectorEstimate;
use super::{Orchestrator, StartBatch, StartBatchError, prepare};
use crate::{
    llm::Gateway,
    store::{StoreError, ledger::PreparedBatch},
};

/// What a batch is expected to take.
#[derive(Debug, Clone, Default)]
pub struct BatchEstimate {
    /// What extraction takes.
    pub extraction: Estimate,
    /// The model that is asked; nothing, where none is.
    pub model: Option<String>,
    /// What comparing the meanings of names takes, where that is done.
    pub vectors: Option<VectorEstimate>,
}

impl Orchestrator {
    /// What the batch of a request is expected to take.
    pub async fn estimate(
        &self,
        organization: OrganizationId,
        command: StartBatch,
    ) -> Result<BatchEstimate, StartBatchError> {
        let mode = self.shared.executor.mode();
        let batch = prepare::prepare(organization, command, mode, &self.shared.settings)?;
        let ontology = self.ontology_of(&batch).await?;
        self.estimate_with(batch, ontology).await
    }

    /// What the batch of a request is expected to take with an ontology that is not registered.
    pub async fn estimate_unregistered(
        &self,
        organization: OrganizationId,
        command: StartBatch,
        ontology: Ontology,
    ) -> Result<BatchEstimate, StartBatchError> {
        let mode = self.shared.executor.mode();
        let batch = prepare::prepare(organization, command, mode, &self.shared.settings)?;
        self.estimate_with(batch, Arc::new(ontology)).await
    }

    async fn estimate_with(
        &self,
        batch: PreparedBatch,
        ontology: Arc<Ontology>,
    ) -> Result<BatchEstimate, StartBatchError> {
        let mut estimate = BatchEstimate::default();
        estimate.extraction.documents = batch.documents.len() as u64;
        let Some(models) = self.models.clone() else {
            return Ok(estimate);
        };
        let texts = batch.documents.into_iter().map(|document| document.text);
        let texts: Arc<[String]> = texts.collect();
        let meanings = models.embedding_model();
        if let Some(model) = meanings.filter(|_| batch.config.enable_entity_resolution) {
            estimate.vectors = Some(vectors::estimate(&models, model, &texts).await);
        }
        if batch.config.extractor == Extractor::Llm {
            estimate.model = Some(models.model().to_owned());
            let options = models.options(&batch.config);
            let counted =
                tokio::task::spawn_blocking(move || counted(&models, &texts, &options, &ontology));
            estimate.extraction = counted
                .await
                .map_err(|_| StoreError::corrupt("a text that cannot be counted"))?;
        }
        Ok(estimate)
    }
}

fn counted(
    models: &Gateway,
    texts: &[String],
    options: &LlmOptions,
    ontology: &Ontology,
) -> Estimate {
    estimate(
        texts.iter().map(String::as_str),
        ontology,
        &options.pipeline(PipelineConfig::default()),
        options,
        models.tokenizer(),
        models.settings().price(models.model()),
    )
}
