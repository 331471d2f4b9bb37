//! `Batch`.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result};
use chrono::{DateTime, Utc};
use knowledge_domain::{
    ids::{BatchId, EntityId},
    workflow::WorkflowMode as Mode,
};

use super::{
    document::BatchDocument,
    entity::Entity,
    enums::{
        BatchStage, DocumentStatus, ExtractionStrategy, Extractor, FailurePolicy, WorkflowMode,
    },
    error::internal,
    estimate::{DocumentsByStage, Remaining},
    loaders::{DocumentsOf, EntitiesOf, RelationsOf},
    models::{MissingUnit, ModelUsage, Rejections, UncertainCall},
    ontology::Ontology,
    page::{
        BatchDocumentConnection, EntityConnection, RelationConnection, cost, request, wanted_text,
    },
    parity::ParityReport,
    relation::Relation,
    resolution::Resolution,
    scalar::{Long, int},
    viewer::Viewer,
};
use crate::store::read::{BatchView, EntityFilter, Page, PageRequest, RelationPlace};

/// One run over a set of documents.
#[derive(Clone)]
pub(crate) struct Batch(Box<BatchView>);

impl From<BatchView> for Batch {
    fn from(batch: BatchView) -> Self {
        Self(Box::new(batch))
    }
}

impl Batch {
    pub(super) fn key(&self) -> BatchId {
        self.0.id
    }
}

/// One run over a set of documents.
#[Object]
impl Batch {
    /// The id.
    pub(super) async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// How far it is: the most advanced stage that any of its documents has entered.
    async fn stage(&self) -> BatchStage {
        self.0.stage.into()
    }

    /// What it does about documents that fail.
    async fn failure_policy(&self) -> FailurePolicy {
        self.0.failure_policy.into()
    }

    /// Documents that run at a time.
    async fn concurrency(&self) -> i32 {
        int(self.0.concurrency)
    }

    /// Rounds over failed documents that `RETRY_FAILED` allows.
    async fn max_retries(&self) -> i32 {
        int(self.0.max_retries)
    }

    /// Rounds over failed documents that have begun.
    async fn retry_round(&self) -> i32 {
        int(self.0.retry_round)
    }

    /// Whether entities are resolved across documents at the end.
    async fn enable_entity_resolution(&self) -> bool {
        self.0.enable_entity_resolution
    }

    /// What extracts.
    async fn extractor(&self) -> Extractor {
        self.0.extractor.into()
    }

    /// The ontology that it was started with; `null` for the core types.
    #[graphql(complexity = "10 + child_complexity")]
    async fn ontology(&self, ctx: &Context<'_>) -> Result<Option<Ontology>> {
        let Some(id) = self.0.ontology else {
            return Ok(None);
        };
        let found = Viewer::of(ctx)?.loaders.load_one(id).await;
        Ok(found.map_err(|error| internal(&error))?.map(Ontology::from))
    }

    /// What runs its workflows.
    async fn mode(&self) -> WorkflowMode {
        self.0.mode.into()
    }

    /// Whether workers come to the same with its documents; `null` where its mode is not `SHADOW`.
    #[graphql(complexity = "10 + child_complexity")]
    async fn parity(&self, ctx: &Context<'_>) -> Result<Option<ParityReport>> {
        if self.0.mode != Mode::Shadow {
            return Ok(None);
        }
        let counts = Viewer::of(ctx)?.reads.parity(self.0.id).await;
        let counts = counts.map_err(|error| internal(&error))?;
        Ok(Some(ParityReport::new(self.0.id, counts)))
    }

    /// The share that is done, from 0 to 1.
    async fn progress(&self) -> f64 {
        self.0.progress
    }

    /// Documents.
    async fn total_documents(&self) -> i32 {
        int(self.0.total_documents)
    }

    /// Documents whose graph is stored.
    async fn completed_documents(&self) -> i32 {
        int(self.0.completed_documents)
    }

    /// Documents that failed.
    async fn failed_documents(&self) -> i32 {
        int(self.0.failed_documents)
    }

