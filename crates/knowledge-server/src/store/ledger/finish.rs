//! The end of a run.

use knowledge_domain::{
    batch::{BatchFailure, BatchStage, BatchTrigger},
    workflow::WorkflowStage,
};

use super::{
    Lease, Ledger, LedgerError, change::BatchChange, commit::commit_alone,
    document::skip_unfinished, right::Scope,
};
use crate::faults::{FailurePoint, hit};

/// What follows when every document is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassOutcome {
    /// Entities are to be resolved.
    Resolve,
    /// A document is not settled: the answer to its start was lost with a connection.
    Unsettled,
    /// The run has ended.
    Ended,
}

impl Ledger {
    /// Ends the run, or enters `Resolving`, once every document is settled.
    pub async fn settle(&self, lease: Lease) -> Result<PassOutcome, LedgerError> {
        let outcome = commit_alone(&self.env, Scope::owned(lease), |change| {
            let outcome = settle(change);
            hit(FailurePoint::SettleBeforeCommit);
            Box::pin(std::future::ready(outcome))
        })
        .await?;
        hit(FailurePoint::SettleAfterCommit);
        Ok(outcome)
    }

    /// Ends the run as failed for a reason that no document is to blame for.
    pub async fn fail_batch(&self, lease: Lease, error: &str) -> Result<(), LedgerError> {
        commit_alone(&self.env, Scope::owned(lease), |change| {
            let error = error.to_owned();
            Box::pin(async move { fail(change, error).await })
        })
        .await
    }
}

fn settle(change: &mut BatchChange) -> Result<PassOutcome, LedgerError> {
    if change.stage() == BatchStage::Resolving {
        return Ok(PassOutcome::Resolve);
    }
    let totals = change.totals();
    if totals.completed + totals.failed + totals.skipped < totals.documents {
        return Ok(PassOutcome::Unsettled);
    }
    if totals.completed == 0 {
        let error = "no document of the batch succeeded; see the documents' errors".to_owned();
        change.apply(BatchTrigger::Fail(BatchFailure { error, totals }))?;
        return Ok(PassOutcome::Ended);
    }
    change.advance_to(WorkflowStage::Assemble)?;
    if change.config().enable_entity_resolution {
        change.apply(BatchTrigger::StartResolution)?;
        Ok(PassOutcome::Resolve)
    } else {
        change.apply(BatchTrigger::Complete { totals })?;
        Ok(PassOutcome::Ended)
    }
}

async fn fail(change: &mut BatchChange, error: String) -> Result<(), LedgerError> {
    skip_unfinished(change).await?;
    let totals = change.totals();
    change.apply(BatchTrigger::Fail(BatchFailure { error, totals }))
}
