//! Storing a batch with its documents.

use std::{collections::BTreeMap, sync::Arc};

use knowledge_domain::{
    batch::{BatchConfig, BatchEventKind, BatchState},
    document::DocumentStatus,
    ids::{BatchId, DocumentId, OntologyId, OrganizationId},
    workflow::WorkflowMode,
};
use knowledge_tables::{batch_document, batch_execution, document};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait,
    IntoActiveModel, QueryFilter, SqlErr, sea_query::OnConflict,
};

use super::{
    Ledger, LedgerError, Owner, again::persistently, change::BatchChange, commit::finish,
    lease::register, tally::Tally,
};
use crate::{
    faults::{FailurePoint, hit},
    store::{StoreError, convert},
};

/// Documents that one INSERT writes at most; SQLite binds at most 32,766 values.
const DOCUMENTS_PER_INSERT: usize = 200;

/// Documents of a batch that are begun in the order of the request.
const IN_ORDER_OF_REQUEST: usize = 250;

/// A document that has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedDocument {
    /// The name that people read.
    pub name: String,
    /// The text.
    pub text: String,
    /// SHA-256 of the text, in hex.
    pub content_hash: String,
    /// Where it came from.
    pub source_uri: Option<String>,
    /// What the client says of it.
    pub metadata: serde_json::Value,
}

/// A request that has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedBatch {
    /// The tenant.
    pub organization: OrganizationId,
    /// The documents in their order.
    pub documents: Vec<PreparedDocument>,
    /// The ontology; the core types when absent.
    pub ontology_id: Option<OntologyId>,
    /// The settings.
    pub config: BatchConfig,
    /// What runs the workflows.
    pub mode: WorkflowMode,
    /// Names the request.
    pub idempotency_key: Option<String>,
    /// SHA-256 of the request, in hex.
    pub request_hash: String,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// A batch was stored; its creator holds the lease with token 1.
    New(BatchId),
    /// The same request has started this batch before.
    Existing(BatchId),
    /// Another request with the same key has started this batch.
    Conflict(BatchId),
}

impl Ledger {
    /// Stores a batch, its documents and `BatchCreated`, leased to `owner`.
    pub async fn create(
        &self,
        batch: &PreparedBatch,
        owner: &Owner,
    ) -> Result<Created, LedgerError> {
        if let Some(earlier) = self.earlier(batch).await? {
            return Ok(earlier);
        }
        let id = BatchId::from_uuid(self.entropy().uuid_v7());
        match persistently(|| self.insert_batch(id, batch, owner)).await {
            // Another request with this key was committed in between.
            Err(LedgerError::Store(StoreError::Database(error))) if is_duplicate(&error) => self
                .earlier(batch)
                .await?
                .ok_or(LedgerError::Store(StoreError::Database(error))),
            other => other.map(Created::New),
        }
    }

    async fn earlier(&self, batch: &PreparedBatch) -> Result<Option<Created>, LedgerError> {
        let Some(key) = &batch.idempotency_key else {
            return Ok(None);
        };
        let earlier = batch_execution::Entity::find()
            .filter(batch_execution::Column::OrganizationId.eq(batch.organization.uuid()))
            .filter(batch_execution::Column::IdempotencyKey.eq(key))
            .one(self.store().read())
            .await?;
        Ok(earlier.map(|row| {
            let id = BatchId::from_uuid(row.id);
            if row.request_hash == batch.request_hash {
                Created::Existing(id)
            } else {
                Created::Conflict(id)
            }
        }))
    }

    async fn insert_batch(
        &self,
        id: BatchId,
        batch: &PreparedBatch,
        owner: &Owner,
    ) -> Result<BatchId, LedgerError> {
        let row = self.batch_row(id, batch, owner)?;
        let tx = Arc::new(self.store().begin().await?);
        register(&tx, owner, self.entropy(), row.created_at).await?;
        batch_execution::Entity::insert(row.clone().into_active_model().reset_all())
            .exec_without_returning(tx.as_ref())
            .await?;
        self.insert_documents(&tx, id, batch).await?;
        let mut change = BatchChange::of_row(&self.env, &tx, row)?;
        change.record(BatchEventKind::BatchCreated {});
        change.flush().await?;
        hit(FailurePoint::CreateBeforeCommit);
        finish(&self.env, tx, vec![change]).await?;
        hit(FailurePoint::CreateAfterCommit);
        Ok(id)
    }

