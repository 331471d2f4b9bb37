//! Checkpoints: what a workflow has finished, with the progress that it makes.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    batch::{BatchEventKind, StageReport},
    ids::{BatchDocumentId, ExecutionId},
    workflow::{
        ActivityError, DocumentProgress, StageStatus, WorkflowActivityStatus, WorkflowStage,
    },
};
use knowledge_tables::{
    batch_document,
    workflow_activity::{self, Column},
    workflow_execution,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{
    DocumentRun, Ledger, LedgerError,
    change::{BatchChange, Lease},
    document::{raise_progress, save},
};
use crate::store::{StoreError, convert};

/// Names a unit within an execution: the same name with another input is another unit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnitKey {
    /// The stage and the unit's position: `mentions/3`.
    pub name: String,
    /// SHA-256 of the canonical input, in hex.
    pub input_hash: String,
}

/// A stage that a document enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageEntry {
    /// Units of the stage.
    pub total: u32,
    /// Units whose output is journaled already.
    pub replayed: u32,
}

/// A unit that has its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedUnit {
    /// The unit.
    pub key: UnitKey,
    /// Its output, as canonical JSON.
    pub output: Vec<u8>,
    /// Milliseconds of the attempt.
    pub duration_ms: i32,
}

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

/// What one transaction records of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The stage.
    pub stage: WorkflowStage,
    /// The document enters it.
    pub entered: Option<StageEntry>,
    /// A unit completed.
    pub completed: Option<CompletedUnit>,
    /// Units whose bodies are about to run, one attempt each.
    pub starting: Vec<UnitKey>,
}

/// What the journal holds of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournaledUnit {
    /// The output, once completed.
    pub output: Option<Vec<u8>>,
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
        let rows = workflow_activity::Entity::find()
            .filter(Column::ExecutionId.eq(execution.uuid()))
            .filter(Column::ActivityType.eq(stage.to_string()))
            .all(self.store.read())
            .await?;
        let completed = WorkflowActivityStatus::Completed.to_string();
        Ok(rows
            .into_iter()
            .map(|row| {
                let output = (row.status == completed).then(|| row.output.unwrap_or_default());
                let unit = JournaledUnit {
                    output,
                    failures: u32::try_from(row.failure_count).unwrap_or_default(),
                    attempt: u32::try_from(row.attempt).unwrap_or_default(),
                    next_attempt_at: row.next_attempt_at,
                };
                let key = UnitKey {
                    name: row.activity_name,
                    input_hash: row.input_hash,
                };
                (key, unit)
            })
            .collect())
    }

    /// Records what a workflow has finished and what it is about to run.
    pub async fn checkpoint(
        &self,
        lease: Lease,
        run: DocumentRun,
        checkpoint: &Checkpoint,
    ) -> Result<(), LedgerError> {
        let mut change = BatchChange::begin_owned(self, lease).await?;
        let mut row = batch_document::Entity::find_by_id(run.document.uuid())
            .one(&change.tx)
            .await?
            .ok_or_else(|| StoreError::corrupt(format!("no document {}", run.document)))?;
        if let Some(entry) = checkpoint.entered {
            enter_stage(&mut change, &mut row, run, checkpoint.stage, entry).await?;
        }
        if let Some(unit) = &checkpoint.completed {
            complete_unit(&change, run, unit).await?;
            advance_unit(&mut change, &mut row, run, checkpoint.stage, 1);
        }
        start_units(&change, run, checkpoint).await?;
        save(&change, row).await?;
        change.commit().await
    }

    /// Records a failed attempt of a unit.
    pub async fn fail_unit(
        &self,
        lease: Lease,
        run: DocumentRun,
        unit: &FailedUnit,
    ) -> Result<(), LedgerError> {
        let change = BatchChange::begin_owned(self, lease).await?;
        workflow_activity::Entity::update_many()
            .col_expr(
                Column::Status,
                Expr::value(WorkflowActivityStatus::Failed.to_string()),
            )
            .col_expr(Column::FailureCount, Expr::col(Column::FailureCount).add(1))
            .col_expr(Column::Error, Expr::value(unit.error.to_string()))
            .col_expr(Column::ErrorKind, Expr::value(unit.error.kind().name()))
            .col_expr(Column::NextAttemptAt, Expr::value(unit.next_attempt_at))
            .col_expr(Column::DurationMs, Expr::value(unit.duration_ms))
            .col_expr(
                Column::CompletedAt,
                Expr::value(unit.next_attempt_at.is_none().then_some(change.at)),
            )
            .col_expr(Column::UpdatedAt, Expr::value(change.at))
            .filter(Column::ExecutionId.eq(run.execution.uuid()))
            .filter(Column::ActivityName.eq(&unit.key.name))
            .filter(Column::InputHash.eq(&unit.key.input_hash))
            .exec(&change.tx)
            .await?;
        change.commit().await
    }
}

