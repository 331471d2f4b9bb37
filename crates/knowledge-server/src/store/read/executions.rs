//! Workflows and their activities; inputs and outputs, which may be large, stay in the database.

use chrono::{DateTime, Utc};
use knowledge_domain::{
    batch::FailurePolicy,
    document::DocumentStatus,
    ids::{BatchDocumentId, BatchId, ExecutionId},
    workflow::{
        SuspendReason, WorkflowActivityStatus, WorkflowExecutionStatus, WorkflowMode, WorkflowStage,
    },
};
use knowledge_tables::{batch_document, workflow_activity, workflow_execution};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Func, Query},
};
use uuid::Uuid;

use super::{KEYS_A_STATEMENT, Reads, parse};
use crate::store::{StoreError, scope::owned};

/// One run of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionView {
    /// The id.
    pub id: ExecutionId,
    /// The document that it works on; none for a batch's own workflow.
    pub document_id: Option<BatchDocumentId>,
    /// How it fares.
    pub status: WorkflowExecutionStatus,
    /// What runs it.
    pub mode: WorkflowMode,
    /// The stage that it is in.
    pub current_stage: Option<WorkflowStage>,
    /// Why it waits, when it is suspended.
    pub suspend_reason: Option<SuspendReason>,
    /// When it goes on by itself.
    pub resume_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub error: Option<String>,
}

/// One unit of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityView {
    /// The workflow.
    pub execution_id: ExecutionId,
    /// The stage and the unit: `mentions/3`.
    pub name: String,
    /// How it fares.
    pub status: WorkflowActivityStatus,
    /// Times its body was started.
    pub attempt: u32,
    /// Milliseconds of the last attempt.
    pub duration_ms: Option<u32>,
    /// Why its last attempt failed.
    pub error: Option<String>,
}

/// How far one document's workflow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkflowHead {
    /// The document.
    pub document_id: BatchDocumentId,
    /// Its batch.
    pub batch_id: BatchId,
    /// Whether nothing more will happen to it in this run of the batch.
    pub ended: bool,
}

#[derive(FromQueryResult)]
struct ExecutionRow {
    id: Uuid,
    batch_document_id: Option<Uuid>,
    status: String,
    mode: String,
    current_activity: Option<String>,
    suspend_reason: Option<String>,
    resume_at: Option<DateTime<Utc>>,
    error: Option<String>,
}

#[derive(FromQueryResult)]
struct ActivityRow {
    execution_id: Uuid,
    activity_name: String,
    activity_type: String,
    status: String,
    attempt: i32,
    duration_ms: Option<i32>,
    error: Option<String>,
}

impl Reads {
    /// Those of the executions that the organisation has.
    pub async fn executions(&self, ids: &[ExecutionId]) -> Result<Vec<ExecutionView>, StoreError> {
        use workflow_execution::{Column, Entity};
        let mut executions = Vec::with_capacity(ids.len());
        for ids in ids.chunks(KEYS_A_STATEMENT) {
            let rows: Vec<ExecutionRow> = Entity::find()
                .select_only()
                .columns([
                    Column::Id,
                    Column::BatchDocumentId,
                    Column::Status,
                    Column::Mode,
                    Column::SuspendReason,
                    Column::ResumeAt,
                    Column::Error,
                ])
                .expr_as(current_activity(), "current_activity")
                .filter(owned(Column::OrganizationId, self.organization))
                .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
                .into_model()
                .all(self.connection())
                .await?;
            for row in rows {
                executions.push(row.try_into()?);
            }
        }
        Ok(executions)
    }

    /// An execution, when the organisation has it.
    pub async fn execution(&self, id: ExecutionId) -> Result<Option<ExecutionView>, StoreError> {
        Ok(self.executions(&[id]).await?.pop())
    }