    /// Documents left unfinished by abort or cancel.
    async fn skipped_documents(&self) -> i32 {
        int(self.0.skipped_documents)
    }

    /// Completed documents whose graphs are without some units; `retryFailedDocuments` asks for
    /// those units.
    async fn partial_documents(&self) -> i32 {
        int(self.0.partial_documents)
    }

    /// Entities; after resolution where it ran.
    async fn entity_count(&self) -> i32 {
        int(self.0.entity_count)
    }

    /// Relations.
    async fn relation_count(&self) -> i32 {
        int(self.0.relation_count)
    }

    /// What resolution amounts to in the batch.
    #[graphql(complexity = "10 + child_complexity")]
    async fn resolution(&self, ctx: &Context<'_>) -> Result<Resolution> {
        let found = Viewer::of(ctx)?.reads.resolution(Some(self.0.id)).await;
        Ok(found.map_err(|error| internal(&error))?.into())
    }

    /// What its resolution waits for, or had to do without; `null` when it is nothing.
    async fn resolution_note(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let note = Viewer::of(ctx)?.reads.resolution_note(self.0.id).await;
        note.map_err(|error| internal(&error))
    }

    /// What its unsettled documents are doing.
    async fn documents_by_stage(&self) -> Option<DocumentsByStage> {
        self.0.documents_by_stage.map(Into::into)
    }

    /// The documents' worth of progress in a minute; `null` before there is evidence, and when no
    /// document is worked on.
    async fn documents_per_minute(&self) -> Option<f64> {
        self.0.documents_per_minute
    }

    /// How long its documents take from the last event on; `null` before there is evidence, and
    /// when no document is worked on.
    async fn remaining_seconds(&self) -> Option<Remaining> {
        self.0.remaining_seconds.map(Into::into)
    }

    /// Tokens of model calls.
    async fn tokens_used(&self) -> Long {
        self.0.tokens_used.into()
    }

    /// How chunks become questions to a model.
    async fn strategy(&self) -> ExtractionStrategy {
        self.0.strategy.into()
    }

    /// The model that it asks, from its start to its end; `null` where it asks none.
    async fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// The most tokens that model calls may use; `null` is no limit.
    async fn token_budget(&self) -> Option<Long> {
        self.0.token_budget.map(Into::into)
    }

    /// What its model calls cost, those of failed units among them.
    #[graphql(complexity = "10 + child_complexity")]
    async fn model_usage(&self, ctx: &Context<'_>) -> Result<ModelUsage> {
        let account = Viewer::of(ctx)?.reads.account(self.0.id).await;
        Ok(account.map_err(|error| internal(&error))?.totals.into())
    }

    /// Calls that may be paid for twice: a process died, or an answer was lost, while they were on
    /// their way, and they were sent again.
    #[graphql(complexity = "10 + child_complexity")]
    async fn uncertain_calls(&self, ctx: &Context<'_>) -> Result<Vec<UncertainCall>> {
        let calls = Viewer::of(ctx)?.reads.uncertain_calls(self.0.id).await;
        let calls = calls.map_err(|error| internal(&error))?;
        Ok(calls.into_iter().map(Into::into).collect())
    }

    /// How many proposals of its completed documents were mended or dropped.
    #[graphql(complexity = "10 + child_complexity")]
    async fn rejections(&self, ctx: &Context<'_>) -> Result<Rejections> {
        let findings = Viewer::of(ctx)?.reads.findings(self.0.id).await;
        Ok(findings
            .map_err(|error| internal(&error))?
            .rejections
            .into())
    }

    /// Units that the graphs of its completed documents are without.
    #[graphql(complexity = "10 + child_complexity")]
    async fn missing_units(&self, ctx: &Context<'_>) -> Result<Vec<MissingUnit>> {
        let findings = Viewer::of(ctx)?.reads.findings(self.0.id).await;
        let missing = findings.map_err(|error| internal(&error))?.missing;
        Ok(missing.into_iter().map(Into::into).collect())
    }

    /// The sequence of its last event.
    async fn last_sequence(&self) -> Long {
        self.0.last_sequence.into()
    }

