//! Resolution of a batch's entities, and with it the end of the run.
//!
//! A workflow of the batch's own: units that each commit with their checkpoint. Units index the
//! entities that have no form yet, then settle forms until none is dirty; what is left to do is read
//! from the rows, so a process that dies loses the unit in flight, and batches of one organisation
//! may take turns.

use std::collections::{HashMap, HashSet};

use knowledge_domain::{
    batch::{BatchEventKind, BatchStage, BatchTrigger},
    document::DocumentStatus,
    ids::OrganizationId,
};
use knowledge_tables::{
    batch_document, batch_execution, entity, merge_history, relation, same_as_link,
};
use sea_orm::{
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait, Select,
    sea_query::SelectStatement,
};
use uuid::Uuid;

use super::{
    Lease, Ledger, LedgerError,
    batch_workflow::{self, Activity},
    change::BatchChange,
    document::of_status,
    right::Scope,
    writer::commit_alone,
};
use crate::{
    faults::{FailurePoint, hit},
    store::{
        convert,
        resolution::{Author, Resolution},
    },
};

/// Ids that one statement names at most; SQLite binds at most 32,766 values.
const IDS_PER_STATEMENT: usize = 1_000;

/// Entities that a unit indexes at most.
const ENTITIES_A_UNIT: u64 = 500;

/// Dirty forms that a unit begins with at most.
const FORMS_A_UNIT: u64 = 200;

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    More,
    Last,
}

impl Ledger {
    /// Resolves the entities of a batch that is `Resolving`, and completes it.
    ///
    /// # Cancel safety
    /// Dropped at any point, the next call goes on after the last unit that was committed.
    pub async fn resolve(&self, lease: Lease) -> Result<(), LedgerError> {
        while self.resolution_step(lease).await? == Step::More {}
        hit(FailurePoint::ResolutionAfterCommit);
        Ok(())
    }

    async fn resolution_step(&self, lease: Lease) -> Result<Step, LedgerError> {
        commit_alone(&self.env, Scope::owned(lease), |change| {
            Box::pin(step(change))
        })
        .await
    }
}

async fn step(change: &mut BatchChange) -> Result<Step, LedgerError> {
    change.env.store.be_patient(&change.tx).await?;
    let tx = std::sync::Arc::clone(&change.tx);
    let env = std::sync::Arc::clone(&change.env);
    let author = Author::Batch(change.batch_id());
    let organization = OrganizationId::from_uuid(change.row.organization_id);
    let resolution =
        Resolution::begin(&tx, organization, env.entropy.as_ref(), change.at, author).await?;
    let execution = batch_workflow::execution(change).await?;
    let mut new = unindexed(change).await?;
    if new.is_empty() {
        new = left_behind(change).await?;
    }
    if !new.is_empty() {
        let forms = resolution.index(&new).await?;
        let done = serde_json::json!({ "entities": new.len(), "forms": forms });
        let ids: Vec<Uuid> = new.iter().map(|row| row.id).collect();
        batch_workflow::checkpoint(change, execution, Activity::Index, &ids, &done).await?;
        return Ok(Step::More);
    }
    let dirty = resolution.dirty_forms(FORMS_A_UNIT).await?;
    if !dirty.is_empty() {
        let settled = resolution.settle(dirty.clone()).await?;
        hit(FailurePoint::ResolutionHalfWritten);
        let done = serde_json::json!({ "forms": settled.forms, "merges": settled.merges });
        batch_workflow::checkpoint(change, execution, Activity::Settle, &dirty, &done).await?;
        return Ok(Step::More);
    }
    complete(change, execution).await?;
    hit(FailurePoint::ResolutionBeforeCommit);
    Ok(Step::Last)
}

async fn complete(change: &mut BatchChange, execution: Uuid) -> Result<(), LedgerError> {
    let extractions = extractions(change).await?;
    let clusters = faces(change, &extractions).await?;
    let relations = folded_relations(change, &extractions).await?;
    let merges = merges(change).await?;
    let same_as = same_as(change, &extractions).await?;
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    change.refresh();
    change.row.entity_count = convert::count(clusters);
    change.row.relation_count = convert::count(relations);
    let done = serde_json::json!({ "clusters": clusters, "merges": merges, "sameAs": same_as });
    batch_workflow::complete(change, execution, done).await?;
    change.record(BatchEventKind::ResolutionCompleted {
        cluster_count: count(clusters),
        merge_count: count(merges),
        same_as_count: count(same_as),
    });
    let totals = change.totals();
    change.apply(BatchTrigger::Complete { totals })
}

/// Some entities of the batch's completed documents that have no form yet.
async fn unindexed(change: &BatchChange) -> Result<Vec<entity::Model>, LedgerError> {
    let completed = of_status(change, &[DocumentStatus::Completed]);
    without_form(change, completed).await
}

