//! The extraction workflow over the store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use knowledge_domain::{
    Ontology, batch,
    graph::{DocumentGraph, SourceText},
    ids::{DocumentId, ExtractionId},
    workflow::{
        Activities, ActivityCall, ActivityContext, ActivityError, BoxFuture, Durable, UnitReport,
        WorkflowError, WorkflowStage,
    },
};
use knowledge_extraction::{
    DocumentSource, ExtractionActivities, ExtractionInput, Extractor, ExtractorIdentity, GraphSink,
    OfflineExtractor, PipelineConfig, extract_document,
    llm::{LlmExtractor, LlmOptions},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    engine::{Job, Workflow, Workflows},
    faults,
    llm::{Gateway, Session},
    ontologies::{Ontologies, OntologyUnavailable},
    store::{
        ExtractionOrigin, FoundGraph, Store, StoreError,
        ledger::{DocumentOutcome, Ledger},
    },
    text::chain,
};

/// Makes the extraction workflow of a document.
pub struct ExtractionWorkflows {
    ledger: Ledger,
    extractor: Arc<dyn Extractor>,
    core: Arc<Ontology>,
    ontologies: Ontologies,
    config: PipelineConfig,
    models: Option<Gateway>,
    is_rehearsal: bool,
}

impl ExtractionWorkflows {
    /// Workflows with the offline extractor.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        Self::with_extractor(ledger, Arc::new(OfflineExtractor))
    }

    /// Workflows with this extractor, and the core types for the batches that name no ontology.
    #[must_use]
    pub fn with_extractor(ledger: Ledger, extractor: Arc<dyn Extractor>) -> Self {
        Self {
            ontologies: Ontologies::new(ledger.store().clone()),
            ledger,
            extractor,
            core: Arc::new(Ontology::core()),
            config: PipelineConfig::default(),
            models: None,
            is_rehearsal: false,
        }
    }

    /// The same, with the ontologies that somebody else reads as well.
    #[must_use]
    pub fn with_ontologies(self, ontologies: Ontologies) -> Self {
        Self { ontologies, ..self }
    }

    /// The same, with models for the batches that ask for them.
    #[must_use]
    pub fn with_models(self, models: Option<Gateway>) -> Self {
        Self { models, ..self }
    }

    /// The same, to be run once more for a comparison: models are not asked again, and every graph is
    /// found anew.
    #[must_use]
    pub fn for_rehearsals(self) -> Self {
        Self {
            is_rehearsal: true,
            ..self
        }
    }

    /// The classes and properties of a job's batch.
    async fn ontology(&self, job: &Job) -> Result<Arc<Ontology>, WorkflowError> {
        let Some(id) = job.ontology else {
            return Ok(Arc::clone(&self.core));
        };
        let found = self.ontologies.get(job.run.organization, id).await;
        found.map_err(|error| match error {
            OntologyUnavailable::Store(error) => journal_error(&error),
            other => WorkflowError::Activity {
                stage: WorkflowStage::Chunk,
                source: ActivityError::of_batch(other.to_string()),
            },
        })
    }

    /// What extracts a job's document.
    fn extractor(&self, job: &Job) -> Result<Chosen, WorkflowError> {
        if job.config.extractor != batch::Extractor::Llm {
            return Ok(Chosen {
                extractor: Arc::clone(&self.extractor),
                model: None,
                prompts: None,
                config: self.config.clone(),
            });
        }
        let gateway = self.models.as_ref().ok_or_else(no_models)?;
        let asks = job.config.asks.clone();
        let asks = asks.unwrap_or_else(|| gateway.asks(&job.config));
        let options = LlmOptions {
            max_output_tokens: asks.max_output_tokens,
            ..gateway.options(&job.config)
        };
        let prompts = LlmExtractor::prompt_versions(&options);
        if prompts != asks.prompts {
            return Err(other_prompts(&asks.prompts, &prompts));
        }
        let session = Session::new(gateway.clone(), job.run.organization)
            .asking(&asks.model)
            .of_workflow(job.run.batch, job.run.execution, job.config.token_budget);
        let session = if self.is_rehearsal {
            session.of_kept_answers()
        } else {
            session
        };
        Ok(Chosen {
            model: Some(asks.model),
            prompts: Some(prompts),
            config: options.pipeline(self.config.clone()),
            extractor: Arc::new(LlmExtractor::new(Arc::new(session), options)),
        })
    }
}

