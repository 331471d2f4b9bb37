//! A document's way through a batch: its turn, its outcome.

use std::collections::BTreeSet;

use knowledge_domain::{
    ErrorKind,
    batch::{BatchEventKind, BatchFailure, BatchTrigger, FailurePolicy, StageReport},
    document::{DocumentStatus, DocumentTrigger},
    ids::{BatchDocumentId, DocumentId, ExecutionId, ExtractionId},
    workflow::{
        DocumentProgress, PROGRESS_UNITS, RetryOwner, StageStatus, WorkflowExecutionStatus,
        WorkflowStage, WorkflowType,
    },
};
use knowledge_tables::{batch_document, workflow_activity, workflow_execution};
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, ExprTrait},
};

use super::{
    Ledger, LedgerError,
    change::{BatchChange, Lease},
};
use crate::store::{StoreError, convert};

/// The version of the workflow's definition; an execution goes on with the one that began it.
const WORKFLOW_VERSION: i32 = 1;

/// A document whose turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentRun {
    /// Its place in the batch.
    pub document: BatchDocumentId,
    /// Its content.
    pub content: DocumentId,
    /// Its workflow; the same over all its attempts.
    pub execution: ExecutionId,
    /// From 1.
    pub attempt: u32,
    /// Who retries its activities.
    pub retry_owner: RetryOwner,
}

/// What a completed document amounts to.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentOutcome {
    /// Its graph.
    pub extraction: ExtractionId,
    /// Entities found.
    pub entities: u32,
    /// Relations found.
    pub relations: u32,
    /// Tokens of model calls.
    pub tokens: u64,
    /// The workflow's output.
    pub output: serde_json::Value,
}

/// Why a document failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDocument {
    /// The stage that failed, where one did.
    pub stage: Option<WorkflowStage>,
    /// What failed and what to do.
    pub error: String,
    /// What a policy may do about it.
    pub kind: ErrorKind,
}

impl Ledger {
    /// Gives the next document its turn: first one that a dead owner left running, which goes on
    /// where it was, then the first that waits. `None` when none is left.
    ///
    /// `in_flight` are the documents that the caller runs already.
    pub async fn start_next_document(
        &self,
        lease: Lease,
        in_flight: &BTreeSet<BatchDocumentId>,
    ) -> Result<Option<DocumentRun>, LedgerError> {
        let mut change = BatchChange::begin_owned(self, lease).await?;
        if let Some(row) = left_running(&change, in_flight).await? {
            return Ok(Some(resume(change, row).await?));
        }
        let Some(row) = first_waiting(&change).await? else {
            return Ok(None);
        };
        let run = start(&mut change, row).await?;
        change.commit().await?;
        Ok(Some(run))
    }

    /// Records that a document's graph is stored. Recording it again changes nothing.
    pub async fn complete_document(
        &self,
        lease: Lease,
        run: DocumentRun,
        outcome: &DocumentOutcome,
    ) -> Result<(), LedgerError> {
        let mut change = BatchChange::begin_owned(self, lease).await?;
        let mut row = load(&change.tx, run.document).await?;
        if status(&row)? == DocumentStatus::Completed {
            return Ok(());
        }
        move_to(&mut row, DocumentTrigger::Complete)?;
        row.extraction_id = Some(outcome.extraction.uuid());
        row.entity_count = convert::count(outcome.entities);
        row.relation_count = convert::count(outcome.relations);
        row.error = None;
        row.error_kind = None;
        row.completed_at = Some(change.at);
        raise_progress(&mut change, &mut row, PROGRESS_UNITS);
        change.row.completed_documents += 1;
        change.row.entity_count += row.entity_count;
        change.row.relation_count += row.relation_count;
        change.row.tokens_used += i64::try_from(outcome.tokens).unwrap_or(i64::MAX);
        change.record(BatchEventKind::DocumentCompleted {
            document_id: run.document,
            entity_count: outcome.entities,
            relation_count: outcome.relations,
        });
        save(&change, row).await?;
        end_execution(
            &change,
            run.execution,
            WorkflowExecutionStatus::Completed,
            Some(outcome.output.clone()),
            None,
        )
        .await?;
        change.commit().await
    }

