//! The journal: what workflows have begun and finished, read by stage and written in bulk.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use knowledge_domain::{
    ErrorKind,
    ids::ExecutionId,
    workflow::{ActivityError, WorkflowActivityStatus, WorkflowStage},
};
use knowledge_tables::{
    batch_execution,
    workflow_activity::{self, Column},
    workflow_execution,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use uuid::Uuid;

use super::{
    Ledger, LedgerError,
    writer::{Environment, patiently},
};
use crate::store::StoreError;

/// Rows that one statement writes at most; SQLite binds at most 32,766 values, a row has 19.
const ROWS_PER_STATEMENT: usize = 500;

/// Names a unit within an execution: the same name with another input is another unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitKey {
    /// The stage and the unit's position: `mentions/3`.
    pub name: String,
    /// SHA-256 of the canonical input, in hex.
    pub input_hash: String,
}

/// A unit that has its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedUnit {
    /// The unit.
    pub key: UnitKey,
    /// Its output, as canonical JSON.
    pub output: Arc<[u8]>,
    /// Milliseconds of the attempt.
    pub duration_ms: i32,
}

/// A unit that has its output, with its stage.
pub type StagedUnit = (WorkflowStage, CompletedUnit);

/// A unit whose attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedUnit {
    /// The unit.
    pub key: UnitKey,
    /// Why.
    pub error: ActivityError,
    /// Milliseconds of the attempt.
    pub duration_ms: i32,
    /// When it is tried again; never, when absent.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// What the journal holds of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournaledUnit {
    /// The output, once completed.
    pub output: Option<Vec<u8>>,
    /// The failure that ended it, until its document is started again.
    pub failed: Option<ActivityError>,
    /// Failed attempts since the document was last started.
    pub failures: u32,
    /// Times the body was started.
    pub attempt: u32,
    /// When it is tried again.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

impl Ledger {
    /// What the journal holds of a stage's units.
    pub async fn journal(
        &self,
        execution: ExecutionId,
        stage: WorkflowStage,
    ) -> Result<HashMap<UnitKey, JournaledUnit>, LedgerError> {
        // Given up, the read would cost the units that are done and not recorded yet.
        let rows = patiently(async || {
            let rows = workflow_activity::Entity::find()
                .filter(Column::ExecutionId.eq(execution.uuid()))
                .filter(Column::ActivityType.eq(stage.to_string()));
            Ok(rows.all(self.store().read()).await?)
        })
        .await?;
        rows.into_iter().map(journaled).collect()
    }
}

/// # Errors
/// When a completed unit has lost its output: running it again would pay for it twice.
fn journaled(row: workflow_activity::Model) -> Result<(UnitKey, JournaledUnit), LedgerError> {
    let failed = failure(&row);
    let completed = row.status == WorkflowActivityStatus::Completed.to_string();
    if completed && row.output.is_none() {
        let name = &row.activity_name;
        return Err(StoreError::corrupt(format!("no output of the completed {name}")).into());
    }
    let unit = JournaledUnit {
        output: row.output.filter(|_| completed),
        failed,
        failures: u32::try_from(row.failure_count).unwrap_or_default(),
        attempt: u32::try_from(row.attempt).unwrap_or_default(),
        next_attempt_at: row.next_attempt_at,
    };
    let key = UnitKey {
        name: row.activity_name,
        input_hash: row.input_hash,
    };
    Ok((key, unit))
}

/// The failure of a unit that is not to be tried again.
fn failure(row: &workflow_activity::Model) -> Option<ActivityError> {
    let failed = row.status == WorkflowActivityStatus::Failed.to_string();
    if !failed || row.failure_count == 0 || row.next_attempt_at.is_some() {
        return None;
    }
    let kind = ErrorKind::from_name(row.error_kind.as_deref().unwrap_or_default());
    let message = row.error.clone().unwrap_or_default();
    Some(ActivityError::new(kind, message))
}

/// What is to be written of the journal. A unit is begun in an earlier transaction than it
/// completes in, so the order of the two does not matter.
#[derive(Default)]
pub(super) struct JournalWrites {
    begun: Vec<(ExecutionId, WorkflowStage, UnitKey)>,
    completed: Vec<(ExecutionId, WorkflowStage, CompletedUnit)>,
    stages: BTreeMap<WorkflowStage, Vec<Uuid>>,
}

impl JournalWrites {
    /// An attempt of a unit is about to begin.
    pub(super) fn begin(&mut self, execution: ExecutionId, stage: WorkflowStage, unit: UnitKey) {
        self.begun.push((execution, stage, unit));
    }

    /// A unit has its output.
    pub(super) fn complete(
        &mut self,
        execution: ExecutionId,
        stage: WorkflowStage,
        unit: CompletedUnit,
    ) {
        self.completed.push((execution, stage, unit));
    }

