//! Resolution of a batch's entities, and with it the end of the run.
//!
//! A workflow of the batch's own: units that each commit with their checkpoint. Units renew what
//! another version of the rules has resolved, index the entities that have no form yet, then settle forms until none is dirty; what is left to do is read
//! from the rows, so a process that dies loses the unit in flight, and batches of one organisation
//! may take turns.

use knowledge_domain::{
    batch::{BatchEventKind, BatchStage, BatchTrigger},
    document::DocumentStatus,
    ids::{ExecutionId, OrganizationId},
};
use knowledge_tables::{
    batch_document, batch_execution, entity, merge_history, relation, same_as_link,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect,
    QueryTrait,
    sea_query::{
        Alias, Asterisk, DynIden, Expr, ExprTrait, IntoIden, JoinType, Query, SelectStatement,
    },
};
use uuid::Uuid;

use super::{
    Lease, Ledger, LedgerError,
    batch_workflow::{self, Activity},
    change::BatchChange,
    commit::commit_alone,
    document::{in_order, of_status},
    right::Scope,
};
use crate::{
    faults::{FailurePoint, hit},
    store::{
        calls::paid_for_vectors,
        convert,
        fold::folded,
        portions::key_lists,
        resolution::{Author, Resolution, Wanted},
    },
};

/// Entities that a unit indexes at most.
const ENTITIES_A_UNIT: u64 = 1_000;

/// Documents whose entities are looked through for a unit.
const DOCUMENTS_A_UNIT: u64 = 200;

/// Dirty forms that a unit begins with at most.
const FORMS_A_UNIT: u64 = 400;

/// Forms whose vectors one call asks for at most.
const FORMS_A_CALL: usize = 200;

/// Where forms of another version, then entities without a form are looked for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    /// Among the organisation's forms after this one.
    Forms(Uuid),
    /// Among the batch's documents after this one.
    Batch(Uuid),
    /// Among what other batches left behind.
    Others,
    /// Nowhere: there are none.
    Over,
}

/// How far resolution has got, and how it compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolving {
    search: Search,
    model: Option<String>,
    /// Whether the organisation compares by the model already, or by one that came later.
    begun: bool,
}

impl Resolving {
    /// From the beginning; meanings are compared by this model, if by any.
    #[must_use]
    pub fn new(model: Option<String>) -> Self {
        Self {
            search: Search::Forms(Uuid::nil()),
            model,
            begun: false,
        }
    }

    /// The model that meanings are compared by.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The same, without comparing meanings any more.
    #[must_use]
    pub fn without_meanings(self) -> Self {
        Self {
            model: None,
            ..self
        }
    }
}

/// What resolution has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The batch is resolved and completed.
    Completed,
    /// It goes on when these forms have their vectors, for which its workflow asks.
    Meanings(Resolving, ExecutionId, Vec<Wanted>),
    /// Another batch asks for vectors that this one wants; it goes on a little later.
    Waiting(Resolving),
    /// Another batch has begun to compare by another model meanwhile: this one goes on without, or
    /// both would begin anew for ever.
    Overtaken(Resolving),
}

/// Whether there is more to do.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    More(Search),
    Meanings(Search, ExecutionId, Vec<Wanted>),
    Waiting(Search),
    Overtaken,
    Last,
}

impl Ledger {
    /// Resolves the entities of a batch that is `Resolving`, and completes it; or stops where
    /// vectors are wanted, which whoever resolves gets outside of any transaction, hands to
    /// [`Ledger::keep_meanings`], and goes on.
    ///
    /// # Cancel safety
    /// Dropped at any point, the next call goes on after the last unit that was committed.
    pub async fn resolve(
        &self,
        lease: Lease,
        mut resolving: Resolving,
    ) -> Result<Resolved, LedgerError> {
        loop {
            match self.resolution_step(lease, &resolving).await? {
                Step::More(next) => resolving.search = next,
                Step::Meanings(search, execution, wanted) => {
                    resolving.search = search;
                    resolving.begun = true;
                    return Ok(Resolved::Meanings(resolving, execution, wanted));
                }
                Step::Waiting(search) => {
                    resolving.search = search;
                    resolving.begun = true;
                    return Ok(Resolved::Waiting(resolving));
                }
                Step::Overtaken => return Ok(Resolved::Overtaken(resolving)),
                Step::Last => break,
            }
            resolving.begun = true;
        }
        hit(FailurePoint::ResolutionAfterCommit);
        Ok(Resolved::Completed)
    }

    async fn resolution_step(
        &self,
        lease: Lease,
        resolving: &Resolving,
    ) -> Result<Step, LedgerError> {
        let resolving = resolving.clone();
        commit_alone(&self.env, Scope::owned(lease), move |change| {
            let resolving = resolving.clone();
            Box::pin(async move { step(change, &resolving).await })
        })
        .await
    }
}