    /// Records that a document failed, and does what the policy says: leaves it to a later round,
    /// gives it up, or ends the batch.
    pub async fn fail_document(
        &self,
        lease: Lease,
        run: DocumentRun,
        failure: &FailedDocument,
    ) -> Result<(), LedgerError> {
        let mut change = BatchChange::begin_owned(self, lease).await?;
        let mut row = load(&change.tx, run.document).await?;
        if status(&row)?.is_settled() {
            return Ok(());
        }
        let will_retry = failure.kind.is_retryable()
            && change.row.retry_round < convert::count(change.config().retry_rounds());
        fail(&mut change, &mut row, run, failure, will_retry)?;
        let name = row.name.clone();
        save(&change, row).await?;
        end_execution(
            &change,
            run.execution,
            WorkflowExecutionStatus::Failed,
            None,
            Some(failure.error.clone()),
        )
        .await?;
        if change.config().failure_policy == FailurePolicy::AbortAll {
            abort(&mut change, run, &name, failure).await?;
        }
        change.commit().await
    }
}

async fn left_running(
    change: &BatchChange<'_>,
    in_flight: &BTreeSet<BatchDocumentId>,
) -> Result<Option<batch_document::Model>, LedgerError> {
    let ours = in_flight.iter().map(|id| id.uuid());
    Ok(in_order(of_status(change, &[DocumentStatus::Processing]))
        .filter(batch_document::Column::Id.is_not_in(ours))
        .one(&change.tx)
        .await?)
}

async fn first_waiting(
    change: &BatchChange<'_>,
) -> Result<Option<batch_document::Model>, LedgerError> {
    let waiting = [DocumentStatus::Queued, DocumentStatus::Retry];
    Ok(in_order(of_status(change, &waiting))
        .one(&change.tx)
        .await?)
}

/// The batch's documents of these statuses.
pub(super) fn of_status(
    change: &BatchChange<'_>,
    statuses: &[DocumentStatus],
) -> sea_orm::Select<batch_document::Entity> {
    use batch_document::Column;
    batch_document::Entity::find()
        .filter(Column::OrganizationId.eq(change.row.organization_id))
        .filter(Column::BatchId.eq(change.row.id))
        .filter(Column::Status.is_in(statuses.iter().map(ToString::to_string)))
}

/// The same, in the order of the request.
pub(super) fn in_order(
    documents: sea_orm::Select<batch_document::Entity>,
) -> sea_orm::Select<batch_document::Entity> {
    documents.order_by_asc(batch_document::Column::Position)
}

async fn load(
    tx: &DatabaseTransaction,
    document: BatchDocumentId,
) -> Result<batch_document::Model, LedgerError> {
    Ok(batch_document::Entity::find_by_id(document.uuid())
        .one(tx)
        .await?
        .ok_or_else(|| StoreError::corrupt(format!("no document {document}")))?)
}

pub(super) fn status(row: &batch_document::Model) -> Result<DocumentStatus, StoreError> {
    convert::from_text("batch_document.status", &row.status)
}

/// Moves a document's status as the domain allows.
pub(super) fn move_to(
    row: &mut batch_document::Model,
    trigger: DocumentTrigger,
) -> Result<(), StoreError> {
    let next = status(row)?
        .apply(trigger)
        .map_err(|error| StoreError::corrupt(format!("{}: {error}", row.id)))?;
    row.status = next.to_string();
    Ok(())
}

/// Raises a document's progress to `units`, and the batch's by the difference; never lowers it.
pub(super) fn raise_progress(
    change: &mut BatchChange<'_>,
    row: &mut batch_document::Model,
    units: u32,
) {
    let units = convert::count(units);
    if units > row.progress_units {
        change.row.progress_units += i64::from(units - row.progress_units);
        row.progress_units = units;
    }
}

/// Writes what may change of a document's row.
pub(super) async fn save(
    change: &BatchChange<'_>,
    row: batch_document::Model,
) -> Result<(), LedgerError> {
    batch_document::Entity::update(batch_document::ActiveModel {
        id: Unchanged(row.id),
        status: Set(row.status),
        stage: Set(row.stage),
        stage_current: Set(row.stage_current),
        stage_total: Set(row.stage_total),
        progress_units: Set(row.progress_units),
        attempt: Set(row.attempt),
        retry_round: Set(row.retry_round),
        error: Set(row.error),
        error_kind: Set(row.error_kind),
        execution_id: Set(row.execution_id),
        extraction_id: Set(row.extraction_id),
        entity_count: Set(row.entity_count),
        relation_count: Set(row.relation_count),
        started_at: Set(row.started_at),
        completed_at: Set(row.completed_at),
        version: Set(row.version + 1),
        updated_at: Set(change.at),
        ..Default::default()
    })
    .exec_without_returning(&change.tx)
    .await?;
    Ok(())
}

