//! Documents that keep failing, or that end the processes which work on them: they are left alone,
//! so that they delay no other, until a user wants them tried again.

use knowledge_domain::{
    ErrorKind,
    batch::{BatchEventKind, FailurePolicy},
    ids::BatchDocumentId,
};
use knowledge_tables::{batch_document, server, workflow_execution};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{
    DocumentRun, FailedDocument, LedgerError, change::BatchChange, document::fail_running,
};
use crate::store::convert;

/// Whether a failed document that no round tries again is quarantined.
pub(super) fn is_due(
    change: &BatchChange,
    row: &batch_document::Model,
    failure: &FailedDocument,
) -> bool {
    if failure.ends_batch {
        // It is not the document's fault.
        return false;
    }
    let often =
        failure.quarantine_after > 0 && row.attempt >= convert::count(failure.quarantine_after);
    often || change.config().failure_policy == FailurePolicy::RetryFailed
}

/// Records that a document is quarantined.
pub(super) fn tell(
    change: &mut BatchChange,
    row: &batch_document::Model,
    failure: &FailedDocument,
) {
    change.record(BatchEventKind::DocumentQuarantined {
        document_id: BatchDocumentId::from_uuid(row.id),
        stage: failure.stage,
        error: failure.error.clone(),
        attempts: u32::try_from(row.attempt).unwrap_or_default(),
    });
}

/// Owners of these workflows that died: whoever stops in good order takes its row with it.
pub(super) async fn died(
    change: &BatchChange,
    rows: &[workflow_execution::Model],
) -> Result<Vec<String>, LedgerError> {
    let owners: Vec<&String> = rows
        .iter()
        .filter_map(|row| row.lease_owner.as_ref())
        .collect();
    if owners.is_empty() {
        return Ok(Vec::new());
    }
    Ok(server::Entity::find()
        .select_only()
        .column(server::Column::Owner)
        .filter(server::Column::Owner.is_in(owners))
        .into_tuple()
        .all(change.tx.as_ref())
        .await?)
}

/// Whether so many processes have died with a workflow that it is not run again.
pub(super) fn ends_processes(execution: &workflow_execution::Model, limit: u32) -> bool {
    limit > 0 && execution.lost_runs >= convert::count(limit)
}

/// Ends a document whose workflow ends the processes that run it.
pub(super) async fn isolate(
    change: &mut BatchChange,
    run: DocumentRun,
    row: batch_document::Model,
    execution: workflow_execution::Model,
) -> Result<(), LedgerError> {
    let stage = row.stage.as_deref();
    let stage = stage.map(|name| convert::from_text("batch_document.stage", name));
    let failure = FailedDocument {
        stage: stage.transpose()?,
        error: format!(
            "{} processes ended while they worked on it; see their logs, and retry it alone",
            execution.lost_runs
        ),
        kind: ErrorKind::Permanent,
        ends_batch: false,
        // It has been tried often enough.
        quarantine_after: 1,
    };
    fail_running(change, run, (row, execution), &failure).await
}
