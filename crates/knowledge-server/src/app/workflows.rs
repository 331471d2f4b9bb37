//! The extraction workflow over the store.

use std::sync::Arc;

use knowledge_domain::{
    Ontology,
    graph::{DocumentGraph, SourceText},
    ids::DocumentId,
    workflow::{
        Activities, ActivityCall, ActivityContext, ActivityError, BoxFuture, Durable,
        WorkflowError, WorkflowStage,
    },
};
use knowledge_extraction::{
    DocumentSource, ExtractionActivities, ExtractionInput, Extractor, ExtractorIdentity, GraphSink,
    OfflineExtractor, PipelineConfig, extract_document,
};

use crate::{
    engine::{Job, Workflow, Workflows},
    store::{
        ExtractionOrigin, StoreError,
        ledger::{DocumentOutcome, Ledger},
    },
    text::chain,
};

/// Makes the extraction workflow of a document.
pub struct ExtractionWorkflows {
    ledger: Ledger,
    extractor: Arc<dyn Extractor>,
    ontology: Arc<Ontology>,
    config: PipelineConfig,
}

impl ExtractionWorkflows {
    /// Workflows with the offline extractor and the core types.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        Self::with_extractor(ledger, Arc::new(OfflineExtractor))
    }

    /// Workflows with this extractor and the core types.
    #[must_use]
    pub fn with_extractor(ledger: Ledger, extractor: Arc<dyn Extractor>) -> Self {
        Self {
            ledger,
            extractor,
            ontology: Arc::new(Ontology::core()),
            config: PipelineConfig::default(),
        }
    }
}

impl Workflows for ExtractionWorkflows {
    fn workflow<'a>(
        &'a self,
        job: &'a Job,
    ) -> BoxFuture<'a, Result<Arc<dyn Workflow>, WorkflowError>> {
        Box::pin(async move {
            let store = self.ledger.store();
            let organization = job.lease.organization;
            let content = store
                .document(organization, job.run.content)
                .await
                .map_err(|error| journal_error(&error))?;
            let text = SourceText::new(content.text).ok_or_else(too_long)?;
            let identity = self.extractor.identity();
            let input = ExtractionInput::new(
                job.run.content,
                content.content_hash,
                &identity,
                &self.ontology,
                self.config.clone(),
            );
            let graphs = Arc::new(StoredDocument {
                ledger: self.ledger.clone(),
                text,
                origin: origin(job, &identity, &input),
            });
            let activities = ExtractionActivities::new(
                Arc::clone(&self.extractor),
                Arc::clone(&self.ontology),
                self.config.clone(),
                Arc::clone(&graphs) as Arc<dyn DocumentSource>,
                Arc::clone(&graphs) as Arc<dyn GraphSink>,
            );
            let workflow: Arc<dyn Workflow> = Arc::new(ExtractionWorkflow {
                input,
                extraction: graphs.origin.extraction(),
                activities: Arc::new(Blocking(Arc::new(activities))),
            });
            Ok(workflow)
        })
    }
}

fn origin(job: &Job, identity: &ExtractorIdentity, input: &ExtractionInput) -> ExtractionOrigin {
    ExtractionOrigin {
        organization: job.lease.organization,
        document: job.run.content,
        execution: job.run.execution,
        ontology: job.ontology,
        fingerprint: input.fingerprint.clone(),
        extractor: format!("{} {}", identity.name, identity.version),
    }
}

struct ExtractionWorkflow {
    input: ExtractionInput,
    extraction: knowledge_domain::ids::ExtractionId,
    activities: Arc<dyn Activities>,
}

impl Workflow for ExtractionWorkflow {
    fn activities(&self) -> Arc<dyn Activities> {
        Arc::clone(&self.activities)
    }

    fn define<'a>(
        &'a self,
        durable: &'a dyn Durable,
    ) -> BoxFuture<'a, Result<DocumentOutcome, WorkflowError>> {
        Box::pin(async move {
            let summary = extract_document(durable, &self.input).await?;
            Ok(DocumentOutcome {
                extraction: self.extraction,
                entities: summary.entity_count,
                relations: summary.relation_count,
                tokens: summary.total_tokens,
                output: serde_json::json!(summary),
                trailing: None,
            })
        })
    }
}

/// Runs activities that compute rather than wait on threads of their own, so that a long document
/// delays nobody's request.
struct Blocking(Arc<dyn Activities>);

impl Activities for Blocking {
    fn run<'a>(
        &'a self,
        context: &'a ActivityContext,
        call: &'a ActivityCall,
    ) -> BoxFuture<'a, Result<Vec<u8>, ActivityError>> {
        let (activities, context, call) = (Arc::clone(&self.0), context.clone(), call.clone());
        let name = call.name.clone();
        Box::pin(async move {
            let runtime = tokio::runtime::Handle::current();
            let body = move || runtime.block_on(activities.run(&context, &call));
            match tokio::task::spawn_blocking(body).await {
                Ok(result) => result,
                Err(error) if error.is_cancelled() => {
                    Err(ActivityError::retryable(format!("{name} was cancelled")))
                }
                // The panic hook has written what happened; a document must not end the process.
                Err(_) => Err(ActivityError::permanent(format!(
                    "{name} panicked, which is a defect of knowledge; please report it"
                ))),
            }
        })
    }
}

/// One document: its text, and where its graph goes.
struct StoredDocument {
    ledger: Ledger,
    text: SourceText,
    origin: ExtractionOrigin,
}

impl DocumentSource for StoredDocument {
    fn text(&self, document: DocumentId) -> BoxFuture<'_, Result<SourceText, ActivityError>> {
        let text = if document == self.origin.document {
            Ok(self.text.clone())
        } else {
            Err(ActivityError::permanent(format!(
                "{document} is not the document of this workflow"
            )))
        };
        Box::pin(std::future::ready(text))
    }
}

impl GraphSink for StoredDocument {
    fn store<'a>(
        &'a self,
        _document: DocumentId,
        graph: &'a DocumentGraph,
    ) -> BoxFuture<'a, Result<(), ActivityError>> {
        Box::pin(async move {
            self.ledger
                .store()
                .store_graph(&self.origin, graph, self.ledger.clock().now())
                .await
                .map_err(|error| activity_error(&error))
        })
    }
}

fn too_long() -> WorkflowError {
    WorkflowError::Activity {
        stage: WorkflowStage::Chunk,
        source: ActivityError::permanent("the document is longer than 4 GiB"),
    }
}

fn activity_error(error: &StoreError) -> ActivityError {
    ActivityError::new(error.kind(), chain(error))
}

fn journal_error(error: &StoreError) -> WorkflowError {
    WorkflowError::Journal {
        message: chain(error),
        kind: error.kind(),
    }
}