async fn start(
    change: &mut BatchChange<'_>,
    mut row: batch_document::Model,
) -> Result<DocumentRun, LedgerError> {
    move_to(&mut row, DocumentTrigger::Start)?;
    row.attempt += 1;
    row.retry_round = change.row.retry_round;
    row.stage = None;
    row.stage_current = 0;
    row.stage_total = 0;
    row.started_at.get_or_insert(change.at);
    row.completed_at = None;
    let owner = retry_owner(change);
    let execution = match row.execution_id {
        Some(id) => restart_execution(change, ExecutionId::from_uuid(id), owner).await?,
        None => insert_execution(change, &row, owner).await?,
    };
    row.execution_id = Some(execution.uuid());
    change.row.started_at.get_or_insert(change.at);
    let run = run_of(&row, execution, owner);
    change.record(BatchEventKind::DocumentStarted {
        document_id: run.document,
        document_index: u32::try_from(row.position).unwrap_or_default(),
    });
    save(change, row).await?;
    Ok(run)
}

async fn resume(
    change: BatchChange<'_>,
    row: batch_document::Model,
) -> Result<DocumentRun, LedgerError> {
    let execution = row
        .execution_id
        .map(ExecutionId::from_uuid)
        .ok_or_else(|| StoreError::corrupt(format!("document {} without execution", row.id)))?;
    let owner = retry_owner(&change);
    lease_execution(&change, execution, None).await?;
    change.commit().await?;
    Ok(run_of(&row, execution, owner))
}

fn run_of(row: &batch_document::Model, execution: ExecutionId, owner: RetryOwner) -> DocumentRun {
    DocumentRun {
        document: BatchDocumentId::from_uuid(row.id),
        content: DocumentId::from_uuid(row.document_id),
        execution,
        attempt: u32::try_from(row.attempt).unwrap_or(1),
        retry_owner: owner,
    }
}

/// One owner of retries per activity, never two.
fn retry_owner(change: &BatchChange<'_>) -> RetryOwner {
    match change.config().failure_policy {
        FailurePolicy::RetryFailed => RetryOwner::Orchestrator,
        FailurePolicy::ContinueOnFailure | FailurePolicy::AbortAll => RetryOwner::Activity,
    }
}

async fn insert_execution(
    change: &BatchChange<'_>,
    document: &batch_document::Model,
    owner: RetryOwner,
) -> Result<ExecutionId, LedgerError> {
    let id = ExecutionId::from_uuid(change.ledger().entropy().uuid_v7());
    let content = DocumentId::from_uuid(document.document_id);
    workflow_execution::Entity::insert(workflow_execution::ActiveModel {
        id: Set(id.uuid()),
        organization_id: Set(document.organization_id),
        workflow_type: Set(WorkflowType::Extraction.to_string()),
        workflow_version: Set(WORKFLOW_VERSION),
        batch_document_id: Set(Some(document.id)),
        status: Set(WorkflowExecutionStatus::Running.to_string()),
        mode: Set(change.row.mode.clone()),
        current_activity: Set(None),
        input: Set(serde_json::json!({ "documentId": content })),
        output: Set(None),
        error: Set(None),
        checkpoint: Set(None),
        retry_owner: Set(owner.to_string()),
        retry_count: Set(0),
        lease_owner: Set(change.row.lease_owner.clone()),
        lease_token: Set(change.row.lease_token),
        lease_expires_at: Set(change.row.lease_expires_at),
        started_at: Set(Some(change.at)),
        completed_at: Set(None),
        version: Set(1),
        created_at: Set(change.at),
        updated_at: Set(change.at),
    })
    .exec_without_returning(&change.tx)
    .await?;
    Ok(id)
}

/// Sets an execution going again for another attempt: its checkpoints stay, the failures of what
/// did not complete are forgiven.
async fn restart_execution(
    change: &BatchChange<'_>,
    execution: ExecutionId,
    owner: RetryOwner,
) -> Result<ExecutionId, LedgerError> {
    use workflow_activity::Column;
    lease_execution(change, execution, Some(owner)).await?;
    workflow_activity::Entity::update_many()
        .col_expr(Column::FailureCount, Expr::value(0))
        .col_expr(
            Column::NextAttemptAt,
            Expr::value(None::<chrono::DateTime<chrono::Utc>>),
        )
        .filter(Column::ExecutionId.eq(execution.uuid()))
        .filter(Column::FailureCount.gt(0))
        .exec(&change.tx)
        .await?;
    Ok(execution)
}

