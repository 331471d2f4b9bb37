//! The batch's own workflow: its execution, and the units that it has done.

use chrono::{DateTime, Utc};
use knowledge_domain::{
    batch::BatchStage,
    workflow::{RetryOwner, WorkflowActivityStatus, WorkflowExecutionStatus, WorkflowType},
};
use knowledge_extraction::sha256_hex;
use knowledge_tables::{batch_execution, workflow_activity, workflow_execution};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait, UpdateMany,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::{LedgerError, change::BatchChange, lease::alive};

/// What a unit of the workflow does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Activity {
    /// Gives forms that another version of the rules has resolved their blocks.
    Renew,
    /// Gives entities their forms.
    Index,
    /// Asks what forms mean.
    Embed,
    /// Clusters what is connected with some forms.
    Settle,
}

/// The version of what the units do.
const VERSION: i32 = 1;

/// The batch's execution, which is begun with the first unit and goes on when the batch is retried.
pub(super) async fn execution(change: &BatchChange) -> Result<Uuid, LedgerError> {
    use workflow_execution::{Column, Entity};
    let found: Option<(Uuid, String)> = Entity::find()
        .select_only()
        .columns([Column::Id, Column::Status])
        .filter(Column::BatchId.eq(change.row.id))
        .into_tuple()
        .one(change.tx.as_ref())
        .await?;
    let Some((id, status)) = found else {
        return begin(change).await;
    };
    if status != WorkflowExecutionStatus::Running.to_string() {
        let suspended = status == WorkflowExecutionStatus::Suspended.to_string();
        resume(change, id, suspended).await?;
    }
    Ok(id)
}

async fn begin(change: &BatchChange) -> Result<Uuid, LedgerError> {
    let id = change.entropy().uuid_v7();
    let row = workflow_execution::ActiveModel {
        id: Set(id),
        organization_id: Set(change.row.organization_id),
        workflow_type: Set(WorkflowType::BatchExtraction.to_string()),
        workflow_version: Set(VERSION),
        batch_document_id: Set(None),
        batch_id: Set(Some(change.row.id)),
        status: Set(WorkflowExecutionStatus::Running.to_string()),
        mode: Set(change.row.mode.clone()),
        current_activity: Set(None),
        input: Set(serde_json::json!({ "batchId": change.batch_id() })),
        output: Set(None),
        error: Set(None),
        checkpoint: Set(None),
        retry_owner: Set(RetryOwner::Orchestrator.to_string()),
        retry_count: Set(0),
        lost_runs: Set(0),
        lease_owner: Set(None),
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
    };
    workflow_execution::Entity::insert(row)
        .exec_without_returning(change.tx.as_ref())
        .await?;
    Ok(id)
}

/// Records a unit that this transaction has done to `rows`.
pub(super) async fn checkpoint(
    change: &BatchChange,
    execution: Uuid,
    activity: Activity,
    rows: &[Uuid],
    done: &serde_json::Value,
) -> Result<(), LedgerError> {
    use workflow_activity::{Column, Entity};
    let units = Entity::find()
        .filter(Column::ExecutionId.eq(execution))
        .count(change.tx.as_ref())
        .await?;
    let input = rows.iter().map(|id| id.simple().to_string());
    let input = input.collect::<Vec<_>>().join(" ");
    let ended = change.env.clock.now();
    let took = (ended - change.at).num_milliseconds();
    let row = workflow_activity::ActiveModel {
        id: Set(change.entropy().uuid_v7()),
        organization_id: Set(change.row.organization_id),
        execution_id: Set(execution),
        activity_name: Set(format!("resolve/{activity}/{units}")),
        activity_type: Set("resolve".to_owned()),
        input_hash: Set(sha256_hex(input.as_bytes())),
        status: Set(WorkflowActivityStatus::Completed.to_string()),
        attempt: Set(1),
        failure_count: Set(0),
        input: Set(None),
        output: Set(Some(done.to_string().into_bytes())),
        error: Set(None),
        error_kind: Set(None),
        next_attempt_at: Set(None),
        duration_ms: Set(Some(i32::try_from(took).unwrap_or(i32::MAX))),
        started_at: Set(Some(change.at)),
        completed_at: Set(Some(ended)),
        pruned_at: Set(None),
        created_at: Set(change.at),
        updated_at: Set(ended),
    };
    Entity::insert(row)
        .exec_without_returning(change.tx.as_ref())
        .await?;
    Ok(())
}

