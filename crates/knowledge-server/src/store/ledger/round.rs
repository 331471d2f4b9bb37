//! Rounds over failed documents, under `retry-failed`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    ErrorKind,
    document::{DocumentStatus, DocumentTrigger},
};
use knowledge_tables::batch_document;
use sea_orm::{ColumnTrait, QueryFilter};

use super::{
    Ledger, LedgerError,
    change::{BatchChange, Lease},
    document::{move_to, of_status, save},
};
use crate::store::convert;

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
    /// restart does not reset the wait. `backoff` gives the wait before round 1, 2, ….
    pub async fn plan_round(
        &self,
        lease: Lease,
        backoff: impl Fn(u32) -> Duration,
    ) -> Result<NextRound, LedgerError> {
        let mut change = BatchChange::begin_owned(self, lease).await?;
        if let Some(at) = change.row.next_round_at {
            return Ok(NextRound::At(at));
        }
        let round = u32::try_from(change.row.retry_round).unwrap_or_default() + 1;
        if round > change.config().retry_rounds() || retryable(&change).await?.is_empty() {
            return Ok(NextRound::None);
        }
        let at = change.at + backoff(round);
        change.row.next_round_at = Some(at);
        change.commit().await?;
        Ok(NextRound::At(at))
    }

    /// Queues the documents of the planned round.
    pub async fn begin_round(&self, lease: Lease) -> Result<(), LedgerError> {
        let mut change = BatchChange::begin_owned(self, lease).await?;
        for mut row in retryable(&change).await? {
            move_to(&mut row, DocumentTrigger::Retry)?;
            change.row.failed_documents -= 1;
            save(&change, row).await?;
        }
        change.row.retry_round += 1;
        change.row.next_round_at = None;
        change.commit().await
    }
}

/// Failed documents that another attempt may mend; the others were abandoned when they failed.
async fn retryable(change: &BatchChange<'_>) -> Result<Vec<batch_document::Model>, LedgerError> {
    let kinds = [
        ErrorKind::Retryable,
        ErrorKind::RateLimited {
            after: Duration::ZERO,
        },
    ];
    Ok(of_status(change, &[DocumentStatus::Failed])
        .filter(batch_document::Column::ErrorKind.is_in(kinds.iter().map(|kind| kind.name())))
        .all(&change.tx)
        .await?)
}

/// Puts documents that ended without a graph back in the queue, as a new run.
pub(super) async fn requeue_unfinished(change: &mut BatchChange<'_>) -> Result<u32, LedgerError> {
    let statuses = [
        DocumentStatus::Failed,
        DocumentStatus::Abandoned,
        DocumentStatus::Skipped,
    ];
    let rows = of_status(change, &statuses).all(&change.tx).await?;
    let requeued = rows.len();
    for mut row in rows {
        move_to(&mut row, DocumentTrigger::Retry)?;
        change.row.progress_units -= i64::from(row.progress_units);
        row.progress_units = 0;
        save(change, row).await?;
    }
    change.row.failed_documents = 0;
    change.row.skipped_documents = 0;
    change.row.retry_round = 0;
    change.row.next_round_at = None;
    Ok(convert::count(requeued).unsigned_abs())
}
