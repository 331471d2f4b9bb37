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
    DocumentRun, FailedUnit, Ledger, LedgerError, Pending, StagedUnit, UnitKey,
    change::BatchChange, document::running, journal::kind_name, right::Scope, writer::When,
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
    /// The bodies run already: they are begun even where the workflow is to pause.
    pub under_way: bool,
}

/// What a workflow does after a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// It goes on.
    Continue,
    /// A user asked it to pause: it lets finish what is in flight, and is then suspended.
    Pause,
}

impl Ledger {
    /// Records what a workflow has finished and what it is about to run. Where the advice is to
    /// pause, what has finished is recorded, and nothing is begun that is not under way.
    pub async fn checkpoint(
        &self,
        run: DocumentRun,
        checkpoint: Checkpoint,
    ) -> Result<Advice, LedgerError> {
        self.hand_in_checkpoint(run, checkpoint)
            .await?
            .durable()
            .await
    }

    /// Hands a checkpoint in; what is recorded after it is durable after it.
    pub async fn hand_in_checkpoint(
        &self,
        run: DocumentRun,
        checkpoint: Checkpoint,
    ) -> Result<Pending<Advice>, LedgerError> {
        self.writer
            .hand_in(Scope::of_run(run), When::Now, move |change| {
                let result = record(change, run, &checkpoint);
                hit(FailurePoint::CheckpointBeforeCommit);
                Box::pin(std::future::ready(result))
            })
            .await
    }

    /// Records a failed attempt of a unit.
    pub async fn fail_unit(&self, run: DocumentRun, unit: FailedUnit) -> Result<(), LedgerError> {
        self.writer
            .submit(Scope::of_run(run), move |change| {
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
) -> Result<Advice, LedgerError> {
    let stage = checkpoint.stage;
    let (mut row, mut execution) = running(change, run)?;
    if !checkpoint.completed.is_empty() {
        execution.lost_runs = 0;
    }
    for unit in &checkpoint.completed {
        require_entered(&row, unit.0, run)?;
        complete_unit(change, &mut row, run, unit.clone());
    }
    let advice = match execution.requested {
        Some(_) => Advice::Pause,
        None => Advice::Continue,
    };
    if advice == Advice::Continue || checkpoint.under_way {
        if let Some(entry) = checkpoint.entered {
            enter_stage(change, &mut row, run, stage, entry)?;
        }
        for unit in &checkpoint.starting {
            change.journal.begin(run.execution, stage, unit.clone());
        }
    }
    change.executions.put(execution);
    change.documents.put(row);
    Ok(advice)
}

/// A stage whose beginning was handed in and not recorded, because the store was away for a moment,
/// is not entered behind its back.
pub(super) fn require_entered(
    row: &batch_document::Model,
    stage: WorkflowStage,
    run: DocumentRun,
) -> Result<(), LedgerError> {
    if entered(row)? >= Some(stage) {
        Ok(())
    } else {
        Err(LedgerError::OutOfOrder(run.document))
    }
}

fn entered(row: &batch_document::Model) -> Result<Option<WorkflowStage>, LedgerError> {
    let stage = row.stage.as_deref();
    let stage = stage.map(|name| convert::from_text("batch_document.stage", name));
    Ok(stage.transpose()?)
}

/// Records a unit's output and the progress that it makes.
pub(super) fn complete_unit(
    change: &mut BatchChange,
    row: &mut batch_document::Model,
    run: DocumentRun,
    (stage, unit): StagedUnit,
) {
    charge(change, row, unit.tokens);
    change.journal.complete(run.execution, stage, unit);
    advance(change, row, run, stage, 1);
}

/// Adds tokens to what a document and its batch have used.
pub(super) fn charge(change: &mut BatchChange, row: &mut batch_document::Model, tokens: u64) {
    let tokens = convert::long(tokens);
    row.tokens_used = row.tokens_used.saturating_add(tokens);
    change.row.tokens_used = change.row.tokens_used.saturating_add(tokens);
}

/// A document that goes on after a crash is in the stage already: nothing is reported twice. One of
/// which a unit of the stage before was handed in and not recorded does not enter.
fn enter_stage(
    change: &mut BatchChange,
    row: &mut batch_document::Model,
    run: DocumentRun,
    stage: WorkflowStage,
    entry: StageEntry,
) -> Result<(), LedgerError> {
    if entered(row)? >= Some(stage) {
        return Ok(());
    }
    if row.stage_current < row.stage_total {
        return Err(LedgerError::OutOfOrder(run.document));
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
    running(change, run)?;
    change.flush().await?;
    let failed = WorkflowActivityStatus::Failed.to_string();
    let ended = unit.next_attempt_at.is_none().then_some(change.at);
    workflow_activity::Entity::update_many()
        .col_expr(Column::Status, Expr::value(failed))
        .col_expr(Column::FailureCount, Expr::col(Column::FailureCount).add(1))
        .col_expr(Column::Error, Expr::value(unit.error.to_string()))
        .col_expr(Column::ErrorKind, Expr::value(kind_name(&unit.error)))
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
