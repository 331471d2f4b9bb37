//! A document's way through a batch: its turn, its outcome.

use knowledge_domain::{
    ErrorKind,
    batch::{BatchEventKind, BatchFailure, BatchTrigger, FailurePolicy},
    document::{DocumentStatus, DocumentTrigger},
    ids::{BatchDocumentId, DocumentId, ExecutionId, ExtractionId},
    workflow::{PROGRESS_UNITS, RetryOwner, StageStatus, WorkflowExecutionStatus, WorkflowStage},
};
use knowledge_tables::batch_document;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{
    Lease, Ledger, LedgerError, StagedUnit,
    change::BatchChange,
    checkpoint::{complete_unit, report},
    documents::{move_to, status},
    execution,
    writer::{Scope, commit_alone},
};
use crate::{
    faults::{FailurePoint, hit},
    store::{
        StoreError, convert,
        graph::{FoundGraph, write_graph},
    },
};

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
    /// Whether its journal is empty, so that it need not be read.
    pub fresh: bool,
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
    /// The last unit, where it is not recorded yet.
    pub trailing: Option<StagedUnit>,
    /// The graph, where it is not stored yet: it becomes visible with the outcome.
    pub graph: Option<FoundGraph>,
}

/// A graph of more rows than these is not written in a transaction that others wait for.
const LARGE_GRAPH_ROWS: usize = 2_000;

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
    /// Documents that an earlier owner left running; they go on where they were.
    pub async fn resume_documents(&self, lease: Lease) -> Result<Vec<DocumentRun>, LedgerError> {
        let runs = commit_alone(&self.env, Scope::owned(lease), |change| {
            Box::pin(resume_all(change))
        })
        .await?;
        hit(FailurePoint::ResumeAfterCommit);
        Ok(runs)
    }

    /// Gives the next documents that wait their turn, at most `limit`.
    pub async fn start_documents(
        &self,
        lease: Lease,
        limit: u32,
    ) -> Result<Vec<DocumentRun>, LedgerError> {
        let runs = self
            .writer
            .submit(Scope::owned(lease), move |change| {
                Box::pin(start_some(change, limit))
            })
            .await?;
        hit(FailurePoint::StartAfterCommit);
        Ok(runs)
    }

    /// Records that a document's graph is stored. Recording it again changes nothing.
    pub async fn complete_document(
        &self,
        lease: Lease,
        run: DocumentRun,
        outcome: DocumentOutcome,
    ) -> Result<(), LedgerError> {
        let scope = Scope::owned(lease).document(run.document);
        let rows = outcome.graph.as_ref().map_or(0, FoundGraph::rows);
        if rows > LARGE_GRAPH_ROWS {
            commit_alone(&self.env, scope, move |change| {
                Box::pin(complete(change, run, outcome.clone()))
            })
            .await?;
        } else {
            self.writer
                .submit(scope, move |change| {
                    Box::pin(complete(change, run, outcome.clone()))
                })
                .await?;
        }
        hit(FailurePoint::CompletionAfterCommit);
        Ok(())
    }

    /// Records that a document failed, and does what the policy says: leaves it to a later round,
    /// gives it up, or ends the batch.
    pub async fn fail_document(
        &self,
        lease: Lease,
        run: DocumentRun,
        failure: FailedDocument,
    ) -> Result<(), LedgerError> {
        let scope = Scope::owned(lease).document(run.document);
        self.writer
            .submit(scope, move |change| {
                let failure = failure.clone();
                Box::pin(async move { fail(change, run, &failure).await })
            })
            .await?;
        hit(FailurePoint::DocumentFailureAfterCommit);
        Ok(())
    }
}

async fn resume_all(change: &mut BatchChange) -> Result<Vec<DocumentRun>, LedgerError> {
    let rows = in_order(of_status(change, &[DocumentStatus::Processing]))
        .all(change.tx.as_ref())
        .await?;
    let mut runs = Vec::with_capacity(rows.len());
    for row in rows {
        runs.push(resume(change, &row).await?);
    }
    if !runs.is_empty() {
        hit(FailurePoint::ResumeBeforeCommit);
    }
    Ok(runs)
}

async fn start_some(change: &mut BatchChange, limit: u32) -> Result<Vec<DocumentRun>, LedgerError> {
    change.flush().await?;
    let waiting = [DocumentStatus::Queued, DocumentStatus::Retry];
    let rows = in_order(of_status(change, &waiting))
        .limit(u64::from(limit))
        .all(change.tx.as_ref())
        .await?;
    let mut runs = Vec::with_capacity(rows.len());
    for row in rows {
        runs.push(start(change, row).await?);
    }
    if !runs.is_empty() {
        hit(FailurePoint::StartBeforeCommit);
    }
    Ok(runs)
}

