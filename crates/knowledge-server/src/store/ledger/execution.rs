//! The executions' rows: one for each document in a batch, over all its attempts.

use chrono::{DateTime, Utc};
use knowledge_domain::{
    ids::{DocumentId, ExecutionId},
    workflow::{RetryOwner, WorkflowActivityStatus, WorkflowExecutionStatus, WorkflowType},
};
use knowledge_extraction::WORKFLOW_VERSION;
use knowledge_tables::{batch_document, workflow_activity, workflow_execution};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};

use super::{LedgerError, change::BatchChange};
use crate::store::convert;

/// Begins the execution of a document.
pub(super) async fn begin(
    change: &BatchChange,
    document: &batch_document::Model,
    owner: RetryOwner,
) -> Result<ExecutionId, LedgerError> {
    let id = ExecutionId::from_uuid(change.entropy().uuid_v7());
    let content = DocumentId::from_uuid(document.document_id);
    workflow_execution::Entity::insert(workflow_execution::ActiveModel {
        id: Set(id.uuid()),
        organization_id: Set(document.organization_id),
        workflow_type: Set(WorkflowType::Extraction.to_string()),
        workflow_version: Set(convert::count(WORKFLOW_VERSION)),
        batch_document_id: Set(Some(document.id)),
        status: Set(WorkflowExecutionStatus::Running.to_string()),
        mode: Set(change.row.mode.clone()),
        current_activity: Set(None),
        input: Set(serde_json::json!({ "documentId": content })),
        output: Set(None),
        error: Set(None),
        checkpoint: Set(None),
        retry_owner: Set(owner.to_string()),
        retry_count: Set(0),
        lease_owner: Set(change.row.lease_owner.clone()),
        lease_token: Set(change.row.lease_token),
        lease_expires_at: Set(None),
        suspend_reason: Set(None),
        resume_at: Set(None),
        requested: Set(None),
        started_at: Set(Some(change.at)),
        completed_at: Set(None),
        version: Set(1),
        created_at: Set(change.at),
        updated_at: Set(change.at),
    })
    .exec_without_returning(change.tx.as_ref())
    .await?;
    Ok(id)
}

/// Sets an execution going again for another attempt: its checkpoints stay, the failures of what
/// did not complete are forgiven.
pub(super) async fn restart(
    change: &BatchChange,
    execution: ExecutionId,
    owner: RetryOwner,
) -> Result<ExecutionId, LedgerError> {
    use workflow_activity::Column;
    lease(change, execution, Some(owner)).await?;
    workflow_activity::Entity::update_many()
        .col_expr(Column::FailureCount, Expr::value(0))
        .col_expr(Column::NextAttemptAt, Expr::value(None::<DateTime<Utc>>))
        .filter(Column::ExecutionId.eq(execution.uuid()))
        .filter(Column::FailureCount.gt(0))
        .exec(change.tx.as_ref())
        .await?;
    Ok(execution)
}

/// Gives an execution to the batch's owner; with `retried`, as another attempt.
pub(super) async fn lease(
    change: &BatchChange,
    execution: ExecutionId,
    retried: Option<RetryOwner>,
) -> Result<(), LedgerError> {
    use workflow_execution::Column;
    let running = WorkflowExecutionStatus::Running.to_string();
    let mut update = workflow_execution::Entity::update_many()
        .col_expr(Column::Status, Expr::value(running))
        .col_expr(
            Column::LeaseOwner,
            Expr::value(change.row.lease_owner.clone()),
        )
        .col_expr(Column::LeaseToken, Expr::value(change.row.lease_token))
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(execution.uuid()));
    if let Some(owner) = retried {
        update = update
            .col_expr(Column::RetryOwner, Expr::value(owner.to_string()))
            .col_expr(Column::RetryCount, Expr::col(Column::RetryCount).add(1))
            .col_expr(Column::Error, Expr::value(None::<String>))
            .col_expr(Column::CompletedAt, Expr::value(None::<DateTime<Utc>>));
    }
    update.exec(change.tx.as_ref()).await?;
    Ok(())
}

/// Ends an execution.
pub(super) async fn end(
    change: &BatchChange,
    execution: ExecutionId,
    status: WorkflowExecutionStatus,
    output: Option<serde_json::Value>,
    error: Option<String>,
) -> Result<(), LedgerError> {
    use workflow_execution::Column;
    workflow_execution::Entity::update_many()
        .col_expr(Column::Status, Expr::value(status.to_string()))
        .col_expr(Column::Output, Expr::value(output))
        .col_expr(Column::Error, Expr::value(error))
        .col_expr(Column::LeaseOwner, Expr::value(None::<String>))
        .col_expr(Column::LeaseExpiresAt, Expr::value(None::<DateTime<Utc>>))
        .col_expr(Column::CompletedAt, Expr::value(change.at))
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(execution.uuid()))
        .exec(change.tx.as_ref())
        .await?;
    if status == WorkflowExecutionStatus::Completed {
        return Ok(());
    }
    skip_unfinished(change, execution).await
}

/// What was in flight when an execution ended is not needed any more.
async fn skip_unfinished(change: &BatchChange, execution: ExecutionId) -> Result<(), LedgerError> {
    use workflow_activity::Column;
    let unfinished = [
        WorkflowActivityStatus::Pending,
        WorkflowActivityStatus::Running,
    ];
    let skipped = WorkflowActivityStatus::Skipped.to_string();
    workflow_activity::Entity::update_many()
        .col_expr(Column::Status, Expr::value(skipped))
        .col_expr(Column::CompletedAt, Expr::value(change.at))
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .filter(Column::ExecutionId.eq(execution.uuid()))
        .filter(Column::Status.is_in(unfinished.iter().map(ToString::to_string)))
        .exec(change.tx.as_ref())
        .await?;
    Ok(())
}