    /// The activities of some executions, in the order of stages and units.
    pub async fn activities(&self, of: &[ExecutionId]) -> Result<Vec<ActivityView>, StoreError> {
        use workflow_activity::{Column, Entity};
        let mut activities = Vec::new();
        for ids in of.chunks(KEYS_A_STATEMENT) {
            let rows: Vec<ActivityRow> = Entity::find()
                .select_only()
                .columns([
                    Column::ExecutionId,
                    Column::ActivityName,
                    Column::ActivityType,
                    Column::Status,
                    Column::Attempt,
                    Column::DurationMs,
                    Column::Error,
                ])
                .filter(owned(Column::OrganizationId, self.organization))
                .filter(Column::ExecutionId.is_in(ids.iter().map(|id| id.uuid())))
                .order_by_asc(Column::ActivityName)
                .order_by_asc(Column::InputHash)
                .into_model()
                .all(self.connection())
                .await?;
            activities.extend(rows);
        }
        activities.sort_by_cached_key(activity_order);
        activities.into_iter().map(ActivityView::try_from).collect()
    }

    /// How far a document's workflow is; `None` when the organisation has no such execution or it
    /// is no document's.
    pub async fn workflow_head(&self, id: ExecutionId) -> Result<Option<WorkflowHead>, StoreError> {
        let Some(execution) = self.execution(id).await? else {
            return Ok(None);
        };
        let Some(document_id) = execution.document_id else {
            return Ok(None);
        };
        let Some(document) = self.document(document_id).await? else {
            return Ok(None);
        };
        let Some(batch) = self.batch(document.batch_id).await? else {
            return Ok(None);
        };
        let tried_again = batch.failure_policy == FailurePolicy::RetryFailed
            && batch.retry_round < batch.max_retries;
        let settled = match document.status {
            DocumentStatus::Completed | DocumentStatus::Abandoned | DocumentStatus::Skipped => true,
            DocumentStatus::Failed => !tried_again,
            DocumentStatus::Queued | DocumentStatus::Processing | DocumentStatus::Retry => false,
        };
        let superseded = document.execution_id != Some(id);
        Ok(Some(WorkflowHead {
            document_id,
            batch_id: document.batch_id,
            ended: batch.stage.is_terminal()
                || (execution.status.is_terminal() && (settled || superseded)),
        }))
    }
}

/// What an execution does: where it has a document, that has the stage.
fn current_activity() -> Expr {
    use batch_document::{Column as Document, Entity as Documents};
    use workflow_execution::{Column, Entity};
    let stage = Query::select()
        .column((Documents, Document::Stage))
        .from(Documents)
        .and_where(Expr::col((Documents, Document::Id)).equals((Entity, Column::BatchDocumentId)))
        .take();
    let of_its_own = Expr::col((Entity, Column::CurrentActivity));
    Expr::from(Func::coalesce([Expr::from(stage), of_its_own]))
}

/// Stages in their order, units by number: `mentions/10` after `mentions/9`.
fn activity_order(row: &ActivityRow) -> (Option<WorkflowStage>, Option<u32>, String) {
    let unit = row.activity_name.rsplit('/').next();
    (
        row.activity_type.parse().ok(),
        unit.and_then(|unit| unit.parse().ok()),
        row.activity_name.clone(),
    )
}

impl TryFrom<ExecutionRow> for ExecutionView {
    type Error = StoreError;

    fn try_from(row: ExecutionRow) -> Result<Self, StoreError> {
        let stage = row.current_activity.as_deref();
        Ok(Self {
            id: ExecutionId::from_uuid(row.id),
            document_id: row.batch_document_id.map(BatchDocumentId::from_uuid),
            status: parse::name("execution status", &row.status)?,
            mode: parse::name("workflow mode", &row.mode)?,
            // A batch's own workflow has activities that are no stages.
            current_stage: stage.and_then(|stage| stage.split('/').next()?.parse().ok()),
            suspend_reason: row
                .suspend_reason
                .map(|reason| parse::name("suspend reason", &reason))
                .transpose()?,
            resume_at: row.resume_at,
            error: row.error,
        })
    }
}

impl TryFrom<ActivityRow> for ActivityView {
    type Error = StoreError;

    fn try_from(row: ActivityRow) -> Result<Self, StoreError> {
        Ok(Self {
            execution_id: ExecutionId::from_uuid(row.execution_id),
            name: row.activity_name,
            status: parse::name("activity status", &row.status)?,
            attempt: parse::count("attempt", row.attempt)?,
            duration_ms: row
                .duration_ms
                .map(|duration| parse::count("duration", duration))
                .transpose()?,
            error: row.error,
        })
    }
}