    /// Why it failed.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }

    /// When it was accepted.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When its first document began.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at
    }

    /// When it ended.
    async fn completed_at(&self) -> Option<DateTime<Utc>> {
        self.0.completed_at
    }

    /// Its documents in the order of the request.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn documents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 500; 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Only those that fare so.")] status: Option<DocumentStatus>,
    ) -> Result<BatchDocumentConnection> {
        let wanted: PageRequest<u32> = request(first, after.as_deref())?;
        let key = DocumentsOf {
            batch: self.0.id,
            status: status.map(Into::into),
            page: wanted,
        };
        let page = Viewer::of(ctx)?.loaders.load_one(key).await;
        let page = page.map_err(|error| internal(&error))?;
        let page = page.map(Arc::unwrap_or_clone).unwrap_or_default();
        let page = page.map(|document| (document.position, BatchDocument::from(document)));
        Ok(BatchDocumentConnection::new(&wanted, page))
    }

    /// The entities, after resolution, that its documents talk about.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn entities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 500; 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(
            name = "type",
            desc = "Only those of this class, or of one that specialises it."
        )]
        class: Option<String>,
        #[graphql(desc = "Only those whose name or alias contains this, ignoring case.")]
        search: Option<String>,
    ) -> Result<EntityConnection> {
        let wanted = request(first, after.as_deref())?;
        let filter = entity_filter(class, search)?;
        entities(ctx, Some(self.0.id), &filter, wanted).await
    }

    /// The relations that its documents state; those that agree are one.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn relations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 500; 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Only those with this predicate.")] predicate: Option<String>,
    ) -> Result<RelationConnection> {
        let wanted: PageRequest<RelationPlace> = request(first, after.as_deref())?;
        let predicate = wanted_text("predicate", predicate)?;
        let loaders = &Viewer::of(ctx)?.loaders;
        let key = RelationsOf {
            batch: self.0.id,
            predicate,
            page: wanted,
        };
        let page = loaders.load_one(key).await;
        let page = page.map_err(|error| internal(&error))?.unwrap_or_default();
        let keys = page.items.iter().map(|(_, key)| key.clone());
        let mut found = loaders
            .load_many(keys)
            .await
            .map_err(|error| internal(&error))?;
        let items = page
            .items
            .into_iter()
            .filter_map(|(place, key)| {
                let relation = found.remove(&key)?;
                Some((place, Relation::new(relation, Some(self.0.id))))
            })
            .collect();
        let page = Page {
            items,
            has_next: page.has_next,
        };
        Ok(RelationConnection::new(&wanted, page))
    }
}

/// Checks what entities are looked for by.
pub(super) fn entity_filter(class: Option<String>, search: Option<String>) -> Result<EntityFilter> {
    Ok(EntityFilter {
        class: wanted_text("type", class)?,
        search: wanted_text("search", search)?,
    })
}

/// A page of canonical entities: of a batch, or of the organisation.
pub(super) async fn entities(
    ctx: &Context<'_>,
    batch: Option<BatchId>,
    filter: &EntityFilter,
    wanted: PageRequest<EntityId>,
) -> Result<EntityConnection> {
    let viewer = Viewer::of(ctx)?;
    let page = if let Some(batch) = batch {
        let key = EntitiesOf {
            batch,
            filter: filter.clone(),
            page: wanted,
        };
        let page = viewer.loaders.load_one(key).await;
        page.map_err(|error| internal(&error))?.unwrap_or_default()
    } else {
        let page = viewer.reads.entity_page(filter, wanted).await;
        page.map_err(|error| internal(&error))?
    };
    let mut found = viewer
        .loaders
        .load_many(page.items.iter().copied())
        .await
        .map_err(|error| internal(&error))?;
    let items = page
        .items
        .into_iter()
        .filter_map(|id| Some((id, Entity::new(found.remove(&id)?, batch))))
        .collect();
    let page = Page {
        items,
        has_next: page.has_next,
    };
    Ok(EntityConnection::new(&wanted, page))
}