/// An extractor, and the model that it asks.
struct Chosen {
    extractor: Arc<dyn Extractor>,
    model: Option<String>,
    prompts: Option<String>,
    config: PipelineConfig,
}

impl Workflows for ExtractionWorkflows {
    fn workflow<'a>(
        &'a self,
        job: &'a Job,
    ) -> BoxFuture<'a, Result<Arc<dyn Workflow>, WorkflowError>> {
        Box::pin(async move {
            let store = self.ledger.store();
            let organization = job.run.organization;
            let content = store
                .document(organization, job.run.content)
                .await
                .map_err(|error| journal_error(&error))?;
            let text = SourceText::new(content.text).ok_or_else(too_long)?;
            let chosen = self.extractor(job)?;
            let ontology = self.ontology(job).await?;
            let identity = chosen.extractor.identity();
            let input = ExtractionInput::new(
                job.run.content,
                content.content_hash,
                &identity,
                &ontology,
                chosen.config.clone(),
            )
            .with_minimum_coverage(job.config.minimum_coverage);
            let graphs = Arc::new(StoredDocument {
                text,
                origin: origin(job, &identity, &input, &chosen),
                graph: Mutex::new(None),
            });
            let activities = ExtractionActivities::new(
                chosen.extractor,
                ontology,
                chosen.config.clone(),
                Arc::clone(&graphs) as Arc<dyn DocumentSource>,
                Arc::clone(&graphs) as Arc<dyn GraphSink>,
            );
            let activities = Arc::new(Blocking(Arc::new(activities)));
            let workflow: Arc<dyn Workflow> = Arc::new(ExtractionWorkflow {
                input,
                store: store.clone(),
                activities: faults::watched(job, graphs.text.as_str(), activities),
                document: graphs,
                is_rehearsal: self.is_rehearsal,
            });
            Ok(workflow)
        })
    }
}

fn origin(
    job: &Job,
    identity: &ExtractorIdentity,
    input: &ExtractionInput,
    chosen: &Chosen,
) -> ExtractionOrigin {
    ExtractionOrigin {
        organization: job.run.organization,
        document: job.run.content,
        execution: job.run.execution,
        ontology: job.ontology,
        fingerprint: input.fingerprint.clone(),
        extractor: format!("{} {}", identity.name, identity.version),
        model: chosen.model.clone(),
        prompt_version: chosen.prompts.clone(),
    }
}

struct ExtractionWorkflow {
    input: ExtractionInput,
    store: Store,
    document: Arc<StoredDocument>,
    activities: Arc<dyn Activities>,
    is_rehearsal: bool,
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
            let origin = self.document.origin.without(&summary.missing_names());
            let graph = self.document.found(origin.clone());
            // What was answered from memory was extracted before, as a rule.
            let remembered = origin.model.is_some() && summary.total_tokens == 0;
            let stored = if remembered && !self.is_rehearsal {
                self.stored(&origin).await?
            } else {
                None
            };
            Ok(DocumentOutcome {
                extraction: stored.unwrap_or_else(|| origin.extraction()),
                entities: summary.entity_count,
                relations: summary.relation_count,
                missing: u32::try_from(summary.missing.len()).unwrap_or(u32::MAX),
                tokens: summary.total_tokens,
                output: serde_json::json!(summary),
                trailing: Vec::new(),
                graph: graph.filter(|_| stored.is_none()),
            })
        })
    }
}

