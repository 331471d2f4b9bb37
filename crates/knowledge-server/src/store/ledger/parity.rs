//! Documents that are to be compared with what another engine comes to.

use knowledge_domain::workflow::{ParityStatus, WorkflowMode};
use knowledge_tables::{
    parity_check::{ActiveModel, Column},
    workflow_execution,
};
use sea_orm::{ActiveValue::Set, sea_query::OnConflict};

use super::{DocumentRun, LedgerError, change::BatchChange};
use crate::store::together::Together;

/// Notes with a document's outcome that it is to be compared, where its batch asks for that; one that
/// completes again is compared again.
pub(super) fn note(
    change: &mut BatchChange,
    run: DocumentRun,
    execution: &workflow_execution::Model,
) {
    if execution.mode != WorkflowMode::Shadow.to_string() {
        return;
    }
    change.checks.push(ActiveModel {
        id: Set(change.entropy().uuid_v7()),
        organization_id: Set(run.organization.uuid()),
        batch_id: Set(run.batch.uuid()),
        batch_document_id: Set(run.document.uuid()),
        execution_id: Set(run.execution.uuid()),
        lease_token: Set(run.token),
        status: Set(ParityStatus::Pending.to_string()),
        differences: Set(None),
        reason: Set(None),
        release: Set(None),
        attempts: Set(0),
        submitted_at: Set(None),
        compared_at: Set(None),
        created_at: Set(change.at),
        updated_at: Set(change.at),
    });
}

/// Adds what was noted to what is written.
pub(super) fn write(checks: Vec<ActiveModel>, rows: &mut Together) -> Result<(), LedgerError> {
    let again = OnConflict::column(Column::ExecutionId)
        .update_columns([
            Column::LeaseToken,
            Column::Status,
            Column::Differences,
            Column::Reason,
            Column::Release,
            Column::Attempts,
            Column::SubmittedAt,
            Column::ComparedAt,
            Column::UpdatedAt,
        ])
        .to_owned();
    Ok(rows.insert(checks, Some(again))?)
}
