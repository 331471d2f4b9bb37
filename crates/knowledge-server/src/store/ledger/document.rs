//! A document's outcome.

use knowledge_domain::{
    ErrorKind,
    batch::{BatchEventKind, BatchFailure, BatchTrigger, FailurePolicy},
    document::{DocumentStatus, DocumentTrigger},
    ids::{BatchDocumentId, ExtractionId},
    workflow::{PROGRESS_UNITS, StageStatus, WorkflowExecutionStatus, WorkflowStage},
};
use knowledge_tables::{batch_document, workflow_execution};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{
    DocumentRun, Ledger, LedgerError, Pending, StagedUnit, batch_workflow,
    change::BatchChange,
    checkpoint::{charge, complete_unit, report, require_entered},
    commit::commit_alone,
    execution, parity, partial, quarantine,
    right::Scope,
    rows::{is_running, move_to, status},
    writer::When,
};
use crate::{
    faults::{FailurePoint, hit},
    store::{
        convert,
        graph::{FoundGraph, write_graph},
    },
};

/// What a completed document amounts to.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentOutcome {
    /// Its graph, where that is stored already.
    pub extraction: ExtractionId,
    /// Entities found.
    pub entities: u32,
    /// Relations found.
    pub relations: u32,
    /// Units that the graph is without.
    pub missing: u32,
    /// Tokens of model calls.
    pub tokens: u64,
    /// The workflow's output.
    pub output: serde_json::Value,
    /// The last unit, where it is not recorded yet.
    pub trailing: Vec<StagedUnit>,
    /// The graph, where it is not stored yet: it becomes visible with the outcome.
    pub graph: Option<FoundGraph>,
}

/// A graph of more rows than these is not written in a transaction that others wait for, which they
/// do on SQLite.
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
    /// Every other document of the batch would fail for the same reason.
    pub ends_batch: bool,
    /// Times that a document may fail before it is quarantined; 0 is never.
    pub quarantine_after: u32,
}

impl Ledger {
    /// Records that a document's graph is stored. Recording it again changes nothing.
    pub async fn complete_document(
        &self,
        run: DocumentRun,
        outcome: DocumentOutcome,
    ) -> Result<(), LedgerError> {
        if outcome.is_large() && !self.store().writes_graphs_beside() {
            return commit_alone(&self.env, Scope::of_run(run), move |change| {
                Box::pin(complete(change, run, outcome.clone()))
            })
            .await;
        }
        self.hand_in_completion(run, outcome).await?.durable().await
    }

    /// Hands in that a document's graph is stored. What its workflow handed in before is recorded
    /// before; what others hand in later need not wait for the graph. Not for an outcome that is
    /// large where graphs take turns, which [`Self::complete_document`] sees to.
    pub async fn hand_in_completion(
        &self,
        run: DocumentRun,
        outcome: DocumentOutcome,
    ) -> Result<Pending<()>, LedgerError> {
        let when = outcome.graph.clone().map_or(When::Now, When::WithGraph);
        self.writer
            .hand_in(Scope::of_run(run), when, move |change| {
                Box::pin(complete(change, run, outcome.clone()))
            })
            .await
    }

    /// Records that a document failed, and does what the policy says: leaves it to a later round,
    /// gives it up, or ends the batch.
    pub async fn fail_document(
        &self,
        run: DocumentRun,
        failure: FailedDocument,
    ) -> Result<(), LedgerError> {
        self.hand_in_failure(run, failure).await?.durable().await
    }

    /// Hands in that a document failed; what completed before is recorded before.
    pub async fn hand_in_failure(
        &self,
        run: DocumentRun,
        failure: FailedDocument,
    ) -> Result<Pending<()>, LedgerError> {
        self.writer
            .hand_in(Scope::of_run(run), When::AfterGraphs, move |change| {
                let failure = failure.clone();
                Box::pin(async move { fail(change, run, &failure).await })
            })
            .await
    }
}

impl DocumentOutcome {
    /// Whether its graph has too many rows for a transaction that others wait for.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.rows() > LARGE_GRAPH_ROWS
    }

    /// Rows of its graph.
    fn rows(&self) -> usize {
        self.graph.as_ref().map_or(0, FoundGraph::rows)
    }
}

async fn complete(
    change: &mut BatchChange,
    run: DocumentRun,
    outcome: DocumentOutcome,
) -> Result<(), LedgerError> {
    let (mut row, execution) = rows(change, run)?;
    if status(&row)? == DocumentStatus::Completed {
        return Ok(());
    }
    let mut extraction = outcome.extraction;
    if let Some(graph) = &outcome.graph {
        extraction = match change.written.take() {
            Some(written) => written,
            None => write_graph(&change.tx, graph, change.at).await?,
        };
        change.refresh();
    }
    for unit in outcome.trailing {
        require_entered(&row, unit.0, run)?;
        complete_unit(change, &mut row, run, unit);
    }
    // What the checkpoints have not counted already.
    let counted = u64::try_from(row.tokens_used).unwrap_or_default();
    charge(change, &mut row, outcome.tokens.saturating_sub(counted));
    move_to(&mut row, DocumentTrigger::Complete)?;
    row.extraction_id = Some(extraction.uuid());
    row.entity_count = convert::count(outcome.entities);
    row.relation_count = convert::count(outcome.relations);
    row.missing_units = convert::count(outcome.missing);
    row.error = None;
    row.error_kind = None;
    row.completed_at = Some(change.at);
    change.raise_progress(&mut row, PROGRESS_UNITS);
    count_completed(change, &row);
    change.documents.put(row);
    parity::note(change, run, &execution);
    let completed = WorkflowExecutionStatus::Completed;
    execution::end(change, execution, completed, Some(outcome.output), None);
    hit(FailurePoint::CompletionBeforeCommit);
    Ok(())
}

