//! Checkpoints: what a workflow has finished, with the progress that it makes.

use knowledge_domain::{
    batch::{BatchEventKind, StageReport},
    ids::BatchDocumentId,
    workflow::{DocumentProgress, StageStatus, WorkflowActivityStatus, WorkflowStage},
};
use knowledge_tables::{
    batch_document,
    workflow_activity::{self, Column},
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};

use super::{
    DocumentRun, FailedUnit, Lease, Ledger, LedgerError, StagedUnit, UnitKey, change::BatchChange,
    writer::Scope,
};
use crate::{
    faults::{FailurePoint, hit},
    store::convert,
};

/// A stage that a document enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageEntry {
    /// Units of the stage.
    pub total: u32,
    /// Units whose output is journaled already.
    pub replayed: u32,
}

/// What one transaction records of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The stage.
    pub stage: WorkflowStage,
    /// The document enters it.
    pub entered: Option<StageEntry>,
    /// Units that completed; the last of the stage before may be among them.
    pub completed: Vec<StagedUnit>,
    /// Units whose bodies are about to run, one attempt each.
    pub starting: Vec<UnitKey>,
}

impl Ledger {
    /// Records what a workflow has finished and what it is about to run.
    pub async fn checkpoint(
        &self,
        lease: Lease,
        run: DocumentRun,
        checkpoint: Checkpoint,
    ) -> Result<(), LedgerError> {
        let scope = Scope::owned(lease).document(run.document);
        self.writer
            .submit(scope, move |change| {
                let result = record(change, run, &checkpoint);
                hit(FailurePoint::CheckpointBeforeCommit);
                Box::pin(std::future::ready(result))
            })
            .await?;
        hit(FailurePoint::CheckpointAfterCommit);
        Ok(())
    }

    /// Records a failed attempt of a unit.
    pub async fn fail_unit(
        &self,
        lease: Lease,
        run: DocumentRun,
        unit: FailedUnit,
    ) -> Result<(), LedgerError> {
        self.writer
            .submit(Scope::owned(lease), move |change| {
                let unit = unit.clone();
                Box::pin(async move { fail_unit(change, run, &unit).await })
            })
            .await?;
        hit(FailurePoint::UnitFailureAfterCommit);
        Ok(())
    }
}

fn record(
    change: &mut BatchChange,
    run: DocumentRun,
    checkpoint: &Checkpoint,
) -> Result<(), LedgerError> {
    let stage = checkpoint.stage;
    let mut row = change.documents.get(run.document)?;
    for unit in &checkpoint.completed {
        complete_unit(change, &mut row, run, unit.clone());
    }
    if let Some(entry) = checkpoint.entered {
        enter_stage(change, &mut row, run, stage, entry)?;
    }
    for unit in &checkpoint.starting {
        change.journal.begin(run.execution, stage, unit.clone());
    }
    change.documents.put(row);
    Ok(())
}

/// Records a unit's output and the progress that it makes.
pub(super) fn complete_unit(
    change: &mut BatchChange,
    row: &mut batch_document::Model,
    run: DocumentRun,
    (stage, unit): StagedUnit,
) {
    change.journal.complete(run.execution, stage, unit);
    advance(change, row, run, stage, 1);
}

/// A document that goes on after a crash is in the stage already: nothing is reported twice.
fn enter_stage(
    change: &mut BatchChange,
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
    change.journal.enter(run.execution, stage);
    report(change, row, run, stage, StageStatus::Started);
    if entry.replayed > 0 || entry.total == 0 {
        advance(change, row, run, stage, entry.replayed);
    }
    Ok(())
}

fn advance(
    change: &mut BatchChange,
    row: &mut batch_document::Model,
    run: DocumentRun,
    stage: WorkflowStage,
    units: u32,
) {
    let done = row.stage_current + convert::count(units);
    row.stage_current = Ord::min(done, row.stage_total);
    change.raise_progress(row, progress(row, stage).units());
    let status = if row.stage_current == row.stage_total {
        StageStatus::Completed
    } else {
        StageStatus::InProgress
    };
    report(change, row, run, stage, status);
}

/// How far a document is within a stage.
pub(super) fn progress(row: &batch_document::Model, stage: WorkflowStage) -> DocumentProgress {
    DocumentProgress {
        stage,
        current: u32::try_from(row.stage_current).unwrap_or_default(),
        total: u32::try_from(row.stage_total).unwrap_or_default(),
    }
}

/// Records how far a document is within a stage.
pub(super) fn report(
    change: &mut BatchChange,
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

async fn fail_unit(
    change: &mut BatchChange,
    run: DocumentRun,
    unit: &FailedUnit,
) -> Result<(), LedgerError> {
    change.flush().await?;
    let failed = WorkflowActivityStatus::Failed.to_string();
    let ended = unit.next_attempt_at.is_none().then_some(change.at);
    workflow_activity::Entity::update_many()
        .col_expr(Column::Status, Expr::value(failed))
        .col_expr(Column::FailureCount, Expr::col(Column::FailureCount).add(1))
        .col_expr(Column::Error, Expr::value(unit.error.to_string()))
        .col_expr(Column::ErrorKind, Expr::value(unit.error.kind().name()))
        .col_expr(Column::NextAttemptAt, Expr::value(unit.next_attempt_at))
        .col_expr(Column::DurationMs, Expr::value(unit.duration_ms))
        .col_expr(Column::CompletedAt, Expr::value(ended))
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .filter(Column::ExecutionId.eq(run.execution.uuid()))
        .filter(Column::ActivityName.eq(&unit.key.name))
        .filter(Column::InputHash.eq(&unit.key.input_hash))
        .exec(change.tx.as_ref())
        .await?;
    hit(FailurePoint::UnitFailureBeforeCommit);
    Ok(())
}
