//! The executions' rows: one for each document in a batch, over all its attempts.

use chrono::{DateTime, Utc};
use knowledge_domain::{
    ids::DocumentId,
    workflow::{RetryOwner, WorkflowActivityStatus, WorkflowExecutionStatus, WorkflowType},
};
use knowledge_extraction::WORKFLOW_VERSION;
use knowledge_tables::{batch_document, workflow_activity, workflow_execution};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use super::{LedgerError, Owner, change::BatchChange};
use crate::store::convert;

/// Ids that one statement names at most; SQLite binds at most 32,766 values.
const IDS_PER_STATEMENT: usize = 1_000;

/// Begins the execution of a document, leased to `owner`.
pub(super) fn begin(
    change: &BatchChange,
    document: &batch_document::Model,
    retries: RetryOwner,
    owner: &Owner,
) -> workflow_execution::Model {
    let content = DocumentId::from_uuid(document.document_id);
    workflow_execution::Model {
        id: change.entropy().uuid_v7(),
        organization_id: document.organization_id,
        workflow_type: WorkflowType::Extraction.to_string(),
        workflow_version: convert::count(WORKFLOW_VERSION),
        batch_document_id: Some(document.id),
        batch_id: None,
        status: WorkflowExecutionStatus::Running.to_string(),
        mode: change.row.mode.clone(),
        current_activity: None,
        input: serde_json::json!({ "documentId": content }),
        output: None,
        error: None,
        checkpoint: None,
        retry_owner: retries.to_string(),
        retry_count: 0,
        lost_runs: 0,
        lease_owner: Some(owner.name.clone()),
        lease_token: 1,
        lease_expires_at: None,
        suspend_reason: None,
        resume_at: None,
        requested: None,
        started_at: Some(change.at),
        completed_at: None,
        version: 0,
        created_at: change.at,
        updated_at: change.at,
    }
}

/// Gives an execution to `owner`; its earlier owner's writes are refused from here on.
pub(super) fn lease(row: &mut workflow_execution::Model, owner: &Owner) {
    row.status = WorkflowExecutionStatus::Running.to_string();
    row.lease_owner = Some(owner.name.clone());
    row.lease_token += 1;
    row.suspend_reason = None;
    row.resume_at = None;
}

/// Sets an execution going again for another attempt: its checkpoints stay, the failures of what
/// did not complete are forgiven.
pub(super) async fn restart(
    change: &BatchChange,
    row: &mut workflow_execution::Model,
    retries: RetryOwner,
    owner: &Owner,
) -> Result<(), LedgerError> {
    use sea_orm::sea_query::ExprTrait;
    use workflow_activity::Column;
    lease(row, owner);
    row.retry_owner = retries.to_string();
    row.retry_count += 1;
    row.lost_runs = 0;
    row.error = None;
    row.completed_at = None;
    row.requested = None;
    ask_again(change, row.id).await?;
    workflow_activity::Entity::update_many()
        .col_expr(Column::FailureCount, Expr::value(0))
        .col_expr(Column::NextAttemptAt, Expr::value(None::<DateTime<Utc>>))
        .filter(Column::ExecutionId.eq(row.id))
        .filter(
            Column::FailureCount
                .gt(0)
                .or(Column::NextAttemptAt.is_not_null()),
        )
        .exec(change.tx.as_ref())
        .await?;
    Ok(())
}

/// Ends an execution.
pub(super) fn end(
    change: &mut BatchChange,
    mut row: workflow_execution::Model,
    status: WorkflowExecutionStatus,
    output: Option<serde_json::Value>,
    error: Option<String>,
) {
    row.status = status.to_string();
    row.output = output;
    row.error = error;
    row.lease_owner = None;
    row.suspend_reason = None;
    row.resume_at = None;
    row.requested = None;
    row.completed_at = Some(change.at);
    change.executions.put(row);
}

/// What was in flight when executions ended is not needed any more.
pub(super) async fn skip_unfinished(
    change: &mut BatchChange,
    executions: &[Uuid],
) -> Result<(), LedgerError> {
    use workflow_activity::Column;
    // What this transaction began is to be found.
    change.flush().await?;
    let unfinished = [
        WorkflowActivityStatus::Pending,
        WorkflowActivityStatus::Running,
    ];
    let skipped = WorkflowActivityStatus::Skipped.to_string();
    for executions in executions.chunks(IDS_PER_STATEMENT) {
        workflow_activity::Entity::update_many()
            .col_expr(Column::Status, Expr::value(skipped.clone()))
            .col_expr(Column::CompletedAt, Expr::value(change.at))
            .col_expr(Column::UpdatedAt, Expr::value(change.at))
            .filter(Column::ExecutionId.is_in(executions.iter().copied()))
            .filter(Column::Status.is_in(unfinished.iter().map(ToString::to_string)))
            .exec(change.tx.as_ref())
            .await?;
    }
    Ok(())
}

/// Forgets the outputs of units that were skipped, so that another attempt runs them.
async fn ask_again(change: &BatchChange, execution: uuid::Uuid) -> Result<(), LedgerError> {
    use workflow_activity::Column;
    let pending = WorkflowActivityStatus::Pending.to_string();
    workflow_activity::Entity::update_many()
        .col_expr(Column::Status, Expr::value(pending))
        .col_expr(Column::Output, Expr::value(None::<Vec<u8>>))
        .col_expr(Column::Error, Expr::value(None::<String>))
        .col_expr(Column::CompletedAt, Expr::value(None::<DateTime<Utc>>))
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .filter(Column::ExecutionId.eq(execution))
        .filter(Column::Status.eq(WorkflowActivityStatus::Skipped.to_string()))
        .filter(Column::Output.is_not_null())
        .exec(change.tx.as_ref())
        .await?;
    Ok(())
}
