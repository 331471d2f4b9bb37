//! Rounds over failed documents, under `retry-failed`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    ErrorKind,
    document::{DocumentStatus, DocumentTrigger},
    workflow::RetryPolicy,
};
use knowledge_tables::batch_document;
use sea_orm::{ColumnTrait, QueryFilter};

use super::{
    Lease, Ledger, LedgerError,
    change::BatchChange,
    commit::commit_alone,
    document::{in_order, of_status},
    partial,
    right::Scope,
    rows::move_to,
};
use crate::faults::{FailurePoint, hit};

/// What follows a pass over the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextRound {
    /// A round over failed documents, not before this moment.
    At(DateTime<Utc>),
    /// Nothing is left to try.
    None,
}

impl Ledger {
    /// Decides whether another round follows, and when; the decision is durable, so that a
    /// restart does not reset the wait. `waits` gives the wait before round 1, 2, ….
    pub async fn plan_round(
        &self,
        lease: Lease,
        waits: RetryPolicy,
    ) -> Result<NextRound, LedgerError> {
        let next = commit_alone(&self.env, Scope::owned(lease), move |change| {
            Box::pin(plan(change, waits))
        })
        .await?;
        if next != NextRound::None {
            hit(FailurePoint::RoundPlanAfterCommit);
        }
        Ok(next)
    }

    /// Queues the documents of the planned round.
    pub async fn begin_round(&self, lease: Lease) -> Result<(), LedgerError> {
        commit_alone(&self.env, Scope::owned(lease), |change| {
            Box::pin(begin(change))
        })
        .await?;
        hit(FailurePoint::RoundBeginAfterCommit);
        Ok(())
    }
}

async fn plan(change: &mut BatchChange, waits: RetryPolicy) -> Result<NextRound, LedgerError> {
    if let Some(at) = change.row.next_round_at {
        return Ok(NextRound::At(at));
    }
    let round = u32::try_from(change.row.retry_round).unwrap_or_default() + 1;
    if round > change.config().retry_rounds() || retryable(change).await?.is_empty() {
        return Ok(NextRound::None);
    }
    let at = change.at + waits.backoff(round, change.entropy().unit());
    change.row.next_round_at = Some(at);
    hit(FailurePoint::RoundPlanBeforeCommit);
    Ok(NextRound::At(at))
}

async fn begin(change: &mut BatchChange) -> Result<(), LedgerError> {
    if change.row.next_round_at.is_none() {
        // The answer to an earlier call was lost with a connection.
        return Ok(());
    }
    for mut row in retryable(change).await? {
        move_to(&mut row, DocumentTrigger::Retry)?;
        change.row.failed_documents -= 1;
        change.documents.put(row);
    }
    change.row.retry_round += 1;
    change.row.next_round_at = None;
    hit(FailurePoint::RoundBeginBeforeCommit);
    Ok(())
}

/// Failed documents that another attempt may mend; the others were abandoned when they failed.
async fn retryable(change: &BatchChange) -> Result<Vec<batch_document::Model>, LedgerError> {
    let kinds = [
        ErrorKind::Retryable,
        ErrorKind::RateLimited {
            after: Duration::ZERO,
        },
    ];
    let names = kinds.iter().map(|kind| kind.name());
    Ok(in_order(of_status(change, &[DocumentStatus::Failed]))
        .filter(batch_document::Column::ErrorKind.is_in(names))
        .all(change.tx.as_ref())
        .await?)
}

/// Puts documents that ended without a graph, or with one that is without some units, back in the
/// queue, as a new run.
pub(super) async fn requeue_unfinished(change: &mut BatchChange) -> Result<(), LedgerError> {
    let statuses = [
        DocumentStatus::Failed,
        DocumentStatus::Abandoned,
        DocumentStatus::Skipped,
    ];
    let rows = in_order(of_status(change, &statuses))
        .all(change.tx.as_ref())
        .await?;
    for mut row in rows {
        move_to(&mut row, DocumentTrigger::Retry)?;
        change.row.progress_units -= i64::from(row.progress_units);
        row.progress_units = 0;
        change.documents.put(row);
    }
    partial::requeue(change).await?;
    change.row.failed_documents = 0;
    change.row.skipped_documents = 0;
    change.row.retry_round = 0;
    change.row.next_round_at = None;
    Ok(())
}
