//! Documents in their batches.

use std::collections::HashMap;

use knowledge_domain::{
    document::DocumentStatus,
    ids::{BatchDocumentId, BatchId, DocumentId, ExecutionId, ExtractionId},
    workflow::WorkflowStage,
};
use knowledge_tables::batch_document::{Column, Entity, Model};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::SelectStatement,
};

use super::{KEYS_A_STATEMENT, Page, PageRequest, Reads, parse};
use crate::store::{StoreError, scope::owned};

/// A document in its batch.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentView {
    /// The id.
    pub id: BatchDocumentId,
    /// The batch.
    pub batch_id: BatchId,
    /// The content.
    pub content_id: DocumentId,
    /// From 0, in the order of the request.
    pub position: u32,
    /// The name.
    pub name: String,
    /// Where it came from.
    pub source_uri: Option<String>,
    /// How it fares.
    pub status: DocumentStatus,
    /// The stage that it is in, or failed in.
    pub stage: Option<WorkflowStage>,
    /// Times it was started.
    pub attempt: u32,
    /// Why it failed.
    pub error: Option<String>,
    /// What a policy may do about the error.
    pub error_kind: Option<String>,
    /// Its workflow.
    pub execution_id: Option<ExecutionId>,
    /// Its graph, once completed.
    pub extraction_id: Option<ExtractionId>,
    /// Entities.
    pub entity_count: u32,
    /// Relations.
    pub relation_count: u32,
    /// Units that its graph is without.
    pub missing_units: u32,
    /// Tokens of model calls.
    pub tokens_used: u64,
}

impl Reads {
    /// Those of the documents that the organisation has.
    pub async fn documents(
        &self,
        ids: &[BatchDocumentId],
    ) -> Result<Vec<DocumentView>, StoreError> {
        let mut documents = Vec::with_capacity(ids.len());
        for ids in ids.chunks(KEYS_A_STATEMENT) {
            let rows = Entity::find()
                .filter(owned(Column::OrganizationId, self.organization))
                .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
                .all(self.connection())
                .await?;
            documents.extend(views(rows)?);
        }
        Ok(documents)
    }

    /// A document, when the organisation has it.
    pub async fn document(&self, id: BatchDocumentId) -> Result<Option<DocumentView>, StoreError> {
        Ok(self.documents(&[id]).await?.pop())
    }

    /// A page of the documents of each batch, by their position.
    pub async fn document_pages(
        &self,
        batches: &[BatchId],
        status: Option<DocumentStatus>,
        page: PageRequest<u32>,
    ) -> Result<HashMap<BatchId, Page<DocumentView>>, StoreError> {
        let query = |batch: &BatchId| (*batch, self.document_query(*batch, status, page));
        let mut rows = self
            .rows_of_each(batches.iter().map(query).collect())
            .await?;
        let pages = batches.iter().map(|batch| {
            let mut rows: Vec<Model> = rows.remove(batch).unwrap_or_default();
            rows.sort_by_key(|row| row.position);
            Ok((*batch, page.page(views(rows)?)))
        });
        pages.collect()
    }

    fn document_query(
        &self,
        batch: BatchId,
        status: Option<DocumentStatus>,
        page: PageRequest<u32>,
    ) -> SelectStatement {
        let mut query = Entity::find()
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .filter(Column::BatchId.eq(batch.uuid()))
            .order_by_asc(Column::Position)
            .limit(page.limit());
        if let Some(status) = status {
            query = query.filter(Column::Status.eq(status.to_string()));
        }
        if let Some(after) = page.after {
            query = query.filter(Column::Position.gt(i64::from(after)));
        }
        sea_orm::QueryTrait::into_query(query)
    }

    /// Every document of a batch, or of the organisation, by batch and position.
    pub async fn all_documents(
        &self,
        batch: Option<BatchId>,
    ) -> Result<Vec<DocumentView>, StoreError> {
        let mut query = Entity::find()
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .order_by_asc(Column::BatchId)
            .order_by_asc(Column::Position);
        if let Some(batch) = batch {
            query = query.filter(Column::BatchId.eq(batch.uuid()));
        }
        views(query.all(self.connection()).await?)
    }

    /// Where each extraction's document stands: in the batch when one is given, otherwise in the
    /// earliest batch; an extraction that no document there completed with is left out.
    pub async fn places(
        &self,
        batch: Option<BatchId>,
        extractions: &[ExtractionId],
    ) -> Result<HashMap<ExtractionId, DocumentView>, StoreError> {
        let mut places = HashMap::with_capacity(extractions.len());
        for extractions in extractions.chunks(KEYS_A_STATEMENT) {
            let mut query = Entity::find()
                .filter(owned(Column::OrganizationId, self.organization))
                .filter(Column::ExtractionId.is_in(extractions.iter().map(|id| id.uuid())))
                .order_by_asc(Column::BatchId)
                .order_by_asc(Column::Position);
            if let Some(batch) = batch {
                query = query.filter(Column::BatchId.eq(batch.uuid()));
            }
            for document in views(query.all(self.connection()).await?)? {
                if let Some(extraction) = document.extraction_id {
                    places.entry(extraction).or_insert(document);
                }
            }
        }
        Ok(places)
    }
}

fn views(rows: Vec<Model>) -> Result<Vec<DocumentView>, StoreError> {
    rows.into_iter().map(DocumentView::try_from).collect()
}

impl TryFrom<Model> for DocumentView {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: BatchDocumentId::from_uuid(row.id),
            batch_id: BatchId::from_uuid(row.batch_id),
            content_id: DocumentId::from_uuid(row.document_id),
            position: parse::count("position", row.position)?,
            name: row.name,
            source_uri: row.source_uri,
            status: parse::name("document status", &row.status)?,
            stage: parse::optional_name("workflow stage", row.stage.as_deref())?,
            attempt: parse::count("attempt", row.attempt)?,
            error: row.error,
            error_kind: row.error_kind,
            execution_id: row.execution_id.map(ExecutionId::from_uuid),
            extraction_id: row.extraction_id.map(ExtractionId::from_uuid),
            entity_count: parse::count("entity count", row.entity_count)?,
            relation_count: parse::count("relation count", row.relation_count)?,
            missing_units: parse::count("unit count", row.missing_units)?,
            tokens_used: parse::long_count("token count", row.tokens_used)?,
        })
    }
}
