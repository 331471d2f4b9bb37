//! The same documents through the durable run and through the direct pipeline.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use anyhow::Result;
use knowledge_domain::{
    Ontology,
    graph::DocumentGraph,
    ids::{DocumentId, ExecutionId, OrganizationId},
    workflow::{BoxFuture, WorkflowStage},
};
use knowledge_extraction::{
    EntityCandidate, EntityRequest, ExtractionError, ExtractionPipeline, Extractor,
    ExtractorIdentity, Found, MentionCandidate, MentionRequest, OfflineExtractor, PipelineConfig,
    RelationCandidate, RelationRequest, fingerprint, sha256_hex,
};
use knowledge_server::{
    app::ExtractionWorkflows,
    store::{DatabaseUrl, ExtractionOrigin, FoundGraph, Store, ledger::Ledger},
};
use knowledge_tables::document;
use sea_orm::{ActiveValue::Set, EntityTrait};
use tokio::task::JoinSet;

use crate::{
    corpus, parts,
    sample::{Meter, Sample},
};

/// What a model takes to answer.
const CALL: Duration = Duration::from_millis(50);

/// What extracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Provider {
    /// The offline rules: nothing but work for the processor.
    Offline,
    /// The same rules behind a wait of 50 ms a call.
    Paced,
}

impl Provider {
    fn extractor(self) -> Arc<dyn Extractor> {
        match self {
            Self::Offline => Arc::new(OfflineExtractor::new()),
            Self::Paced => Arc::new(Paced(OfflineExtractor::new())),
        }
    }
}

/// How documents are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Path {
    /// As a batch, checkpointed.
    Durable,
    /// `ExtractionPipeline::run`, then one write of the graph.
    Direct,
}

/// Runs so many documents of the corpus, `concurrency` at a time.
pub(crate) async fn measure(
    url: &DatabaseUrl,
    path: Path,
    provider: Provider,
    documents: usize,
    concurrency: u32,
) -> Result<Sample> {
    let ledger = parts::ledger(url).await?;
    let texts: Vec<String> = (0..documents).map(corpus::report).collect();
    let extractor = provider.extractor();
    match path {
        Path::Durable => {
            let workflows = ExtractionWorkflows::with_extractor(ledger.clone(), extractor);
            let command = parts::batch(texts, concurrency, false);
            parts::run(&ledger, Arc::new(workflows), command).await
        }
        Path::Direct => direct(&ledger, &extractor, texts, concurrency as usize).await,
    }
}

async fn direct(
    ledger: &Ledger,
    extractor: &Arc<dyn Extractor>,
    texts: Vec<String>,
    concurrency: usize,
) -> Result<Sample> {
    // A graph refers to its document; the durable run stores it when the batch starts.
    store_documents(ledger, &texts).await?;
    // As many units of a document at a time as the durable run has.
    let window = WorkflowStage::Mentions.policy().window;
    let direct = Arc::new(Direct {
        pipeline: ExtractionPipeline::new(Arc::clone(extractor)).with_concurrency(window),
        store: ledger.store().clone(),
        ledger: ledger.clone(),
        identity: extractor.identity(),
        ontology: Ontology::core(),
        config: PipelineConfig::default(),
    });
    let meter = Meter::start()?;
    let mut waiting = VecDeque::from(texts);
    let mut running = JoinSet::new();
    loop {
        while running.len() < concurrency
            && let Some(text) = waiting.pop_front()
        {
            let direct = Arc::clone(&direct);
            running.spawn(async move { direct.document(&text).await });
        }
        let Some(done) = running.join_next().await else {
            break;
        };
        done??;
    }
    let mut sample = meter.stop()?;
    sample.entities = parts::entities(ledger.store()).await?;
    Ok(sample)
}

struct Direct {
    pipeline: ExtractionPipeline,
    store: Store,
    ledger: Ledger,
    identity: ExtractorIdentity,
    ontology: Ontology,
    config: PipelineConfig,
}

impl Direct {
    async fn document(&self, text: &str) -> Result<()> {
        let graph = self
            .pipeline
            .run(text, &self.ontology, &self.config)
            .await?;
        self.store_graph(text, graph).await
    }

    async fn store_graph(&self, text: &str, graph: DocumentGraph) -> Result<()> {
        let organization = OrganizationId::DEFAULT;
        let origin = ExtractionOrigin {
            organization,
            document: DocumentId::derive(organization, &sha256_hex(text.as_bytes())),
            execution: ExecutionId::from_uuid(self.ledger.entropy().uuid_v7()),
            ontology: None,
            fingerprint: fingerprint(&self.identity, &self.ontology, &self.config),
            extractor: format!("{} {}", self.identity.name, self.identity.version),
            model: None,
            prompt_version: None,
        };
        let at = self.ledger.clock().now();
        let found = FoundGraph {
            origin,
            graph: Arc::new(graph),
        };
        Ok(self.store.store_graph(&found, at).await?)
    }
}

async fn store_documents(ledger: &Ledger, texts: &[String]) -> Result<()> {
    let organization = OrganizationId::DEFAULT;
    let at = ledger.clock().now();
    let rows = texts.iter().map(|text| {
        let content_hash = sha256_hex(text.as_bytes());
        document::ActiveModel {
            id: Set(DocumentId::derive(organization, &content_hash).uuid()),
            organization_id: Set(organization.uuid()),
            name: Set("report.txt".to_owned()),
            source_uri: Set(None),
            content_hash: Set(content_hash),
            text: Set(text.clone()),
            char_count: Set(i32::try_from(text.chars().count()).unwrap_or(i32::MAX)),
            metadata: Set(serde_json::json!({})),
            created_at: Set(at),
            updated_at: Set(at),
        }
    });
    let tx = ledger.store().begin().await?;
    document::Entity::insert_many(rows)
        .exec_without_returning(&tx)
        .await?;
    Ok(tx.commit().await?)
}

/// The offline rules behind the wait for a model; it waits as one does, without a thread of its own.
struct Paced(OfflineExtractor);

impl Extractor for Paced {
    fn identity(&self) -> ExtractorIdentity {
        ExtractorIdentity {
            name: "paced".to_owned(),
            ..self.0.identity()
        }
    }

    fn asks_models(&self) -> bool {
        true
    }

    fn mentions<'a>(
        &'a self,
        request: MentionRequest<'a>,
    ) -> BoxFuture<'a, Result<Found<MentionCandidate>, ExtractionError>> {
        Box::pin(async move {
            tokio::time::sleep(CALL).await;
            self.0.mentions(request).await
        })
    }

    fn entities<'a>(
        &'a self,
        request: EntityRequest<'a>,
    ) -> BoxFuture<'a, Result<Found<EntityCandidate>, ExtractionError>> {
        Box::pin(async move {
            tokio::time::sleep(CALL).await;
            self.0.entities(request).await
        })
    }

    fn relations<'a>(
        &'a self,
        request: RelationRequest<'a>,
    ) -> BoxFuture<'a, Result<Found<RelationCandidate>, ExtractionError>> {
        Box::pin(async move {
            tokio::time::sleep(CALL).await;
            self.0.relations(request).await
        })
    }
}
