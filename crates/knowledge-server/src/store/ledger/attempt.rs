//! The attempts of workers.
//!
//! A document that is run through another engine is worked on by whichever worker that engine asks,
//! and asks again when the worker dies or seems to. Each attempt is numbered where the executor may
//! keep its place; the writes of an earlier one are refused, as those of an earlier lease are.

use knowledge_domain::workflow::WorkflowExecutionStatus;
use knowledge_tables::workflow_execution::{Entity, Model};
use sea_orm::EntityTrait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    DocumentRun, Ledger, LedgerError, change::BatchChange, document::running, quarantine,
    right::Scope,
};
use crate::store::convert;

/// What a worker is to do with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Run its workflow, by this right.
    Run(DocumentRun),
    /// Nothing: an earlier attempt has recorded its outcome.
    Completed,
    /// Nothing: too many workers have died with it, and it is quarantined.
    Quarantined,
}

/// What an execution's `checkpoint` says.
#[derive(Default, Serialize, Deserialize)]
struct Place {
    /// The attempts so far.
    attempt: u32,
    /// Of which lease the last one is, unless it left off in good order.
    under_way: Option<i64>,
    /// The process that made it; nobody's where an earlier release wrote it.
    #[serde(default)]
    by: Uuid,
}

impl Ledger {
    /// Begins another attempt at a document that a process has been given, by the process `worker`; the
    /// attempts before can write nothing more. A document with which so many workers in a row have
    /// ended before anything was finished is quarantined instead; 0 is never. A worker that is asked
    /// again has not ended.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`] when the document has passed on, or waits.
    pub async fn take(
        &self,
        run: DocumentRun,
        worker: Uuid,
        quarantine_after: u32,
    ) -> Result<Taken, LedgerError> {
        self.writer
            .submit(Scope::of_run(run), move |change| {
                Box::pin(take(change, run, worker, quarantine_after))
            })
            .await
    }

    /// Says that a worker has left off in good order: its attempt is not counted as one with which a
    /// worker died.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`] when the document has passed on.
    pub async fn let_go(&self, run: DocumentRun) -> Result<(), LedgerError> {
        self.writer
            .submit(Scope::of_run(run), move |change| {
                Box::pin(std::future::ready(let_go(change, run)))
            })
            .await
    }

    /// Whether a process, or an attempt of a worker, may still write what it finds.
    ///
    /// # Errors
    /// When the database does not say.
    pub async fn holds(&self, run: DocumentRun) -> Result<bool, LedgerError> {
        let found = Entity::find_by_id(run.execution.uuid())
            .one(self.store().read())
            .await?;
        Ok(found
            .is_some_and(|row| is(&row, WorkflowExecutionStatus::Running) && may_write(&run, &row)))
    }
}

/// Whether a run is the latest of its document.
pub(super) fn may_write(run: &DocumentRun, row: &Model) -> bool {
    row.lease_token == run.token
        && run
            .worker
            .is_none_or(|attempt| attempt == place(row).attempt)
}

async fn take(
    change: &mut BatchChange,
    run: DocumentRun,
    worker: Uuid,
    quarantine_after: u32,
) -> Result<Taken, LedgerError> {
    let completed = change.executions.find(run.execution.uuid());
    if completed.is_some_and(|row| is(row, WorkflowExecutionStatus::Completed)) {
        return Ok(Taken::Completed);
    }
    let (row, mut execution) = running(change, run)?;
    let before = place(&execution);
    // What an attempt has finished has set the count back.
    let has_ended_another = before.under_way == Some(run.token) && before.by != worker;
    execution.lost_runs += i32::from(has_ended_another);
    if quarantine::ends_processes(&execution, quarantine_after) {
        quarantine::isolate(change, run, row, execution).await?;
        return Ok(Taken::Quarantined);
    }
    let attempt = before.attempt + 1;
    let place = Place {
        attempt,
        under_way: Some(run.token),
        by: worker,
    };
    execution.checkpoint = Some(convert::to_json(&place)?);
    change.executions.put(execution);
    Ok(Taken::Run(DocumentRun {
        fresh: run.fresh && before.attempt == 0,
        worker: Some(attempt),
        ..run
    }))
}

fn let_go(change: &mut BatchChange, run: DocumentRun) -> Result<(), LedgerError> {
    let (_, mut execution) = running(change, run)?;
    let place = Place {
        under_way: None,
        ..place(&execution)
    };
    execution.checkpoint = Some(convert::to_json(&place)?);
    change.executions.put(execution);
    Ok(())
}

fn place(row: &Model) -> Place {
    // What another executor kept there is no attempt.
    let place = row.checkpoint.clone().map(serde_json::from_value);
    place.and_then(Result::ok).unwrap_or_default()
}

fn is(row: &Model, status: WorkflowExecutionStatus) -> bool {
    row.status == status.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_earlier_releases_are_read() {
        let place: Place = serde_json::from_str(r#"{"attempt":2,"under_way":7}"#).unwrap();
        assert_eq!((place.attempt, place.under_way), (2, Some(7)));
        assert_eq!(place.by, Uuid::nil());
    }
}
