//! What users tell one workflow: stored before it is delivered, acknowledged when it is done.

use knowledge_domain::{
    batch::{BatchEventKind, BatchStage},
    document::{DocumentStatus, DocumentTrigger},
    ids::{BatchDocumentId, BatchId, ExecutionId, OrganizationId},
    workflow::{WorkflowExecutionStatus, WorkflowSignal},
};
use knowledge_tables::{batch_document, workflow_execution, workflow_signal};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr,
};
use uuid::Uuid;

use super::{
    Ledger, LedgerError,
    change::BatchChange,
    commit::commit_alone,
    document::cancel_executions,
    partial,
    right::Scope,
    rows::{is_running, move_to, status},
};
use crate::store::convert;

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signalled {
    /// The batch of the workflow.
    pub batch: BatchId,
    /// Whether it is done; a running workflow pauses when what it has in flight is finished.
    pub acknowledged: bool,
}

/// Why a signal was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// The organisation has no such workflow.
    #[error("there is no workflow {0}")]
    NotFound(ExecutionId),
    /// The workflow has ended.
    #[error("workflow {execution} is {status}, and takes no signal {signal}")]
    Ended {
        /// The workflow.
        execution: ExecutionId,
        /// How it ended.
        status: WorkflowExecutionStatus,
        /// What was refused.
        signal: WorkflowSignal,
    },
    /// The batch could not be changed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A signal's way: taken, or refused by the status of the workflow.
type Taken = Result<bool, WorkflowExecutionStatus>;

impl Ledger {
    /// Stores a signal and delivers it: what waits is resumed, paused or cancelled at once, what
    /// runs is cancelled at once, and pauses at its next checkpoint, in whichever process.
    pub async fn signal(
        &self,
        organization: OrganizationId,
        execution: ExecutionId,
        signal: WorkflowSignal,
    ) -> Result<Signalled, SignalError> {
        let batch = self.batch_of(organization, execution).await?;
        let batch = batch.ok_or(SignalError::NotFound(execution))?;
        let taken = commit_alone(&self.env, Scope::of(organization, batch), |change| {
            Box::pin(take(change, execution, signal))
        })
        .await?;
        match taken {
            Ok(acknowledged) => Ok(Signalled {
                batch,
                acknowledged,
            }),
            Err(status) => Err(SignalError::Ended {
                execution,
                status,
                signal,
            }),
        }
    }

    async fn batch_of(
        &self,
        organization: OrganizationId,
        execution: ExecutionId,
    ) -> Result<Option<BatchId>, LedgerError> {
        let batch: Option<Uuid> = batch_document::Entity::find()
            .select_only()
            .column(batch_document::Column::BatchId)
            .filter(batch_document::Column::OrganizationId.eq(organization.uuid()))
            .filter(batch_document::Column::ExecutionId.eq(execution.uuid()))
            .into_tuple()
            .one(self.store().read())
            .await?;
        Ok(batch.map(BatchId::from_uuid))
    }
}

async fn take(
    change: &mut BatchChange,
    id: ExecutionId,
    signal: WorkflowSignal,
) -> Result<Taken, LedgerError> {
    change.executions.read(&change.tx, [id.uuid()]).await?;
    let execution = change.executions.get(id.uuid())?;
    let status: WorkflowExecutionStatus =
        convert::from_text("workflow_execution.status", &execution.status)?;
    if status.is_terminal() || change.stage() >= BatchStage::Resolving {
        return Ok(Err(status));
    }
    store(change, id, signal).await?;
    match signal {
        WorkflowSignal::Pause => pause(change, execution),
        WorkflowSignal::Resume => resume(change, execution),
        WorkflowSignal::Cancel => cancel(change, execution).await?,
    }
    let acknowledged = change.executions.get(id.uuid())?.requested.is_none();
    if acknowledged {
        acknowledge(change, id).await?;
    }
    Ok(Ok(acknowledged))
}

async fn store(
    change: &BatchChange,
    execution: ExecutionId,
    signal: WorkflowSignal,
) -> Result<(), LedgerError> {
    workflow_signal::Entity::insert(workflow_signal::ActiveModel {
        id: Set(change.entropy().uuid_v7()),
        organization_id: Set(change.row.organization_id),
        execution_id: Set(execution.uuid()),
        signal_name: Set(signal.to_string()),
        payload: Set(serde_json::json!({})),
        delivered_at: Set(None),
        acknowledged: Set(false),
        created_at: Set(change.at),
        updated_at: Set(change.at),
    })
    .exec_without_returning(change.tx.as_ref())
    .await?;
    Ok(())
}

/// Every signal so far is done.
pub(super) async fn acknowledge(
    change: &BatchChange,
    execution: ExecutionId,
) -> Result<(), LedgerError> {
    use workflow_signal::Column;
    workflow_signal::Entity::update_many()
        .col_expr(Column::Acknowledged, Expr::value(true))
        .col_expr(Column::DeliveredAt, Expr::value(change.at))
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .filter(Column::ExecutionId.eq(execution.uuid()))
        .filter(Column::Acknowledged.eq(false))
        .exec(change.tx.as_ref())
        .await?;
    Ok(())
}

fn pause(change: &mut BatchChange, mut execution: workflow_execution::Model) {
    if is_running(&execution) {
        execution.requested = Some(WorkflowSignal::Pause.to_string());
    } else {
        execution.suspend_reason =
            Some(knowledge_domain::workflow::SuspendReason::Paused.to_string());
        execution.resume_at = None;
    }
    change.executions.put(execution);
}

fn resume(change: &mut BatchChange, mut execution: workflow_execution::Model) {
    execution.requested = None;
    if !is_running(&execution) {
        execution.resume_at = Some(change.at);
    }
    change.executions.put(execution);
}

/// The document is skipped, and whoever runs it can write no more.
async fn cancel(
    change: &mut BatchChange,
    execution: workflow_execution::Model,
) -> Result<(), LedgerError> {
    let documents: Vec<Uuid> = execution.batch_document_id.into_iter().collect();
    change.documents.read(&change.tx, documents.clone()).await?;
    for document in documents {
        let mut row = change.documents.get(document)?;
        if status(&row)? != DocumentStatus::Processing {
            continue;
        }
        if partial::had_a_graph(&row) {
            partial::keep(change, row).await?;
            return Ok(());
        }
        move_to(&mut row, DocumentTrigger::Skip)?;
        row.completed_at = Some(change.at);
        change.row.skipped_documents += 1;
        change.raise_progress(&mut row, knowledge_domain::workflow::PROGRESS_UNITS);
        change.record(BatchEventKind::DocumentSkipped {
            document_id: BatchDocumentId::from_uuid(row.id),
        });
        change.documents.put(row);
    }
    cancel_executions(change, &[execution.id]).await
}
