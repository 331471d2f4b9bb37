//! The documents of a batch and their executions.

use knowledge_domain::{
    batch::BatchStage,
    document::DocumentStatus,
    workflow::{WorkflowExecutionStatus, WorkflowMode},
};
use knowledge_tables::{
    batch_document, batch_execution, extraction, parity_check, workflow_execution,
};
use sea_orm::{
    Condition,
    sea_query::{Expr, ExprTrait, SelectStatement},
};
use strum::IntoEnumIterator;
use uuid::Uuid;

use super::rule::{BatchRule, any, ids};

use batch_document::{Column, Entity};

pub(super) const RULES: &[BatchRule] = &[
    BatchRule {
        code: "documents/status",
        table: "batch_document",
        says: "`{name}` is no status of a document",
        broken: |batch| {
            let known = DocumentStatus::iter().map(|status| status.to_string());
            of_batch(batch)
                .expr_as(column(Column::Status), "name")
                .and_where(column(Column::Status).is_not_in(known))
                .take()
        },
    },
    BatchRule {
        code: "documents/settled",
        table: "batch_document",
        says: "it is `{name}`, but its batch has ended",
        broken: |batch| {
            let unsettled = DocumentStatus::iter().filter(|status| !status.is_settled());
            let unsettled = unsettled.map(|status| status.to_string());
            of_batch(batch)
                .expr_as(column(Column::Status), "name")
                .and_where(column(Column::Status).is_in(unsettled))
                .and_where(has_ended())
                .take()
        },
    },
    BatchRule {
        code: "documents/attempts",
        table: "batch_document",
        says: "it has begun, and counts {said} attempts",
        broken: |batch| {
            let begun = Condition::any()
                .add(column(Column::StartedAt).is_not_null())
                .add(is(&[
                    DocumentStatus::Processing,
                    DocumentStatus::Completed,
                    DocumentStatus::Failed,
                    DocumentStatus::Abandoned,
                ]));
            of_batch(batch)
                .expr_as(column(Column::Attempt).cast_as("bigint"), "said")
                .cond_where(begun)
                .and_where(column(Column::Attempt).lt(1))
                .take()
        },
    },
    BatchRule {
        code: "documents/execution",
        table: "batch_document",
        says: "it has begun, and has no execution of its own",
        broken: |batch| {
            of_batch(batch)
                .and_where(column(Column::Attempt).gt(0))
                .and_where(Expr::not_exists(its_execution()))
                .take()
        },
    },
    BatchRule {
        code: "documents/extraction",
        table: "batch_document",
        says: "it is completed, and has no extraction of its content",
        broken: |batch| {
            of_batch(batch)
                .and_where(is(&[DocumentStatus::Completed]))
                .and_where(Expr::not_exists(its_extraction()))
                .take()
        },
    },
    BatchRule {
        code: "documents/counts",
        table: "batch_document",
        says: "its entities and relations are not as many as its extraction has",
        broken: |batch| {
            let counted = |of: Column, counted: extraction::Column| {
                column(of).ne(Expr::col((extraction::Entity, counted)))
            };
            let differs = Condition::any()
                .add(counted(
                    Column::EntityCount,
                    extraction::Column::EntityCount,
                ))
                .add(counted(
                    Column::RelationCount,
                    extraction::Column::RelationCount,
                ));
            of_batch(batch)
                .and_where(is(&[DocumentStatus::Completed]))
                .and_where(Expr::exists(its_extraction().cond_where(differs).take()))
                .take()
        },
    },
    BatchRule {
        code: "documents/parity",
        table: "batch_document",
        says: "it is completed in the mode `shadow`, and not noted to be compared",
        broken: |batch| {
            let execution = |column| Expr::col((workflow_execution::Entity, column));
            let shadowed = execution(workflow_execution::Column::Mode);
            let shadowed = shadowed.eq(WorkflowMode::Shadow.to_string());
            let noted = any(parity_check::Entity)
                .and_where(
                    Expr::col((parity_check::Entity, parity_check::Column::ExecutionId))
                        .equals((Entity, Column::ExecutionId)),
                )
                .take();
            of_batch(batch)
                .and_where(is(&[DocumentStatus::Completed]))
                .and_where(Expr::exists(its_execution().and_where(shadowed).take()))
                .and_where(Expr::not_exists(noted))
                .take()
        },
    },
    BatchRule {
        code: "executions/ended",
        table: "batch_document",
        says: "its execution has not ended, but its batch has",
        broken: |batch| {
            of_batch(batch)
                .and_where(has_ended())
                .and_where(Expr::exists(execution_that_is(&[
                    WorkflowExecutionStatus::Pending,
                    WorkflowExecutionStatus::Running,
                    WorkflowExecutionStatus::Suspended,
                ])))
                .take()
        },
    },
    BatchRule {
        code: "executions/processing",
        table: "batch_document",
        says: "it is processed, but its execution has ended",
        broken: |batch| {
            of_batch(batch)
                .and_where(is(&[DocumentStatus::Processing]))
                .and_where(Expr::exists(execution_that_is(&[
                    WorkflowExecutionStatus::Completed,
                    WorkflowExecutionStatus::Failed,
                    WorkflowExecutionStatus::Cancelled,
                ])))
                .take()
        },
    },
    BatchRule {
        code: "executions/completed",
        table: "batch_document",
        says: "it is completed, but its execution is not",
        broken: |batch| {
            let completed = execution_that_is(&[WorkflowExecutionStatus::Completed]);
            of_batch(batch)
                .and_where(is(&[DocumentStatus::Completed]))
                .and_where(Expr::exists(its_execution()))
                .and_where(Expr::not_exists(completed))
                .take()
        },
    },
];