async fn complete(
    change: &mut BatchChange,
    run: DocumentRun,
    outcome: DocumentOutcome,
) -> Result<(), LedgerError> {
    let mut row = change.documents.get(run.document)?;
    if status(&row)? == DocumentStatus::Completed {
        return Ok(());
    }
    if let Some(graph) = &outcome.graph {
        hit(FailurePoint::GraphBeforeWrite);
        write_graph(&change.tx, graph, change.at).await?;
        hit(FailurePoint::GraphWritten);
        change.refresh();
    }
    if let Some(unit) = outcome.trailing {
        complete_unit(change, &mut row, run, unit);
    }
    move_to(&mut row, DocumentTrigger::Complete)?;
    row.extraction_id = Some(outcome.extraction.uuid());
    row.entity_count = convert::count(outcome.entities);
    row.relation_count = convert::count(outcome.relations);
    row.error = None;
    row.error_kind = None;
    row.completed_at = Some(change.at);
    change.raise_progress(&mut row, PROGRESS_UNITS);
    change.row.completed_documents += 1;
    change.row.entity_count += row.entity_count;
    change.row.relation_count += row.relation_count;
    change.row.tokens_used += i64::try_from(outcome.tokens).unwrap_or(i64::MAX);
    change.record(BatchEventKind::DocumentCompleted {
        document_id: run.document,
        entity_count: outcome.entities,
        relation_count: outcome.relations,
    });
    change.documents.put(row);
    let completed = WorkflowExecutionStatus::Completed;
    execution::end(change, run.execution, completed, Some(outcome.output), None).await?;
    hit(FailurePoint::CompletionBeforeCommit);
    Ok(())
}

async fn fail(
    change: &mut BatchChange,
    run: DocumentRun,
    failure: &FailedDocument,
) -> Result<(), LedgerError> {
    let mut row = change.documents.get(run.document)?;
    if status(&row)?.is_settled() {
        return Ok(());
    }
    let will_retry = failure.kind.is_retryable()
        && change.row.retry_round < convert::count(change.config().retry_rounds());
    record_failure(change, &mut row, run, failure, will_retry)?;
    let name = row.name.clone();
    change.documents.put(row);
    let failed = WorkflowExecutionStatus::Failed;
    let error = Some(failure.error.clone());
    execution::end(change, run.execution, failed, None, error).await?;
    if change.config().failure_policy == FailurePolicy::AbortAll {
        abort(change, run, &name, failure).await?;
    }
    hit(FailurePoint::DocumentFailureBeforeCommit);
    Ok(())
}

/// The batch's documents of these statuses.
pub(super) fn of_status(
    change: &BatchChange,
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

async fn start(
    change: &mut BatchChange,
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
    let fresh = row.execution_id.is_none();
    let execution = match row.execution_id {
        Some(id) => execution::restart(change, ExecutionId::from_uuid(id), owner).await?,
        None => execution::begin(change, &row, owner).await?,
    };
    row.execution_id = Some(execution.uuid());
    change.row.started_at.get_or_insert(change.at);
    let run = DocumentRun {
        fresh,
        ..run_of(&row, execution, owner)
    };
    change.record(BatchEventKind::DocumentStarted {
        document_id: run.document,
        document_index: u32::try_from(row.position).unwrap_or_default(),
    });
    change.documents.put(row);
    Ok(run)
}

async fn resume(
    change: &mut BatchChange,
    row: &batch_document::Model,
) -> Result<DocumentRun, LedgerError> {
    let execution = row
        .execution_id
        .map(ExecutionId::from_uuid)
        .ok_or_else(|| StoreError::corrupt(format!("document {} without execution", row.id)))?;
    execution::lease(change, execution, None).await?;
    Ok(run_of(row, execution, retry_owner(change)))
}

fn run_of(row: &batch_document::Model, execution: ExecutionId, owner: RetryOwner) -> DocumentRun {
    DocumentRun {
        document: BatchDocumentId::from_uuid(row.id),
        content: DocumentId::from_uuid(row.document_id),
        execution,
        attempt: u32::try_from(row.attempt).unwrap_or(1),
        retry_owner: owner,
        fresh: false,
    }
}

/// One owner of retries per activity, never two.
fn retry_owner(change: &BatchChange) -> RetryOwner {
    match change.config().failure_policy {
        FailurePolicy::RetryFailed => RetryOwner::Orchestrator,
        FailurePolicy::ContinueOnFailure | FailurePolicy::AbortAll => RetryOwner::Activity,
    }
}

fn record_failure(
    change: &mut BatchChange,
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
        change.raise_progress(row, PROGRESS_UNITS);
    }
    row.error = Some(failure.error.clone());
    row.error_kind = Some(failure.kind.name().to_owned());
    row.completed_at = Some(change.at);
    change.row.failed_documents += 1;
    if let Some(stage) = failure.stage {
        row.stage = Some(stage.to_string());
        report(change, row, run, stage, StageStatus::Failed);
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
    change: &mut BatchChange,
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
pub(super) async fn skip_unfinished(change: &mut BatchChange) -> Result<(), LedgerError> {
    let unsettled = [
        DocumentStatus::Processing,
        DocumentStatus::Queued,
        DocumentStatus::Retry,
    ];
    change.flush().await?;
    let rows = in_order(of_status(change, &unsettled))
        .all(change.tx.as_ref())
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
            execution::end(change, execution, cancelled, None, None).await?;
        }
        change.documents.put(row);
    }
    Ok(())
}