    fn batch_row(
        &self,
        id: BatchId,
        batch: &PreparedBatch,
        owner: &Owner,
    ) -> Result<batch_execution::Model, StoreError> {
        let now = self.clock().now();
        let state = BatchState::Pending;
        Ok(batch_execution::Model {
            id: id.uuid(),
            organization_id: batch.organization.uuid(),
            state: state.stage().to_string(),
            state_data: convert::to_json(&state)?,
            ontology_id: batch.ontology_id.map(OntologyId::uuid),
            mode: batch.mode.to_string(),
            idempotency_key: batch.idempotency_key.clone(),
            request_hash: batch.request_hash.clone(),
            concurrency: convert::count(batch.config.concurrency),
            failure_policy: batch.config.failure_policy.to_string(),
            max_retries: convert::count(batch.config.max_retries),
            enable_entity_resolution: batch.config.enable_entity_resolution,
            extractor: batch.config.extractor.to_string(),
            config: convert::to_json(&batch.config)?,
            total_documents: convert::count(batch.documents.len()),
            completed_documents: 0,
            failed_documents: 0,
            skipped_documents: 0,
            partial_documents: 0,
            entity_count: 0,
            relation_count: 0,
            tokens_used: 0,
            resolution_tokens: 0,
            last_sequence: 0,
            progress_units: 0,
            retry_round: 0,
            next_round_at: None,
            error: None,
            started_at: None,
            completed_at: None,
            lease_owner: Some(owner.name.clone()),
            lease_token: 1,
            version: 1,
            tally: Some(convert::to_json(&Tally::of_new(batch.documents.len()))?),
            created_at: now,
            updated_at: now,
        })
    }

    async fn insert_documents(
        &self,
        tx: &DatabaseTransaction,
        batch: BatchId,
        prepared: &PreparedBatch,
    ) -> Result<(), LedgerError> {
        self.insert_contents(tx, prepared).await?;
        for places in places(prepared).chunks(DOCUMENTS_PER_INSERT) {
            let places = places
                .iter()
                .map(|place| self.place_row(prepared.organization, batch, place));
            batch_document::Entity::insert_many(places)
                .exec_without_returning(tx)
                .await?;
        }
        Ok(())
    }

    /// Each content once and in the order of the ids, so that two batches which share documents
    /// never wait for each other.
    async fn insert_contents(
        &self,
        tx: &DatabaseTransaction,
        prepared: &PreparedBatch,
    ) -> Result<(), LedgerError> {
        let contents: BTreeMap<DocumentId, &PreparedDocument> = prepared
            .documents
            .iter()
            .rev()
            .map(|document| {
                let id = DocumentId::derive(prepared.organization, &document.content_hash);
                (id, document)
            })
            .collect();
        let contents: Vec<_> = contents.into_values().collect();
        for documents in contents.chunks(DOCUMENTS_PER_INSERT) {
            let rows = documents
                .iter()
                .map(|document| self.content_row(prepared.organization, document));
            document::Entity::insert_many(rows)
                .on_conflict(OnConflict::new().do_nothing().to_owned())
                .exec_without_returning(tx)
                .await?;
        }
        Ok(())
    }

    fn content_row(
        &self,
        organization: OrganizationId,
        document: &PreparedDocument,
    ) -> document::ActiveModel {
        let now = self.clock().now();
        document::ActiveModel {
            id: Set(DocumentId::derive(organization, &document.content_hash).uuid()),
            organization_id: Set(organization.uuid()),
            name: Set(document.name.clone()),
            source_uri: Set(document.source_uri.clone()),
            content_hash: Set(document.content_hash.clone()),
            text: Set(document.text.clone()),
            char_count: Set(convert::count(document.text.chars().count())),
            metadata: Set(document.metadata.clone()),
            created_at: Set(now),
            updated_at: Set(now),
        }
    }

    fn place_row(
        &self,
        organization: OrganizationId,
        batch: BatchId,
        place: &Place<'_>,
    ) -> batch_document::ActiveModel {
        let now = self.clock().now();
        batch_document::ActiveModel {
            id: Set(self.entropy().uuid_v7()),
            organization_id: Set(organization.uuid()),
            batch_id: Set(batch.uuid()),
            document_id: Set(place.content.uuid()),
            position: Set(convert::count(place.position)),
            name: Set(place.document.name.clone()),
            source_uri: Set(place.document.source_uri.clone()),
            status: Set(DocumentStatus::Queued.to_string()),
            stage: Set(None),
            stage_current: Set(0),
            stage_total: Set(0),
            progress_units: Set(0),
            attempt: Set(0),
            retry_round: Set(0),
            error: Set(None),
            error_kind: Set(None),
            execution_id: Set(None),
            extraction_id: Set(None),
            entity_count: Set(0),
            relation_count: Set(0),
            missing_units: Set(0),
            tokens_used: Set(0),
            started_at: Set(None),
            completed_at: Set(None),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
        }
    }
}

/// A document in its batch.
struct Place<'a> {
    /// From 0, in the order of the request.
    position: usize,
    content: DocumentId,
    document: &'a PreparedDocument,
}

/// The documents in the order of their turns: that of the request, or of their contents' ids where
/// there are more than [`IN_ORDER_OF_REQUEST`].
///
/// All that is written for a document lies where its content's id does in every index, which is
/// anywhere. One large batch in the order of these ids goes through each index once; in any other
/// it writes other pages for every document, and the more of them the larger the database is.
fn places(prepared: &PreparedBatch) -> Vec<Place<'_>> {
    let documents = prepared.documents.iter().enumerate();
    let mut places: Vec<Place<'_>> = documents
        .map(|(position, document)| Place {
            position,
            content: DocumentId::derive(prepared.organization, &document.content_hash),
            document,
        })
        .collect();
    if places.len() > IN_ORDER_OF_REQUEST {
        places.sort_by_key(|place| (place.content, place.position));
    }
    places
}

fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}