/// The documents of a batch.
pub(super) fn of_batch(batch: Uuid) -> SelectStatement {
    ids(Entity)
        .and_where(column(Column::BatchId).eq(batch))
        .take()
}

pub(super) fn column(column: Column) -> Expr {
    Expr::col((Entity, column))
}

/// The document has one of these statuses.
pub(super) fn is(statuses: &[DocumentStatus]) -> Expr {
    column(Column::Status).is_in(statuses.iter().map(ToString::to_string))
}

fn has_ended() -> Expr {
    use batch_execution::Column as Batch;
    let terminal = BatchStage::iter().filter(|stage| stage.is_terminal());
    let ended = any(batch_execution::Entity)
        .and_where(
            Expr::col((batch_execution::Entity, Batch::Id)).equals((Entity, Column::BatchId)),
        )
        .and_where(
            Expr::col((batch_execution::Entity, Batch::State))
                .is_in(terminal.map(|stage| stage.to_string())),
        )
        .take();
    Expr::exists(ended)
}

/// The execution that the document names and that names the document.
pub(super) fn its_execution() -> SelectStatement {
    use workflow_execution::{Column as Execution, Entity as Executions};
    any(Executions)
        .and_where(Expr::col((Executions, Execution::Id)).equals((Entity, Column::ExecutionId)))
        .and_where(Expr::col((Executions, Execution::BatchDocumentId)).equals((Entity, Column::Id)))
        .take()
}

fn execution_that_is(statuses: &[WorkflowExecutionStatus]) -> SelectStatement {
    let status = (
        workflow_execution::Entity,
        workflow_execution::Column::Status,
    );
    its_execution()
        .and_where(Expr::col(status).is_in(statuses.iter().map(ToString::to_string)))
        .take()
}

fn its_extraction() -> SelectStatement {
    use extraction::{Column as Extraction, Entity as Extractions};
    any(Extractions)
        .and_where(Expr::col((Extractions, Extraction::Id)).equals((Entity, Column::ExtractionId)))
        .and_where(
            Expr::col((Extractions, Extraction::DocumentId)).equals((Entity, Column::DocumentId)),
        )
        .take()
}
