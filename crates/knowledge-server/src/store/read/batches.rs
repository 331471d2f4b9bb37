//! Batches as they are shown.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    batch::{
        BatchStage, DocumentsByStage, ExtractionStrategy, Extractor, FailurePolicy, Pace,
        PinnedModel, Remaining, Rest, batch_progress,
    },
    ids::{BatchId, OntologyId},
    workflow::{PROGRESS_UNITS, WorkflowMode},
};
use knowledge_tables::batch_execution::{Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Deserialize;
use uuid::Uuid;

use super::{Page, PageRequest, Reads, parse};
use crate::store::{StoreError, convert, ledger::tally::Tally, scope::owned};

/// A batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchView {
    /// The id.
    pub id: BatchId,
    /// The name of its state.
    pub stage: BatchStage,
    /// What it does about failures.
    pub failure_policy: FailurePolicy,
    /// Documents at a time.
    pub concurrency: u32,
    /// The rounds over failed documents that the policy allows.
    pub max_retries: u32,
    /// Whether entities are resolved at the end.
    pub enable_entity_resolution: bool,
    /// The ontology; the core types when absent.
    pub ontology: Option<OntologyId>,
    /// What extracts.
    pub extractor: Extractor,
    /// How chunks become questions to a model.
    pub strategy: ExtractionStrategy,
    /// The model that it asks.
    pub model: Option<String>,
    /// The most tokens that model calls may use.
    pub token_budget: Option<u64>,
    /// What runs its workflows.
    pub mode: WorkflowMode,
    /// The share that is done, in `0.0..=1.0`.
    pub progress: f64,
    /// Documents.
    pub total_documents: u32,
    /// Documents whose graph is stored.
    pub completed_documents: u32,
    /// Documents that failed.
    pub failed_documents: u32,
    /// Documents left unfinished by abort or cancel.
    pub skipped_documents: u32,
    /// Completed documents whose graphs are without some units.
    pub partial_documents: u32,
    /// Entities.
    pub entity_count: u32,
    /// Relations.
    pub relation_count: u32,
    /// Tokens of model calls.
    pub tokens_used: u64,
    /// Rounds over failed documents that have begun.
    pub retry_round: u32,
    /// The sequence of the last event.
    pub last_sequence: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// What its unsettled documents are doing.
    pub documents_by_stage: Option<DocumentsByStage>,
    /// The documents' worth of progress in a minute, while there is evidence.
    pub documents_per_minute: Option<f64>,
    /// How long its documents take from the last event on, while there is evidence.
    pub remaining_seconds: Option<Remaining>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When its first document began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
}

/// How far a batch and its log are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHead {
    /// The name of its state.
    pub stage: BatchStage,
    /// The sequence of the last event.
    pub last_sequence: u64,
}

/// How much a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchSize {
    /// Documents, whose positions begin at 0.
    pub(super) documents: u32,
    /// Entities of those that completed.
    pub(super) entities: i64,
}

impl Reads {
    /// How much each batch is that the organisation has.
    pub(super) async fn batch_sizes(
        &self,
        batches: &[BatchId],
    ) -> Result<HashMap<BatchId, BatchSize>, StoreError> {
        let rows: Vec<(Uuid, i32, i32)> = Entity::find()
            .filter(owned(Column::OrganizationId, self.organization))
            .filter(Column::Id.is_in(batches.iter().map(|batch| batch.uuid())))
            .select_only()
            .columns([Column::Id, Column::TotalDocuments, Column::EntityCount])
            .into_tuple()
            .all(self.connection())
            .await?;
        let sizes = rows.into_iter().map(|(id, documents, entities)| {
            let size = BatchSize {
                documents: u32::try_from(documents).unwrap_or_default(),
                entities: i64::from(entities),
            };
            (BatchId::from_uuid(id), size)
        });
        Ok(sizes.collect())
    }

    /// A batch, when the organisation has it.
    pub async fn batch(&self, id: BatchId) -> Result<Option<BatchView>, StoreError> {
        Entity::find_by_id(id.uuid())
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .one(self.connection())
            .await?
            .map(BatchView::try_from)
            .transpose()
    }