async fn step(change: &mut BatchChange, resolving: &Resolving) -> Result<Step, LedgerError> {
    change.env.store.be_patient(&change.tx).await?;
    let tx = std::sync::Arc::clone(&change.tx);
    let env = std::sync::Arc::clone(&change.env);
    let author = Author::Batch(change.batch_id());
    let organization = OrganizationId::from_uuid(change.row.organization_id);
    let mut resolution =
        Resolution::begin(&tx, organization, env.entropy.as_ref(), change.at, author).await?;
    let execution = batch_workflow::execution(change).await?;
    match &resolving.model {
        Some(model) if resolving.begun && !resolution.compares_by(model) => {
            return Ok(Step::Overtaken);
        }
        Some(model) => resolution.compare_meanings(model).await?,
        None => resolution.leave_gaps().await?,
    }
    let mut search = resolving.search;
    if let Search::Forms(after) = search {
        let renewed = resolution.renew(after).await?;
        if let Some(last) = renewed.last() {
            let done = serde_json::json!({ "forms": renewed.len() });
            batch_workflow::checkpoint(change, execution, Activity::Renew, &renewed, &done).await?;
            return Ok(Step::More(Search::Forms(*last)));
        }
        search = Search::Batch(Uuid::nil());
    }
    let (new, search) = unindexed(change, search).await?;
    if !new.is_empty() {
        let indexed = resolution.index(&new).await?;
        let done = serde_json::json!({ "entities": new.len(), "forms": indexed.new });
        let ids: Vec<Uuid> = new.iter().map(|row| row.id).collect();
        batch_workflow::checkpoint(change, execution, Activity::Index, &ids, &done).await?;
        return Ok(Step::More(search));
    }
    let dirty = resolution.dirty_forms(FORMS_A_UNIT).await?;
    let mut wanted = resolution.without_vector(&dirty).await?;
    wanted.truncate(FORMS_A_CALL);
    if !wanted.is_empty() {
        return ask(change, &mut resolution, (execution, search), wanted).await;
    }
    if !dirty.is_empty() {
        let settled = resolution.settle(dirty.clone()).await?;
        hit(FailurePoint::ResolutionHalfWritten);
        let done = serde_json::json!({ "forms": settled.forms, "merges": settled.merges });
        batch_workflow::checkpoint(change, execution, Activity::Settle, &dirty, &done).await?;
        return Ok(Step::More(search));
    }
    complete(change, execution).await?;
    hit(FailurePoint::ResolutionBeforeCommit);
    Ok(Step::Last)
}

/// Has the workflow ask for vectors, unless another one does that goes on.
async fn ask(
    change: &BatchChange,
    resolution: &mut Resolution<'_>,
    (execution, search): (Uuid, Search),
    wanted: Vec<Wanted>,
) -> Result<Step, LedgerError> {
    if let Some(other) = resolution.who_asks()
        && other != execution
        && batch_workflow::goes_on(change, other).await?
    {
        return Ok(Step::Waiting(search));
    }
    let wanted = resolution.take_turn(execution, wanted).await?;
    let execution = ExecutionId::from_uuid(execution);
    Ok(Step::Meanings(search, execution, wanted))
}

async fn complete(change: &mut BatchChange, execution: Uuid) -> Result<(), LedgerError> {
    let clusters = faces(change).await?;
    let relations = folded_relations(change).await?;
    let merges = merges(change).await?;
    let same_as = same_as(change).await?;
    let shown = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    change.refresh();
    change.row.entity_count = convert::count(clusters);
    change.row.relation_count = convert::count(relations);
    // Also for what another batch kept after a crash.
    let paid = paid_for_vectors(&change.tx, change.batch_id()).await?;
    let untold = Ord::max(paid - change.row.resolution_tokens, 0);
    change.row.resolution_tokens += untold;
    change.row.tokens_used += untold;
    let done = serde_json::json!({ "clusters": clusters, "merges": merges, "sameAs": same_as });
    batch_workflow::complete(change, execution, done).await?;
    change.record(BatchEventKind::ResolutionCompleted {
        cluster_count: shown(clusters),
        merge_count: shown(merges),
        same_as_count: shown(same_as),
    });
    let totals = change.totals();
    change.apply(BatchTrigger::Complete { totals })
}

/// Some entities that have no form yet, and where to look for the next: first those of the batch's
/// documents, in the order of their turns, so that each document is looked through once or twice and
/// not again for every unit.
async fn unindexed(
    change: &BatchChange,
    mut search: Search,
) -> Result<(Vec<entity::Model>, Search), LedgerError> {
    while let Search::Batch(after) = search {
        let (extractions, next) = completed_after(change, after).await?;
        let found = match key_lists(&extractions).next() {
            Some(ids) => without_form(change, entity::Column::ExtractionId.is_in(ids)).await?,
            None => Vec::new(),
        };
        let all = (found.len() as u64) < ENTITIES_A_UNIT;
        if !found.is_empty() {
            return Ok((found, if all { next } else { search }));
        }
        search = next;
    }
    if search == Search::Others {
        let found = left_behind(change).await?;
        if !found.is_empty() {
            return Ok((found, search));
        }
    }
    Ok((Vec::new(), Search::Over))
}