    /// An execution enters a stage.
    pub(super) fn enter(&mut self, execution: ExecutionId, stage: WorkflowStage) {
        self.stages.entry(stage).or_default().push(execution.uuid());
    }

    /// Writes everything.
    pub(super) async fn write(
        &mut self,
        env: &Environment,
        tx: &DatabaseTransaction,
        batch: &batch_execution::Model,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let template = Template { env, batch, at };
        let completed = std::mem::take(&mut self.completed);
        for units in completed.chunks(ROWS_PER_STATEMENT) {
            let rows = units
                .iter()
                .map(|(execution, stage, unit)| template.completed(*execution, *stage, unit));
            workflow_activity::Entity::insert_many(rows)
                .on_conflict(complete_once())
                .exec_without_returning(tx)
                .await?;
        }
        let begun = std::mem::take(&mut self.begun);
        for units in begun.chunks(ROWS_PER_STATEMENT) {
            let rows = units
                .iter()
                .map(|(execution, stage, unit)| template.begun(*execution, *stage, unit));
            workflow_activity::Entity::insert_many(rows)
                .on_conflict(begin_again())
                .exec_without_returning(tx)
                .await?;
        }
        for (stage, executions) in std::mem::take(&mut self.stages) {
            write_stage(tx, stage, executions, at).await?;
        }
        Ok(())
    }
}

async fn write_stage(
    tx: &DatabaseTransaction,
    stage: WorkflowStage,
    executions: Vec<Uuid>,
    at: DateTime<Utc>,
) -> Result<(), LedgerError> {
    use workflow_execution::Column;
    workflow_execution::Entity::update_many()
        .col_expr(Column::CurrentActivity, Expr::value(stage.to_string()))
        .col_expr(Column::UpdatedAt, Expr::value(at))
        .filter(Column::Id.is_in(executions))
        .exec(tx)
        .await?;
    Ok(())
}

/// What the rows of one change share.
struct Template<'a> {
    env: &'a Environment,
    batch: &'a batch_execution::Model,
    at: DateTime<Utc>,
}

impl Template<'_> {
    fn begun(
        &self,
        execution: ExecutionId,
        stage: WorkflowStage,
        key: &UnitKey,
    ) -> workflow_activity::ActiveModel {
        workflow_activity::ActiveModel {
            id: Set(self.env.entropy.uuid_v7()),
            organization_id: Set(self.batch.organization_id),
            execution_id: Set(execution.uuid()),
            activity_name: Set(key.name.clone()),
            activity_type: Set(stage.to_string()),
            input_hash: Set(key.input_hash.clone()),
            status: Set(WorkflowActivityStatus::Running.to_string()),
            attempt: Set(1),
            failure_count: Set(0),
            input: Set(None),
            output: Set(None),
            error: Set(None),
            error_kind: Set(None),
            next_attempt_at: Set(None),
            duration_ms: Set(None),
            started_at: Set(Some(self.at)),
            completed_at: Set(None),
            pruned_at: Set(None),
            created_at: Set(self.at),
            updated_at: Set(self.at),
        }
    }

    fn completed(
        &self,
        execution: ExecutionId,
        stage: WorkflowStage,
        unit: &CompletedUnit,
    ) -> workflow_activity::ActiveModel {
        workflow_activity::ActiveModel {
            status: Set(WorkflowActivityStatus::Completed.to_string()),
            output: Set(Some(unit.output.to_vec())),
            duration_ms: Set(Some(unit.duration_ms)),
            completed_at: Set(Some(self.at)),
            ..self.begun(execution, stage, &unit.key)
        }
    }
}

fn unit_key() -> OnConflict {
    OnConflict::columns([Column::ExecutionId, Column::ActivityName, Column::InputHash])
}

/// A completed unit is never changed again, whoever asks.
fn not_completed() -> Expr {
    Expr::col((workflow_activity::Entity, Column::Status))
        .ne(WorkflowActivityStatus::Completed.to_string())
}

fn begin_again() -> OnConflict {
    unit_key()
        .update_columns([Column::Status, Column::StartedAt, Column::UpdatedAt])
        .value(
            Column::Attempt,
            Expr::col((workflow_activity::Entity, Column::Attempt)).add(1),
        )
        .action_and_where(not_completed())
        .to_owned()
}

fn complete_once() -> OnConflict {
    unit_key()
        .update_columns([
            Column::Status,
            Column::Output,
            Column::Error,
            Column::ErrorKind,
            Column::NextAttemptAt,
            Column::DurationMs,
            Column::CompletedAt,
            Column::UpdatedAt,
        ])
        .action_and_where(not_completed())
        .to_owned()
}
