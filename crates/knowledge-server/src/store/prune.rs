//! Retention: removing what finished executions kept to be resumed.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    batch::BatchStage,
    document::DocumentStatus,
    workflow::{WorkflowActivityStatus, WorkflowExecutionStatus},
};
use knowledge_tables::{
    batch_document, batch_execution,
    workflow_activity::{Column, Entity},
    workflow_execution,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Func, Query, SelectStatement},
};
use serde::Serialize;
use strum::IntoEnumIterator;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::faults::{FailurePoint, hit};

/// Executions that are looked at together.
const EXECUTIONS_A_PAGE: u64 = 200;

/// Activities that one transaction prunes at most, so that a server never waits long for it.
const ACTIVITIES_PER_TRANSACTION: u64 = 500;

/// What is to be pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruning {
    /// Executions that ended before this moment.
    pub before: DateTime<Utc>,
    /// When it is done; `None` only counts.
    pub at: Option<DateTime<Utc>>,
}

/// What was pruned, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Executions that had payloads.
    pub executions: u64,
    /// Activities whose payloads were removed.
    pub activities: u64,
    /// Bytes of the payloads.
    pub bytes: u64,
}

/// An activity that has payloads.
#[derive(Debug, FromQueryResult)]
struct Payload {
    id: Uuid,
    execution_id: Uuid,
    bytes: i64,
}

impl Store {
    /// Removes the inputs and outputs of the activities of old executions.
    ///
    /// Only of completed documents in ended batches: nothing ever runs those again, so nothing
    /// misses their journals. Events, totals, statuses, attempts and graphs stay. Stopped at any
    /// point, what is done is done and the rest can be done later.
    pub async fn prune(&self, pruning: Pruning) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned::default();
        let mut after = None;
        loop {
            let page = self.prunable(pruning.before, after).await?;
            let Some(last) = page.last() else {
                return Ok(pruned);
            };
            after = Some(*last);
            self.prune_page(&page, pruning.at, &mut pruned).await?;
        }
    }

    /// The next executions whose payloads nobody will read again.
    async fn prunable(
        &self,
        before: DateTime<Utc>,
        after: Option<Uuid>,
    ) -> Result<Vec<Uuid>, StoreError> {
        use workflow_execution::Column;
        let mut query = workflow_execution::Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::Status.eq(WorkflowExecutionStatus::Completed.to_string()))
            .filter(Column::CompletedAt.lt(before))
            .filter(Column::BatchDocumentId.in_subquery(settled_for_good()))
            .order_by_asc(Column::Id)
            .limit(EXECUTIONS_A_PAGE);
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after));
        }
        Ok(query.into_tuple().all(self.read()).await?)
    }

    /// Prunes a page of executions, a few activities a transaction.
    async fn prune_page(
        &self,
        executions: &[Uuid],
        at: Option<DateTime<Utc>>,
        pruned: &mut Pruned,
    ) -> Result<(), StoreError> {
        let mut touched = HashSet::new();
        let mut after = None;
        loop {
            let payloads = match at {
                Some(at) => self.remove_some(executions, after, at).await?,
                None => some_payloads(self.read(), executions, after).await?,
            };
            let Some(last) = payloads.last() else {
                pruned.executions += touched.len() as u64;
                return Ok(());
            };
            after = Some(last.id);
            for payload in payloads {
                touched.insert(payload.execution_id);
                pruned.activities += 1;
                pruned.bytes += u64::try_from(payload.bytes).unwrap_or_default();
            }
        }
    }

    async fn remove_some(
        &self,
        executions: &[Uuid],
        after: Option<Uuid>,
        at: DateTime<Utc>,
    ) -> Result<Vec<Payload>, StoreError> {
        let tx = self.begin().await?;
        let payloads = some_payloads(&tx, executions, after).await?;
        if !payloads.is_empty() {
            Entity::update_many()
                .col_expr(Column::Input, Expr::value(None::<Vec<u8>>))
                .col_expr(Column::Output, Expr::value(None::<Vec<u8>>))
                .col_expr(Column::PrunedAt, Expr::value(at))
                .col_expr(Column::UpdatedAt, Expr::value(at))
                .filter(Column::Id.is_in(payloads.iter().map(|payload| payload.id)))
                .exec(&tx)
                .await?;
        }
        if !payloads.is_empty() {
            hit(FailurePoint::PruneBeforeCommit);
        }
        tx.commit().await?;
        if !payloads.is_empty() {
            hit(FailurePoint::PruneAfterCommit);
        }
        Ok(payloads)
    }
}

/// Documents that nothing will run again: completed, in a batch that has ended.
fn settled_for_good() -> SelectStatement {
    let ended = BatchStage::iter()
        .filter(|stage| stage.is_terminal())
        .map(|stage| stage.to_string());
    let batches = Query::select()
        .column(batch_execution::Column::Id)
        .from(batch_execution::Entity)
        .and_where(batch_execution::Column::State.is_in(ended))
        .take();
    Query::select()
        .column(batch_document::Column::Id)
        .from(batch_document::Entity)
        .and_where(batch_document::Column::Status.eq(DocumentStatus::Completed.to_string()))
        // A retry asks for what these are without.
        .and_where(batch_document::Column::MissingUnits.eq(0))
        .and_where(batch_document::Column::BatchId.in_subquery(batches))
        .take()
}

async fn some_payloads(
    connection: &impl ConnectionTrait,
    executions: &[Uuid],
    after: Option<Uuid>,
) -> Result<Vec<Payload>, StoreError> {
    Ok(with_payload(executions, after)
        .into_model()
        .all(connection)
        .await?)
}

/// Completed activities that still hold something, with its size.
fn with_payload(executions: &[Uuid], after: Option<Uuid>) -> Select<Entity> {
    let length = |column: Column| {
        let bytes = Func::cust("length").arg(Expr::col((Entity, column)));
        Expr::expr(Func::coalesce([Expr::from(bytes), Expr::value(0)]))
    };
    let bytes = length(Column::Input).add(length(Column::Output));
    let mut query = Entity::find()
        .select_only()
        .columns([Column::Id, Column::ExecutionId])
        .column_as(bytes.cast_as("bigint"), "bytes")
        .filter(Column::ExecutionId.is_in(executions.iter().copied()))
        .filter(Column::Status.eq(WorkflowActivityStatus::Completed.to_string()))
        .filter(
            Condition::any()
                .add(Column::Output.is_not_null())
                .add(Column::Input.is_not_null()),
        )
        .order_by_asc(Column::Id)
        .limit(ACTIVITIES_PER_TRANSACTION);
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    query
}
