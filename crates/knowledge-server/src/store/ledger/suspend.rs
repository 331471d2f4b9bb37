//! Waiting for something outside.

use knowledge_domain::{
    batch::BatchEventKind,
    workflow::{SuspendReason, Suspension, WorkflowActivityStatus, WorkflowExecutionStatus},
};
use knowledge_tables::workflow_activity::{self, Column};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, sea_query::Expr};

use super::{
    DocumentRun, Ledger, LedgerError, StagedUnit, UnitKey, change::BatchChange,
    checkpoint::complete_unit, document::running, right::Scope, signal,
};

/// A workflow that cannot go on for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspendedRun {
    /// What it waits for.
    pub suspension: Suspension,
    /// Units that completed before it stood still.
    pub completed: Vec<StagedUnit>,
    /// Units that were begun, and wait.
    pub released: Vec<UnitKey>,
}

impl Ledger {
    /// Suspends a document: it keeps its checkpoints and gives its place up, until its time has
    /// come or a command sets it going.
    pub async fn suspend(&self, run: DocumentRun, what: SuspendedRun) -> Result<(), LedgerError> {
        self.writer
            .submit(Scope::of_run(run), move |change| {
                let what = what.clone();
                Box::pin(async move { suspend(change, run, what).await })
            })
            .await
    }
}

async fn suspend(
    change: &mut BatchChange,
    run: DocumentRun,
    what: SuspendedRun,
) -> Result<(), LedgerError> {
    let (mut row, mut execution) = running(change, run)?;
    for unit in what.completed {
        complete_unit(change, &mut row, run, unit);
    }
    let Suspension {
        reason,
        message,
        mut until,
    } = what.suspension;
    let asked = execution.requested.take().is_some();
    if reason == SuspendReason::Paused && !asked {
        // Whoever asked has changed their mind meanwhile.
        until = Some(change.at);
    }
    execution.status = WorkflowExecutionStatus::Suspended.to_string();
    execution.suspend_reason = Some(reason.to_string());
    execution.resume_at = until;
    execution.lease_owner = None;
    execution.lease_token += 1;
    change.queue.suspend(until);
    change.record(BatchEventKind::DocumentSuspended {
        document_id: run.document,
        reason,
        message,
        until,
    });
    change.executions.put(execution);
    change.documents.put(row);
    change.flush().await?;
    if asked {
        signal::acknowledge(change, run.execution).await?;
    }
    release(change, run, &what.released).await
}

/// What was begun waits again; it has not failed.
async fn release(
    change: &mut BatchChange,
    run: DocumentRun,
    units: &[UnitKey],
) -> Result<(), LedgerError> {
    if units.is_empty() {
        return Ok(());
    }
    let pending = WorkflowActivityStatus::Pending.to_string();
    let running = WorkflowActivityStatus::Running.to_string();
    let mut keys = Condition::any();
    for unit in units {
        let key = Condition::all()
            .add(Column::ActivityName.eq(&unit.name))
            .add(Column::InputHash.eq(&unit.input_hash));
        keys = keys.add(key);
    }
    workflow_activity::Entity::update_many()
        .col_expr(Column::Status, Expr::value(pending))
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .filter(Column::ExecutionId.eq(run.execution.uuid()))
        .filter(Column::Status.eq(running))
        .filter(keys)
        .exec(change.tx.as_ref())
        .await?;
    Ok(())
}
