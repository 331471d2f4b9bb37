//! The extraction workflow over the store.

use std::sync::Arc;

use knowledge_domain::{
    Ontology,
    graph::{DocumentGraph, SourceText},
    ids::{DocumentId, OrganizationId},
    workflow::{
        Activities, ActivityCall, ActivityContext, ActivityError, BoxFuture, Durable, WorkflowError,
    },
};
use knowledge_extraction::{
    DocumentSource, ExtractionActivities, ExtractionInput, Extractor, ExtractorIdentity, GraphSink,
    OfflineExtractor, PipelineConfig, extract_document,
};
use tokio::sync::OnceCell;

use crate::{
    engine::{Job, Workflow, Workflows},
    store::{
        ExtractionOrigin, Store, StoreError,
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
            let content_hash = store
                .document_hash(organization, job.run.content)
                .await
                .map_err(|error| journal_error(&error))?;
            let identity = self.extractor.identity();
            let input = ExtractionInput::new(
                job.run.content,
                content_hash,
                &identity,
                &self.ontology,
                self.config.clone(),
            );
            let graphs = Arc::new(StoredDocument {
                ledger: self.ledger.clone(),
                organization,
                text: OnceCell::new(),
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

/// One document: its text, read once and only when it is needed, and where its graph goes.
struct StoredDocument {
    ledger: Ledger,
    organization: OrganizationId,
    text: OnceCell<SourceText>,
    origin: ExtractionOrigin,
}

impl StoredDocument {
    fn store(&self) -> &Store {
        self.ledger.store()
    }

    async fn read(&self, document: DocumentId) -> Result<SourceText, ActivityError> {
        let text = self
            .store()
            .document_text(self.organization, document)
            .await
            .map_err(|error| activity_error(&error))?
            .ok_or_else(|| ActivityError::permanent(format!("{document} is not stored")))?;
        SourceText::new(text)
            .ok_or_else(|| ActivityError::permanent("the document is longer than 4 GiB"))
    }
}

impl DocumentSource for StoredDocument {
    fn text(&self, document: DocumentId) -> BoxFuture<'_, Result<SourceText, ActivityError>> {
        Box::pin(async move {
            let text = self.text.get_or_try_init(|| self.read(document)).await?;
            Ok(text.clone())
        })
    }
}

impl GraphSink for StoredDocument {
    fn store<'a>(
        &'a self,
        _document: DocumentId,
        graph: &'a DocumentGraph,
    ) -> BoxFuture<'a, Result<(), ActivityError>> {
        Box::pin(async move {
            StoredDocument::store(self)
                .store_graph(&self.origin, graph, self.ledger.clock().now())
                .await
                .map_err(|error| activity_error(&error))
        })
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
