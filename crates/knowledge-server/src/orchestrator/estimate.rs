//! What a batch would take, before anything is asked or stored.

use knowledge_domain::{Ontology, batch::Extractor, ids::OrganizationId};
use knowledge_extraction::{
    PipelineConfig,
    llm::{Estimate, LlmOptions, estimate},
};

use super::{Orchestrator, StartBatch, StartBatchError, prepare};
use crate::{llm::Gateway, store::StoreError};

impl Orchestrator {
    /// What the batch of a request is expected to take, and the model that would be asked; nothing,
    /// where no model would be.
    pub async fn estimate(
        &self,
        organization: OrganizationId,
        command: StartBatch,
    ) -> Result<(Estimate, Option<String>), StartBatchError> {
        let mode = self.shared.executor.mode();
        let batch = prepare::prepare(organization, command, mode, &self.shared.settings)?;
        self.require_ontology(&batch).await?;
        let documents = batch.documents.len() as u64;
        let Some(models) = self
            .models
            .clone()
            .filter(|_| batch.config.extractor == Extractor::Llm)
        else {
            let nothing = Estimate {
                documents,
                ..Estimate::default()
            };
            return Ok((nothing, None));
        };
        let model = models.model().to_owned();
        let options = models.options(&batch.config);
        let texts = batch.documents.into_iter().map(|document| document.text);
        let texts: Vec<String> = texts.collect();
        let counted = tokio::task::spawn_blocking(move || counted(&models, &texts, &options));
        let estimate = counted
            .await
            .map_err(|_| StoreError::corrupt("a text that cannot be counted"))?;
        Ok((estimate, Some(model)))
    }
}

fn counted(models: &Gateway, texts: &[String], options: &LlmOptions) -> Estimate {
    estimate(
        texts.iter().map(String::as_str),
        &Ontology::core(),
        &options.pipeline(PipelineConfig::default()),
        options,
        models.tokenizer(),
        models.settings().price(models.model()),
    )
}
