//! `WorkflowExecution` and `WorkflowActivity`.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::{
    enums::{SuspendReason, WorkflowExecutionStatus, WorkflowMode, WorkflowStage},
    error::internal,
    loaders::ActivitiesOf,
    scalar::int,
    viewer::Viewer,
};
use crate::store::read::{ActivityView, ExecutionView};

/// One run of the extraction workflow.
#[derive(Clone)]
pub(crate) struct WorkflowExecution(ExecutionView);

impl From<ExecutionView> for WorkflowExecution {
    fn from(execution: ExecutionView) -> Self {
        Self(execution)
    }
}

/// One run of a workflow.
#[Object]
impl WorkflowExecution {
    /// The id.
    pub(super) async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The document that it works on.
    async fn document_id(&self) -> Option<ID> {
        self.0.document_id.map(Into::into)
    }

    /// How it fares.
    async fn status(&self) -> WorkflowExecutionStatus {
        self.0.status.into()
    }

    /// What runs it.
    async fn mode(&self) -> WorkflowMode {
        self.0.mode.into()
    }

    /// The stage that it is in.
    async fn current_stage(&self) -> Option<WorkflowStage> {
        self.0.current_stage.map(Into::into)
    }

    /// Why it waits, when it is suspended.
    async fn suspend_reason(&self) -> Option<SuspendReason> {
        self.0.suspend_reason.map(Into::into)
    }

    /// When it goes on by itself, when it is suspended; only by a signal, when absent.
    async fn resume_at(&self) -> Option<DateTime<Utc>> {
        self.0.resume_at
    }

    /// Why it failed.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }

    /// Its units in the order of stages.
    #[graphql(complexity = "1 + 20 * child_complexity")]
    async fn activities(&self, ctx: &Context<'_>) -> Result<Vec<WorkflowActivity>> {
        let activities = Viewer::of(ctx)?
            .loaders
            .load_one(ActivitiesOf(self.0.id))
            .await
            .map_err(|error| internal(&error))?;
        Ok(activities
            .unwrap_or_default()
            .into_iter()
            .map(WorkflowActivity::from)
            .collect())
    }
}

/// One unit of a workflow.
#[derive(SimpleObject)]
pub(crate) struct WorkflowActivity {
    /// The stage and the unit: `mentions/3`.
    name: String,
    /// `pending`, `running`, `completed`, `failed` or `skipped`.
    status: String,
    /// Times its body was started.
    attempt: i32,
    /// Milliseconds of the last attempt.
    duration_ms: Option<i32>,
    /// Why its last attempt failed.
    error: Option<String>,
}

impl From<ActivityView> for WorkflowActivity {
    fn from(activity: ActivityView) -> Self {
        Self {
            name: activity.name,
            status: activity.status.to_string(),
            attempt: int(activity.attempt),
            duration_ms: activity.duration_ms.map(int),
            error: activity.error,
        }
    }
}