/// Counts a document that has completed, and says so.
pub(super) fn count_completed(change: &mut BatchChange, row: &batch_document::Model) {
    change.row.completed_documents += 1;
    change.row.partial_documents += i32::from(row.missing_units > 0);
    change.row.entity_count += row.entity_count;
    change.row.relation_count += row.relation_count;
    let count = |number: i32| u32::try_from(number).unwrap_or_default();
    change.record(BatchEventKind::DocumentCompleted {
        document_id: BatchDocumentId::from_uuid(row.id),
        entity_count: count(row.entity_count),
        relation_count: count(row.relation_count),
    });
}

/// A document and its workflow, which this process runs.
///
/// # Errors
/// [`LedgerError::Fenced`] when the workflow does not run.
pub(super) fn running(
    change: &BatchChange,
    run: DocumentRun,
) -> Result<(batch_document::Model, workflow_execution::Model), LedgerError> {
    let (row, execution) = rows(change, run)?;
    if is_running(&execution) {
        Ok((row, execution))
    } else {
        Err(LedgerError::Fenced(run.batch))
    }
}

fn rows(
    change: &BatchChange,
    run: DocumentRun,
) -> Result<(batch_document::Model, workflow_execution::Model), LedgerError> {
    let row = change.documents.get(run.document.uuid())?;
    let execution = change.executions.get(run.execution.uuid())?;
    Ok((row, execution))
}

async fn fail(
    change: &mut BatchChange,
    run: DocumentRun,
    failure: &FailedDocument,
) -> Result<(), LedgerError> {
    let (row, execution) = rows(change, run)?;
    if status(&row)?.is_settled() {
        return Ok(());
    }
    if partial::had_a_graph(&row) {
        tracing::warn!(
            document = %run.document,
            "another attempt at its missing units failed, and it keeps the graph that it had: {}",
            failure.error
        );
        partial::keep(change, row).await?;
        if failure.ends_batch {
            end_batch(change, failure).await?;
        }
    } else {
        fail_running(change, run, (row, execution), failure).await?;
    }
    hit(FailurePoint::DocumentFailureBeforeCommit);
    Ok(())
}

/// Ends a document's attempt as failed, and does what the policy says.
pub(super) async fn fail_running(
    change: &mut BatchChange,
    run: DocumentRun,
    (mut row, execution): (batch_document::Model, workflow_execution::Model),
    failure: &FailedDocument,
) -> Result<(), LedgerError> {
    let will_retry = failure.kind.is_retryable()
        && change.row.retry_round < convert::count(change.config().retry_rounds());
    record_failure(change, &mut row, run, failure, will_retry)?;
    let name = row.name.clone();
    change.documents.put(row);
    let failed = WorkflowExecutionStatus::Failed;
    let error = Some(failure.error.clone());
    execution::end(change, execution, failed, None, error);
    execution::skip_unfinished(change, &[run.execution.uuid()]).await?;
    if failure.ends_batch {
        end_batch(change, failure).await?;
    } else if change.config().failure_policy == FailurePolicy::AbortAll {
        abort(change, run, &name, failure).await?;
    }
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

/// The same, in the order of their turns: their ids are given in it.
pub(super) fn in_order(
    documents: sea_orm::Select<batch_document::Entity>,
) -> sea_orm::Select<batch_document::Entity> {
    documents.order_by_asc(batch_document::Column::Id)
}

fn record_failure(
    change: &mut BatchChange,
    row: &mut batch_document::Model,
    run: DocumentRun,
    failure: &FailedDocument,
    will_retry: bool,
) -> Result<(), LedgerError> {
    move_to(row, DocumentTrigger::Fail)?;
    let quarantined = !will_retry && quarantine::is_due(change, row, failure);
    if quarantined {
        move_to(row, DocumentTrigger::Abandon)?;
    }
    if !will_retry {
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
    if quarantined {
        quarantine::tell(change, row, failure);
    }
    Ok(())
}

/// Ends a batch of which no document can succeed: what has not completed is skipped.
async fn end_batch(change: &mut BatchChange, failure: &FailedDocument) -> Result<(), LedgerError> {
    skip_unfinished(change).await?;
    let error = format!(
        "no document of the batch can succeed: {}; then retry the failed documents",
        failure.error
    );
    let totals = change.totals();
    change.apply(BatchTrigger::Fail(BatchFailure { error, totals }))
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
    let mut cancelled = Vec::new();
    for mut row in rows {
        if partial::had_a_graph(&row) {
            partial::keep(change, row).await?;
            continue;
        }
        let running = status(&row)? == DocumentStatus::Processing;
        move_to(&mut row, DocumentTrigger::Skip)?;
        row.completed_at = Some(change.at);
        change.row.skipped_documents += 1;
        change.record(BatchEventKind::DocumentSkipped {
            document_id: BatchDocumentId::from_uuid(row.id),
        });
        if running {
            cancelled.extend(row.execution_id);
        }
        change.documents.put(row);
    }
    cancel_executions(change, &cancelled).await?;
    batch_workflow::stop(change).await
}

/// Cancels workflows; whoever runs one can write no more.
pub(super) async fn cancel_executions(
    change: &mut BatchChange,
    executions: &[Uuid],
) -> Result<(), LedgerError> {
    let ids = executions.iter().copied();
    change.executions.read(&change.tx, ids).await?;
    for id in executions {
        let mut row = change.executions.get(*id)?;
        row.lease_token += 1;
        execution::end(change, row, WorkflowExecutionStatus::Cancelled, None, None);
    }
    execution::skip_unfinished(change, executions).await
}
