//! Documents whose graphs are without some units: another attempt runs only those, and never leaves
//! a document with less than it had.

use knowledge_domain::{
    batch::BatchEventKind,
    document::{DocumentStatus, DocumentTrigger},
    ids::BatchDocumentId,
    workflow::{PROGRESS_UNITS, WorkflowExecutionStatus},
};
use knowledge_tables::{batch_document, workflow_execution};
use sea_orm::{ColumnTrait, QueryFilter};

use super::{
    LedgerError,
    change::BatchChange,
    document::{count_completed, in_order, of_status},
    execution,
    rows::{is_running, move_to, status},
};

/// Whether an unsettled document had completed before: it is tried again for its missing units.
pub(super) fn had_a_graph(row: &batch_document::Model) -> bool {
    row.extraction_id.is_some()
}

/// Queues completed documents whose graphs are without some units.
pub(super) async fn requeue(change: &mut BatchChange) -> Result<(), LedgerError> {
    let rows = in_order(of_status(change, &[DocumentStatus::Completed]))
        .filter(batch_document::Column::MissingUnits.gt(0))
        .all(change.tx.as_ref())
        .await?;
    for mut row in rows {
        move_to(&mut row, DocumentTrigger::Retry)?;
        change.row.completed_documents -= 1;
        change.row.progress_units -= i64::from(row.progress_units);
        row.progress_units = 0;
        change.documents.put(row);
    }
    change.row.partial_documents = 0;
    // What counts the completed documents comes after.
    change.flush().await
}

/// Ends another attempt at a document that had completed: it is completed as it was before.
pub(super) async fn keep(
    change: &mut BatchChange,
    mut row: batch_document::Model,
) -> Result<(), LedgerError> {
    let document_id = BatchDocumentId::from_uuid(row.id);
    if status(&row)? == DocumentStatus::Retry {
        move_to(&mut row, DocumentTrigger::Start)?;
        row.attempt += 1;
        change.record(BatchEventKind::DocumentStarted {
            document_id,
            document_index: u32::try_from(row.position).unwrap_or_default(),
        });
    } else if let Some(id) = row.execution_id {
        change.executions.read(&change.tx, [id]).await?;
        let execution = change.executions.get(id)?;
        end_as_before(change, execution, document_id).await?;
    }
    move_to(&mut row, DocumentTrigger::Complete)?;
    row.completed_at = Some(change.at);
    change.raise_progress(&mut row, PROGRESS_UNITS);
    count_completed(change, &row);
    change.documents.put(row);
    Ok(())
}

/// Whoever runs the workflow can write no more; its output stays what it was.
async fn end_as_before(
    change: &mut BatchChange,
    mut execution: workflow_execution::Model,
    document_id: BatchDocumentId,
) -> Result<(), LedgerError> {
    if !is_running(&execution) {
        change.record(BatchEventKind::DocumentResumed { document_id });
    }
    let (id, output) = (execution.id, execution.output.clone());
    execution.lease_token += 1;
    let completed = WorkflowExecutionStatus::Completed;
    execution::end(change, execution, completed, output, None);
    execution::skip_unfinished(change, &[id]).await
}
