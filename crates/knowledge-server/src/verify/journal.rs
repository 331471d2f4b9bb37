//! The journals of a batch's executions.

use knowledge_domain::{
    document::DocumentStatus,
    workflow::{WorkflowActivityStatus, WorkflowStage},
};
use knowledge_tables::{batch_document, workflow_activity, workflow_execution};
use sea_orm::{
    Condition,
    sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement},
};
use uuid::Uuid;

use super::{
    documents,
    rule::{BatchRule, any, ids},
};

use workflow_activity::{Column, Entity};

pub(super) const RULES: &[BatchRule] = &[
    BatchRule {
        code: "journal/assemble",
        table: "batch_document",
        says: "it is completed, but no completed `assemble` activity is recorded",
        broken: |batch| {
            let assembled = any(Entity)
                .and_where(
                    column(Column::ExecutionId)
                        .equals((batch_document::Entity, batch_document::Column::ExecutionId)),
                )
                .and_where(column(Column::ActivityType).eq(WorkflowStage::Assemble.to_string()))
                .and_where(is_completed())
                .take();
            documents::of_batch(batch)
                .and_where(documents::is(&[DocumentStatus::Completed]))
                // One that leads nowhere is told of by itself.
                .and_where(Expr::exists(documents::its_execution()))
                .and_where(Expr::not_exists(assembled))
                .take()
        },
    },
    BatchRule {
        code: "journal/repeated",
        table: "workflow_activity",
        says: "`{name}` is recorded twice with one input",
        broken: |batch| {
            let earlier = Alias::new("earlier");
            let same = |of: Column| Expr::col((earlier.clone(), of)).equals((Entity, of));
            let repeated = Query::select()
                .expr(Expr::value(1))
                .from_as(Entity, earlier.clone())
                .and_where(same(Column::ExecutionId))
                .and_where(same(Column::ActivityName))
                .and_where(same(Column::InputHash))
                .and_where(Expr::col((earlier.clone(), Column::Id)).lt(column(Column::Id)))
                .take();
            named(batch).and_where(Expr::exists(repeated)).take()
        },
    },
    BatchRule {
        code: "journal/output",
        table: "workflow_activity",
        says: "`{name}` is completed, and its output is lost",
        broken: |batch| {
            named(batch)
                .and_where(is_completed())
                .and_where(column(Column::Output).is_null())
                .and_where(column(Column::PrunedAt).is_null())
                .take()
        },
    },
    BatchRule {
        code: "journal/pruned",
        table: "workflow_activity",
        says: "`{name}` is pruned, but is not completed or still has its payload",
        broken: |batch| {
            let kept = Condition::any()
                .add(column(Column::Output).is_not_null())
                .add(column(Column::Input).is_not_null())
                .add(is_completed().not());
            named(batch)
                .and_where(column(Column::PrunedAt).is_not_null())
                .cond_where(kept)
                .take()
        },
    },
    BatchRule {
        code: "journal/pruned-too-early",
        table: "workflow_activity",
        says: "`{name}` is pruned, but its document is not completed and may run it again",
        broken: |batch| {
            let completed = documents::of_batch(batch)
                .and_where(documents::is(&[DocumentStatus::Completed]))
                .take();
            named(batch)
                .and_where(column(Column::PrunedAt).is_not_null())
                .and_where(column(Column::ExecutionId).not_in_subquery(executions(completed)))
                .take()
        },
    },
    BatchRule {
        code: "journal/attempts",
        table: "workflow_activity",
        says: "`{name}` has begun, and counts {said} attempts",
        broken: |batch| {
            let pending = WorkflowActivityStatus::Pending.to_string();
            let begun = Condition::any()
                .add(column(Column::StartedAt).is_not_null())
                .add(column(Column::Status).ne(pending));
            named(batch)
                .expr_as(column(Column::Attempt).cast_as("bigint"), "said")
                .cond_where(begun)
                .and_where(column(Column::Attempt).lt(1))
                .take()
        },
    },
];

/// The activities of a batch's executions.
pub(super) fn of_batch(batch: Uuid) -> SelectStatement {
    let executions = executions(documents::of_batch(batch));
    ids(Entity)
        .and_where(column(Column::ExecutionId).in_subquery(executions))
        .take()
}

fn named(batch: Uuid) -> SelectStatement {
    of_batch(batch)
        .expr_as(column(Column::ActivityName), "name")
        .take()
}

fn column(column: Column) -> Expr {
    Expr::col((Entity, column))
}

fn is_completed() -> Expr {
    column(Column::Status).eq(WorkflowActivityStatus::Completed.to_string())
}

/// The executions of some documents.
fn executions(documents: SelectStatement) -> SelectStatement {
    use workflow_execution::{Column, Entity};
    ids(Entity)
        .and_where(Expr::col((Entity, Column::BatchDocumentId)).in_subquery(documents))
        .take()
}