/// Some entities without a form of what batches completed that were cancelled, or failed, before
/// they were resolved: what a batch leaves behind, the next one takes along.
async fn left_behind(change: &BatchChange) -> Result<Vec<entity::Model>, LedgerError> {
    use batch_execution::{Column, Entity};
    let ended = [BatchStage::Cancelled, BatchStage::Failed];
    let ended: SelectStatement = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::OrganizationId.eq(change.row.organization_id))
        .filter(Column::State.is_in(ended.map(|state| state.to_string())))
        .filter(Column::EnableEntityResolution.eq(true))
        .into_query();
    let completed = batch_document::Entity::find()
        .filter(batch_document::Column::BatchId.in_subquery(ended))
        .filter(batch_document::Column::Status.eq(DocumentStatus::Completed.to_string()));
    without_form(change, completed).await
}

async fn without_form(
    change: &BatchChange,
    documents: Select<batch_document::Entity>,
) -> Result<Vec<entity::Model>, LedgerError> {
    let extractions: SelectStatement = documents
        .select_only()
        .column(batch_document::Column::ExtractionId)
        .filter(batch_document::Column::ExtractionId.is_not_null())
        .into_query();
    Ok(entity::Entity::find()
        .filter(entity::Column::FormId.is_null())
        .filter(entity::Column::ExtractionId.in_subquery(extractions))
        .limit(ENTITIES_A_UNIT)
        .all(change.tx.as_ref())
        .await?)
}

/// The extractions of the batch's completed documents, each once.
async fn extractions(change: &BatchChange) -> Result<Vec<Uuid>, LedgerError> {
    let mut ids: Vec<Uuid> = of_status(change, &[DocumentStatus::Completed])
        .select_only()
        .column(batch_document::Column::ExtractionId)
        .into_tuple::<Option<Uuid>>()
        .all(change.tx.as_ref())
        .await?
        .into_iter()
        .flatten()
        .collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// How many merges this batch has brought about.
async fn merges(change: &BatchChange) -> Result<usize, LedgerError> {
    use merge_history::Column;
    use sea_orm::sea_query::{Expr, ExprTrait};
    let count = merge_history::Entity::find()
        .filter(Column::BatchId.eq(change.row.id))
        .filter(Expr::col(Column::SourceEntityId).ne(Expr::col(Column::TargetEntityId)))
        .count(change.tx.as_ref())
        .await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// How many entities of the batch are the same as another one that faces them.
async fn same_as(change: &BatchChange, extractions: &[Uuid]) -> Result<usize, LedgerError> {
    let mut links = 0;
    for ids in extractions.chunks(IDS_PER_STATEMENT) {
        let entities = entity::Entity::find()
            .select_only()
            .column(entity::Column::Id)
            .filter(entity::Column::ExtractionId.is_in(ids.iter().copied()))
            .into_query();
        links += same_as_link::Entity::find()
            .filter(same_as_link::Column::MemberId.in_subquery(entities))
            .count(change.tx.as_ref())
            .await?;
    }
    Ok(usize::try_from(links).unwrap_or(usize::MAX))
}

/// How many entities the batch has after resolution.
async fn faces(change: &BatchChange, extractions: &[Uuid]) -> Result<usize, LedgerError> {
    let mut faces = HashSet::new();
    for ids in extractions.chunks(IDS_PER_STATEMENT) {
        faces.extend(
            entity::Entity::find()
                .select_only()
                .column(entity::Column::CanonicalId)
                .distinct()
                .filter(entity::Column::ExtractionId.is_in(ids.iter().copied()))
                .into_tuple::<Uuid>()
                .all(change.tx.as_ref())
                .await?,
        );
    }
    Ok(faces.len())
}

/// How many relations the batch has when those that say the same of the same entities are one.
async fn folded_relations(
    change: &BatchChange,
    extractions: &[Uuid],
) -> Result<usize, LedgerError> {
    let mut faces = HashMap::new();
    let mut folded = HashSet::new();
    for ids in extractions.chunks(IDS_PER_STATEMENT) {
        let rows: Vec<(Uuid, Uuid)> = entity::Entity::find()
            .select_only()
            .columns([entity::Column::Id, entity::Column::CanonicalId])
            .filter(entity::Column::ExtractionId.is_in(ids.iter().copied()))
            .into_tuple()
            .all(change.tx.as_ref())
            .await?;
        faces.extend(rows);
        let rows = relation::Entity::find()
            .filter(relation::Column::ExtractionId.is_in(ids.iter().copied()))
            .all(change.tx.as_ref())
            .await?;
        let face = |id: Uuid| faces.get(&id).copied().unwrap_or(id);
        folded.extend(rows.into_iter().map(|row| {
            let literal = row.literal_value.map(|value| value.to_ascii_lowercase());
            let object = row.object_id.map(face);
            (face(row.subject_id), row.predicate, object, literal)
        }));
    }
    Ok(folded.len())
}
