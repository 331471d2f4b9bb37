//! The pipeline without a database and without a journal: the baseline for everything durable.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use knowledge_domain::{
    Ontology,
    graph::{DocumentGraph, SourceText},
    ids::{DocumentId, OrganizationId},
    workflow::{
        Activities, ActivityContext, ActivityError, BoxFuture, Durable, StageCall, WorkflowError,
    },
};

use crate::{
    config::{PipelineConfig, sha256_hex},
    error::ExtractionError,
    extractor::Extractor,
    workflow::{
        DocumentSource, ExtractionActivities, ExtractionInput, GraphSink, extract_document,
    },
};

#[cfg(test)]
mod tests;

/// Runs stages at once and records nothing.
pub struct Direct<'a> {
    activities: &'a dyn Activities,
    concurrency: usize,
}

impl<'a> Direct<'a> {
    /// Runs up to `concurrency` units (at least 1) of a stage at a time.
    #[must_use]
    pub fn new(activities: &'a dyn Activities, concurrency: usize) -> Self {
        Self {
            activities,
            concurrency: concurrency.max(1),
        }
    }
}

impl Durable for Direct<'_> {
    fn run_stage(&self, call: StageCall) -> BoxFuture<'_, Result<Vec<Vec<u8>>, WorkflowError>> {
        let stage = call.stage;
        let run = move |call: knowledge_domain::workflow::ActivityCall| async move {
            let context = ActivityContext {
                stage,
                idempotency_key: call.name.clone(),
                attempt: 1,
            };
            self.activities
                .run(&context, &call)
                .await
                .map_err(|source| WorkflowError::Activity { stage, source })
        };
        Box::pin(
            stream::iter(call.calls)
                .map(run)
                .buffered(self.concurrency)
                .try_collect(),
        )
    }
}

/// Text to graph in one call, with one extractor.
#[derive(Clone)]
pub struct ExtractionPipeline {
    extractor: Arc<dyn Extractor>,
    concurrency: usize,
}

impl ExtractionPipeline {
    /// A pipeline that works on one chunk at a time.
    #[must_use]
    pub fn new(extractor: Arc<dyn Extractor>) -> Self {
        Self {
            extractor,
            concurrency: 1,
        }
    }

    /// The same, with up to `concurrency` units of a stage at a time; the result is the same.
    #[must_use]
    pub fn with_concurrency(self, concurrency: usize) -> Self {
        Self {
            concurrency,
            ..self
        }
    }

    /// The graph of one text.
    ///
    /// # Errors
    /// [`ExtractionError::EmptyDocument`] for a text without a character that is not blank,
    /// [`ExtractionError::Config`] for settings out of range, else what the extractor reports.
    ///
    /// # Cancel safety
    /// Dropping the future drops all work.
    pub async fn run(
        &self,
        text: &str,
        ontology: &Ontology,
        config: &PipelineConfig,
    ) -> Result<DocumentGraph, ExtractionError> {
        config.validate()?;
        if text.chars().all(crate::sentence::is_blank) {
            return Err(ExtractionError::EmptyDocument);
        }
        let memory = Arc::new(Memory {
            text: SourceText::new(text).ok_or(ExtractionError::DocumentTooLong)?,
            graph: Mutex::new(None),
        });
        let content_hash = sha256_hex(text.as_bytes());
        let input = ExtractionInput::new(
            DocumentId::derive(OrganizationId::DEFAULT, &content_hash),
            content_hash,
            &self.extractor.identity(),
            ontology,
            config.clone(),
        );
        let activities = ExtractionActivities::new(
            Arc::clone(&self.extractor),
            Arc::new(ontology.clone()),
            config.clone(),
            Arc::clone(&memory) as Arc<dyn DocumentSource>,
            Arc::clone(&memory) as Arc<dyn GraphSink>,
        );
        extract_document(&Direct::new(&activities, self.concurrency), &input).await?;
        Ok(memory.take())
    }
}

/// One document and its graph.
struct Memory {
    text: SourceText,
    graph: Mutex<Option<DocumentGraph>>,
}

impl Memory {
    fn take(&self) -> DocumentGraph {
        self.graph
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .unwrap_or_default()
    }
}

impl DocumentSource for Memory {
    fn text(&self, _: DocumentId) -> BoxFuture<'_, Result<SourceText, ActivityError>> {
        Box::pin(async { Ok(self.text.clone()) })
    }
}

impl GraphSink for Memory {
    fn store<'a>(
        &'a self,
        _: DocumentId,
        graph: &'a DocumentGraph,
    ) -> BoxFuture<'a, Result<(), ActivityError>> {
        Box::pin(async move {
            *self.graph.lock().unwrap_or_else(PoisonError::into_inner) = Some(graph.clone());
            Ok(())
        })
    }
}