    /// Batches, the newest first: their ids order them by time.
    pub async fn batch_page(
        &self,
        stage: Option<BatchStage>,
        page: PageRequest<BatchId>,
    ) -> Result<Page<BatchView>, StoreError> {
        let mut query = Entity::find()
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .order_by_desc(Column::Id)
            .limit(page.limit());
        if let Some(stage) = stage {
            query = query.filter(Column::State.eq(stage.to_string()));
        }
        if let Some(after) = page.after {
            query = query.filter(Column::Id.lt(after.uuid()));
        }
        let rows = query.all(self.connection()).await?;
        let batches: Result<Vec<_>, _> = rows.into_iter().map(BatchView::try_from).collect();
        Ok(page.page(batches?))
    }

    /// How far a batch and its log are, when the organisation has it.
    pub async fn batch_head(&self, id: BatchId) -> Result<Option<BatchHead>, StoreError> {
        let row: Option<(String, i64)> = Entity::find_by_id(id.uuid())
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .select_only()
            .columns([Column::State, Column::LastSequence])
            .into_tuple()
            .one(self.connection())
            .await?;
        row.map(|(state, last)| {
            Ok(BatchHead {
                stage: parse::name("batch state", &state)?,
                last_sequence: parse::long_count("sequence", last)?,
            })
        })
        .transpose()
    }
}

/// What the settings say of model calls.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asking {
    strategy: ExtractionStrategy,
    token_budget: Option<u64>,
    asks: Option<PinnedModel>,
}

impl TryFrom<Model> for BatchView {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let stage: BatchStage = parse::name("batch state", &row.state)?;
        let total_documents = parse::count("document count", row.total_documents)?;
        let tally: Tally = match row.tally.clone() {
            Some(tally) => convert::from_json("batch_execution.tally", tally)?,
            None => Tally::default(),
        };
        let works = !stage.is_terminal() && stage != BatchStage::Resolving;
        let pace = if works { tally.pace } else { Pace::default() };
        let rest = rest(&row)?;
        let asking: Asking = convert::from_json("batch_execution.config", row.config)?;
        Ok(Self {
            id: BatchId::from_uuid(row.id),
            stage,
            failure_policy: parse::name("failure policy", &row.failure_policy)?,
            concurrency: parse::count("concurrency", row.concurrency)?,
            max_retries: parse::count("retry limit", row.max_retries)?,
            enable_entity_resolution: row.enable_entity_resolution,
            ontology: row.ontology_id.map(OntologyId::from_uuid),
            extractor: parse::name("extractor", &row.extractor)?,
            strategy: asking.strategy,
            model: asking.asks.map(|asks| asks.model),
            token_budget: asking.token_budget,
            mode: parse::name("workflow mode", &row.mode)?,
            progress: batch_progress(
                stage,
                row.progress_units,
                total_documents,
                row.enable_entity_resolution,
            ),
            total_documents,
            completed_documents: parse::count("document count", row.completed_documents)?,
            failed_documents: parse::count("document count", row.failed_documents)?,
            skipped_documents: parse::count("document count", row.skipped_documents)?,
            partial_documents: parse::count("document count", row.partial_documents)?,
            entity_count: parse::count("entity count", row.entity_count)?,
            relation_count: parse::count("relation count", row.relation_count)?,
            tokens_used: parse::long_count("token count", row.tokens_used)?,
            retry_round: parse::count("retry round", row.retry_round)?,
            last_sequence: parse::long_count("sequence", row.last_sequence)?,
            documents_by_stage: tally.documents,
            documents_per_minute: pace.documents_per_minute(),
            remaining_seconds: pace.remaining(rest),
            error: row.error,
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
        })
    }
}

/// What documents of a batch are left to do.
fn rest(row: &Model) -> Result<Rest, StoreError> {
    let settled = row.completed_documents + row.failed_documents + row.skipped_documents;
    let whole = i64::from(row.total_documents) * i64::from(PROGRESS_UNITS);
    Ok(Rest {
        units: whole - row.progress_units,
        documents: parse::count("document count", Ord::max(row.total_documents - settled, 0))?,
        concurrency: parse::count("concurrency", row.concurrency)?,
    })
}