/// A document that goes on after a crash is in the stage already: nothing is reported twice.
async fn enter_stage(
    change: &mut BatchChange<'_>,
    row: &mut batch_document::Model,
    run: DocumentRun,
    stage: WorkflowStage,
    entry: StageEntry,
) -> Result<(), LedgerError> {
    let current: Option<WorkflowStage> = row
        .stage
        .as_deref()
        .map(|name| convert::from_text("batch_document.stage", name))
        .transpose()?;
    if current >= Some(stage) {
        return Ok(());
    }
    row.stage = Some(stage.to_string());
    row.stage_current = 0;
    row.stage_total = convert::count(entry.total);
    // A batch in which documents have completed has been through every stage.
    let reached = if change.row.completed_documents > 0 {
        WorkflowStage::Assemble
    } else {
        stage
    };
    change.advance_to(reached)?;
    report(change, row, run, stage, StageStatus::Started);
    if entry.replayed > 0 || entry.total == 0 {
        advance_unit(change, row, run, stage, entry.replayed);
    }
    workflow_execution::Entity::update_many()
        .col_expr(
            workflow_execution::Column::CurrentActivity,
            Expr::value(stage.to_string()),
        )
        .col_expr(
            workflow_execution::Column::UpdatedAt,
            Expr::value(change.at),
        )
        .filter(workflow_execution::Column::Id.eq(run.execution.uuid()))
        .exec(&change.tx)
        .await?;
    Ok(())
}

fn advance_unit(
    change: &mut BatchChange<'_>,
    row: &mut batch_document::Model,
    run: DocumentRun,
    stage: WorkflowStage,
    units: u32,
) {
    row.stage_current = Ord::min(row.stage_current + convert::count(units), row.stage_total);
    raise_progress(change, row, progress(row, stage).units());
    let status = if row.stage_current == row.stage_total {
        StageStatus::Completed
    } else {
        StageStatus::InProgress
    };
    report(change, row, run, stage, status);
}

fn progress(row: &batch_document::Model, stage: WorkflowStage) -> DocumentProgress {
    DocumentProgress {
        stage,
        current: u32::try_from(row.stage_current).unwrap_or_default(),
        total: u32::try_from(row.stage_total).unwrap_or_default(),
    }
}

fn report(
    change: &mut BatchChange<'_>,
    row: &batch_document::Model,
    run: DocumentRun,
    stage: WorkflowStage,
    status: StageStatus,
) {
    let report = StageReport::new(
        BatchDocumentId::from_uuid(row.id),
        run.execution,
        progress(row, stage),
        status,
    );
    change.record(BatchEventKind::StageProgress(report));
}

async fn complete_unit(
    change: &BatchChange<'_>,
    run: DocumentRun,
    unit: &CompletedUnit,
) -> Result<(), LedgerError> {
    let completed = WorkflowActivityStatus::Completed.to_string();
    let updated = workflow_activity::Entity::update_many()
        .col_expr(Column::Status, Expr::value(completed.clone()))
        .col_expr(Column::Output, Expr::value(unit.output.clone()))
        .col_expr(Column::Error, Expr::value(None::<String>))
        .col_expr(Column::ErrorKind, Expr::value(None::<String>))
        .col_expr(Column::NextAttemptAt, Expr::value(None::<DateTime<Utc>>))
        .col_expr(Column::DurationMs, Expr::value(unit.duration_ms))
        .col_expr(Column::CompletedAt, Expr::value(change.at))
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .filter(Column::ExecutionId.eq(run.execution.uuid()))
        .filter(Column::ActivityName.eq(&unit.key.name))
        .filter(Column::InputHash.eq(&unit.key.input_hash))
        .filter(Column::Status.ne(completed))
        .exec(&change.tx)
        .await?;
    if updated.rows_affected == 1 {
        Ok(())
    } else {
        let name = &unit.key.name;
        Err(StoreError::corrupt(format!("activity {name} twice or not at all")).into())
    }
}

/// Records an attempt of each unit before its body runs.
async fn start_units(
    change: &BatchChange<'_>,
    run: DocumentRun,
    checkpoint: &Checkpoint,
) -> Result<(), LedgerError> {
    if checkpoint.starting.is_empty() {
        return Ok(());
    }
    let running = WorkflowActivityStatus::Running.to_string();
    let rows = checkpoint
        .starting
        .iter()
        .map(|key| workflow_activity::ActiveModel {
            id: Set(change.ledger().entropy().uuid_v7()),
            organization_id: Set(change.row.organization_id),
            execution_id: Set(run.execution.uuid()),
            activity_name: Set(key.name.clone()),
            activity_type: Set(checkpoint.stage.to_string()),
            input_hash: Set(key.input_hash.clone()),
            status: Set(running.clone()),
            attempt: Set(1),
            failure_count: Set(0),
            input: Set(None),
            output: Set(None),
            error: Set(None),
            error_kind: Set(None),
            next_attempt_at: Set(None),
            duration_ms: Set(None),
            started_at: Set(Some(change.at)),
            completed_at: Set(None),
            created_at: Set(change.at),
            updated_at: Set(change.at),
        });
    let again = OnConflict::columns([Column::ExecutionId, Column::ActivityName, Column::InputHash])
        .value(
            Column::Attempt,
            Expr::col((workflow_activity::Entity, Column::Attempt)).add(1),
        )
        .value(Column::Status, running.clone())
        .value(Column::StartedAt, change.at)
        .value(Column::UpdatedAt, change.at)
        .action_and_where(
            Expr::col((workflow_activity::Entity, Column::Status))
                .ne(WorkflowActivityStatus::Completed.to_string()),
        )
        .to_owned();
    workflow_activity::Entity::insert_many(rows)
        .on_conflict(again)
        .exec_without_returning(&change.tx)
        .await?;
    Ok(())
}