impl ExtractionWorkflow {
    /// The extraction, when its graph is stored already.
    async fn stored(
        &self,
        origin: &ExtractionOrigin,
    ) -> Result<Option<ExtractionId>, WorkflowError> {
        let stored = self.store.stored_extraction(origin).await;
        stored.map_err(|error| journal_error(&error))
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
        let asks = !matches!(
            context.stage,
            WorkflowStage::Chunk | WorkflowStage::Assemble
        );
        if asks && self.0.keeps_time() {
            return Box::pin(asked(activities, context, call));
        }
        Box::pin(async move {
            let runtime = tokio::runtime::Handle::current();
            let body = move || runtime.block_on(activities.run(&context, &call));
            match tokio::task::spawn_blocking(body).await {
                Ok(result) => result,
                Err(error) if error.is_cancelled() => {
                    Err(ActivityError::retryable(format!("{name} was cancelled")))
                }
                // The panic hook has written what happened; a document must not end the process.
                Err(_) => Err(panicked(&name)),
            }
        })
    }

    fn report(&self, output: &[u8]) -> UnitReport {
        self.0.report(output)
    }

    fn keeps_time(&self) -> bool {
        self.0.keeps_time()
    }

    fn only_computes(&self, stage: WorkflowStage) -> bool {
        self.0.only_computes(stage)
    }
}

/// Runs an activity that waits rather than computes; dropped, it takes what it waits for with it.
async fn asked(
    activities: Arc<dyn Activities>,
    context: ActivityContext,
    call: ActivityCall,
) -> Result<Vec<u8>, ActivityError> {
    let name = call.name.clone();
    let body = tokio::spawn(async move { activities.run(&context, &call).await });
    match AbortOnDropHandle::new(body).await {
        Ok(result) => result,
        Err(error) if error.is_cancelled() => {
            Err(ActivityError::retryable(format!("{name} was cancelled")))
        }
        Err(_) => Err(panicked(&name)),
    }
}

fn panicked(name: &str) -> ActivityError {
    ActivityError::permanent(format!(
        "{name} panicked, which is a defect of knowledge; please report it"
    ))
}

/// One document: its text, and its graph until it is stored with the outcome, in the transaction
/// that makes the document complete.
struct StoredDocument {
    text: SourceText,
    origin: ExtractionOrigin,
    graph: Mutex<Option<Arc<DocumentGraph>>>,
}

impl StoredDocument {
    fn graph(&self) -> MutexGuard<'_, Option<Arc<DocumentGraph>>> {
        // A graph is put in or taken out whole.
        self.graph.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self, origin: ExtractionOrigin) -> Option<FoundGraph> {
        let graph = self.graph().take()?;
        Some(FoundGraph { origin, graph })
    }
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
        *self.graph() = Some(Arc::new(graph.clone()));
        Box::pin(std::future::ready(Ok(())))
    }
}

fn no_models() -> WorkflowError {
    WorkflowError::Activity {
        stage: WorkflowStage::Mentions,
        source: ActivityError::of_batch(
            "there is no model to ask; set OPENAI_API_KEY or OPENAI_BASE_URL and start again",
        ),
    }
}

/// A batch whose documents were asked for in two ways would not be one.
fn other_prompts(begun: &str, current: &str) -> WorkflowError {
    WorkflowError::Activity {
        stage: WorkflowStage::Mentions,
        source: ActivityError::of_batch(format!(
            "the batch began with the prompts {begun}, and this release has {current}; \
             start a new batch, or go on with the release that it began with"
        )),
    }
}

fn too_long() -> WorkflowError {
    WorkflowError::Activity {
        stage: WorkflowStage::Chunk,
        source: ActivityError::permanent("the document is longer than 4 GiB"),
    }
}

fn journal_error(error: &StoreError) -> WorkflowError {
    WorkflowError::Journal {
        message: chain(error),
        kind: error.kind(),
    }
}