/// Gives an execution to the batch's owner; with `retried`, as another attempt.
async fn lease_execution(
    change: &BatchChange<'_>,
    execution: ExecutionId,
    retried: Option<RetryOwner>,
) -> Result<(), LedgerError> {
    use workflow_execution::Column;
    let running = WorkflowExecutionStatus::Running.to_string();
    let mut update = workflow_execution::Entity::update_many()
        .col_expr(Column::Status, Expr::value(running))
        .col_expr(
            Column::LeaseOwner,
            Expr::value(change.row.lease_owner.clone()),
        )
        .col_expr(Column::LeaseToken, Expr::value(change.row.lease_token))
        .col_expr(
            Column::LeaseExpiresAt,
            Expr::value(change.row.lease_expires_at),
        )
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(execution.uuid()));
    if let Some(owner) = retried {
        update = update
            .col_expr(Column::RetryOwner, Expr::value(owner.to_string()))
            .col_expr(Column::RetryCount, Expr::col(Column::RetryCount).add(1))
            .col_expr(Column::Error, Expr::value(None::<String>))
            .col_expr(
                Column::CompletedAt,
                Expr::value(None::<chrono::DateTime<chrono::Utc>>),
            );
    }
    update.exec(&change.tx).await?;
    Ok(())
}

pub(super) async fn end_execution(
    change: &BatchChange<'_>,
    execution: ExecutionId,
    status: WorkflowExecutionStatus,
    output: Option<serde_json::Value>,
    error: Option<String>,
) -> Result<(), LedgerError> {
    use workflow_execution::Column;
    workflow_execution::Entity::update_many()
        .col_expr(Column::Status, Expr::value(status.to_string()))
        .col_expr(Column::Output, Expr::value(output))
        .col_expr(Column::Error, Expr::value(error))
        .col_expr(Column::LeaseOwner, Expr::value(None::<String>))
        .col_expr(
            Column::LeaseExpiresAt,
            Expr::value(None::<chrono::DateTime<chrono::Utc>>),
        )
        .col_expr(Column::CompletedAt, Expr::value(change.at))
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(execution.uuid()))
        .exec(&change.tx)
        .await?;
    Ok(())
}

fn fail(
    change: &mut BatchChange<'_>,
    row: &mut batch_document::Model,
    run: DocumentRun,
    failure: &FailedDocument,
    will_retry: bool,
) -> Result<(), LedgerError> {
    move_to(row, DocumentTrigger::Fail)?;
    if !will_retry {
        if change.config().failure_policy == FailurePolicy::RetryFailed {
            move_to(row, DocumentTrigger::Abandon)?;
        }
        raise_progress(change, row, PROGRESS_UNITS);
    }
    row.error = Some(failure.error.clone());
    row.error_kind = Some(failure.kind.name().to_owned());
    row.completed_at = Some(change.at);
    change.row.failed_documents += 1;
    if let Some(stage) = failure.stage {
        row.stage = Some(stage.to_string());
        let progress = DocumentProgress {
            stage,
            current: u32::try_from(row.stage_current).unwrap_or_default(),
            total: u32::try_from(row.stage_total).unwrap_or_default(),
        };
        change.record(BatchEventKind::StageProgress(StageReport::new(
            run.document,
            run.execution,
            progress,
            StageStatus::Failed,
        )));
    }
    change.record(BatchEventKind::DocumentFailed {
        document_id: run.document,
        stage: failure.stage,
        error: failure.error.clone(),
        will_retry,
    });
    Ok(())
}

/// Ends the batch at its first failure: what has not completed is skipped.
async fn abort(
    change: &mut BatchChange<'_>,
    culprit: DocumentRun,
    name: &str,
    failure: &FailedDocument,
) -> Result<(), LedgerError> {
    skip_unfinished(change).await?;
    let error = format!(
        "document {} ({name}) failed, and abort-all ends the batch at the first failure: {}",
        culprit.document, failure.error
    );
    let totals = change.totals();
    change.apply(BatchTrigger::Fail(BatchFailure { error, totals }))
}

/// Skips every document that is not settled, and cancels their workflows.
pub(super) async fn skip_unfinished(change: &mut BatchChange<'_>) -> Result<(), LedgerError> {
    let unsettled = [
        DocumentStatus::Processing,
        DocumentStatus::Queued,
        DocumentStatus::Retry,
    ];
    let rows = in_order(of_status(change, &unsettled))
        .all(&change.tx)
        .await?;
    for mut row in rows {
        let running = status(&row)? == DocumentStatus::Processing;
        move_to(&mut row, DocumentTrigger::Skip)?;
        row.completed_at = Some(change.at);
        change.row.skipped_documents += 1;
        change.record(BatchEventKind::DocumentSkipped {
            document_id: BatchDocumentId::from_uuid(row.id),
        });
        if let (true, Some(execution)) = (running, row.execution_id) {
            let execution = ExecutionId::from_uuid(execution);
            let cancelled = WorkflowExecutionStatus::Cancelled;
            end_execution(change, execution, cancelled, None, None).await?;
        }
        save(change, row).await?;
    }
    Ok(())
}