/// The extractions of the next completed documents of the batch, and where those after them begin.
async fn completed_after(
    change: &BatchChange,
    after: Uuid,
) -> Result<(Vec<Uuid>, Search), LedgerError> {
    use batch_document::Column;
    let rows: Vec<(Uuid, Option<Uuid>)> = in_order(of_status(change, &[DocumentStatus::Completed]))
        .select_only()
        .columns([Column::Id, Column::ExtractionId])
        .filter(Column::Id.gt(after))
        .limit(DOCUMENTS_A_UNIT)
        .into_tuple()
        .all(change.tx.as_ref())
        .await?;
    let next = rows
        .last()
        .map_or(Search::Others, |(last, _)| Search::Batch(*last));
    let ids: Vec<Uuid> = rows.into_iter().filter_map(|(_, id)| id).collect();
    Ok((ids, next))
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
    let extractions: SelectStatement = batch_document::Entity::find()
        .select_only()
        .column(batch_document::Column::ExtractionId)
        .filter(batch_document::Column::BatchId.in_subquery(ended))
        .filter(batch_document::Column::Status.eq(DocumentStatus::Completed.to_string()))
        .filter(batch_document::Column::ExtractionId.is_not_null())
        .into_query();
    let of_them = entity::Column::ExtractionId.in_subquery(extractions);
    without_form(change, of_them).await
}

async fn without_form(
    change: &BatchChange,
    of_extractions: Expr,
) -> Result<Vec<entity::Model>, LedgerError> {
    Ok(entity::Entity::find()
        .filter(entity::Column::FormId.is_null())
        .filter(of_extractions)
        .limit(ENTITIES_A_UNIT)
        .all(change.tx.as_ref())
        .await?)
}

/// The extractions of the batch's completed documents.
fn extractions(change: &BatchChange) -> SelectStatement {
    of_status(change, &[DocumentStatus::Completed])
        .select_only()
        .column(batch_document::Column::ExtractionId)
        .filter(batch_document::Column::ExtractionId.is_not_null())
        .into_query()
}

/// How many merges this batch has brought about.
async fn merges(change: &BatchChange) -> Result<usize, LedgerError> {
    use merge_history::Column;
    let count = merge_history::Entity::find()
        .filter(Column::BatchId.eq(change.row.id))
        .filter(Expr::col(Column::SourceEntityId).ne(Expr::col(Column::TargetEntityId)))
        .count(change.tx.as_ref())
        .await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// How many entities of the batch are the same as another one that faces them.
async fn same_as(change: &BatchChange) -> Result<usize, LedgerError> {
    let entities = entity::Entity::find()
        .select_only()
        .column(entity::Column::Id)
        .filter(entity::Column::ExtractionId.in_subquery(extractions(change)))
        .into_query();
    let links = same_as_link::Entity::find()
        .filter(same_as_link::Column::MemberId.in_subquery(entities))
        .count(change.tx.as_ref())
        .await?;
    Ok(usize::try_from(links).unwrap_or(usize::MAX))
}

/// How many entities the batch has after resolution.
async fn faces(change: &BatchChange) -> Result<usize, LedgerError> {
    let faces = entity::Entity::find()
        .select_only()
        .column(entity::Column::CanonicalId)
        .distinct()
        .filter(entity::Column::ExtractionId.in_subquery(extractions(change)))
        .into_query();
    count(change, faces).await
}

/// How many relations the batch has when those that say the same of the same entities are one.
async fn folded_relations(change: &BatchChange) -> Result<usize, LedgerError> {
    let [subject, object] = ["subject", "object"].map(|end| Alias::new(end).into_iden());
    let face = |end: &DynIden| Expr::col((end.clone(), entity::Column::CanonicalId));
    let is = |end: &DynIden, column: relation::Column| {
        Expr::col((relation::Entity, column)).equals((end.clone(), entity::Column::Id))
    };
    let literal = Expr::col((relation::Entity, relation::Column::LiteralValue));
    let backend = change.tx.get_database_backend();
    let statements = Query::select()
        .distinct()
        .expr_as(face(&subject), "subject")
        .column((relation::Entity, relation::Column::Predicate))
        .expr_as(face(&object), "object")
        .expr_as(folded(backend, literal), "literal")
        .from(relation::Entity)
        .join_as(
            JoinType::InnerJoin,
            entity::Entity,
            subject.clone(),
            is(&subject, relation::Column::SubjectId),
        )
        .join_as(
            JoinType::LeftJoin,
            entity::Entity,
            object.clone(),
            is(&object, relation::Column::ObjectId),
        )
        .and_where(
            Expr::col((relation::Entity, relation::Column::ExtractionId))
                .in_subquery(extractions(change)),
        )
        .take();
    count(change, statements).await
}

/// How many rows a query has, counted where they are.
async fn count(change: &BatchChange, rows: SelectStatement) -> Result<usize, LedgerError> {
    let query = Query::select()
        .expr(Expr::col(Asterisk).count())
        .from_subquery(rows, "counted")
        .take();
    let row = change.tx.query_one(&query).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(usize::try_from(count).unwrap_or_default())
}