/// Whether the workflow of some batch goes on: it runs, in a process that is alive.
pub(super) async fn goes_on(change: &BatchChange, execution: Uuid) -> Result<bool, LedgerError> {
    use batch_execution::Column;
    let of_batch = workflow_execution::Entity::find()
        .select_only()
        .column(workflow_execution::Column::BatchId)
        .filter(workflow_execution::Column::Id.eq(execution))
        .filter(
            workflow_execution::Column::Status.eq(WorkflowExecutionStatus::Running.to_string()),
        );
    let found: Option<Uuid> = batch_execution::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Id.in_subquery(of_batch.into_query()))
        .filter(Column::State.eq(BatchStage::Resolving.to_string()))
        .filter(Column::LeaseOwner.in_subquery(alive(change.at).into_query()))
        .into_tuple()
        .one(change.tx.as_ref())
        .await?;
    Ok(found.is_some())
}

/// Ends the workflow.
pub(super) async fn complete(
    change: &BatchChange,
    execution: Uuid,
    output: serde_json::Value,
) -> Result<(), LedgerError> {
    use workflow_execution::Column;
    let ended = ended(change, WorkflowExecutionStatus::Completed);
    ended
        .col_expr(Column::Output, Expr::value(Some(output)))
        .filter(Column::Id.eq(execution))
        .exec(change.tx.as_ref())
        .await?;
    Ok(())
}

/// Ends the workflow of a batch that ends without it, where there is one.
pub(super) async fn stop(change: &BatchChange) -> Result<(), LedgerError> {
    use workflow_execution::Column;
    let open = [
        WorkflowExecutionStatus::Running,
        WorkflowExecutionStatus::Suspended,
    ];
    let ended = ended(change, WorkflowExecutionStatus::Cancelled);
    ended
        .filter(Column::BatchId.eq(change.row.id))
        .filter(Column::Status.is_in(open.map(|status| status.to_string())))
        .exec(change.tx.as_ref())
        .await?;
    Ok(())
}

/// Sets the workflow going again, when its batch is retried or what it waited for is over.
async fn resume(change: &BatchChange, execution: Uuid, suspended: bool) -> Result<(), LedgerError> {
    use workflow_execution::{Column, Entity};
    let running = WorkflowExecutionStatus::Running.to_string();
    Entity::update_many()
        .col_expr(Column::Status, Expr::value(running))
        .col_expr(Column::CompletedAt, Expr::value(None::<DateTime<Utc>>))
        .col_expr(Column::Error, Expr::value(None::<String>))
        .col_expr(Column::SuspendReason, Expr::value(None::<String>))
        .col_expr(Column::ResumeAt, Expr::value(None::<DateTime<Utc>>))
        .col_expr(
            Column::RetryCount,
            Expr::col(Column::RetryCount).add(i32::from(!suspended)),
        )
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .filter(Column::Id.eq(execution))
        .exec(change.tx.as_ref())
        .await?;
    Ok(())
}

fn ended(
    change: &BatchChange,
    status: WorkflowExecutionStatus,
) -> UpdateMany<workflow_execution::Entity> {
    use workflow_execution::{Column, Entity};
    Entity::update_many()
        .col_expr(Column::Status, Expr::value(status.to_string()))
        .col_expr(Column::LeaseOwner, Expr::value(None::<String>))
        .col_expr(Column::CompletedAt, Expr::value(change.at))
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
}
