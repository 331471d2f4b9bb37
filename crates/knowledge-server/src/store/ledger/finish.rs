//! The end of a run.

use knowledge_domain::{
    batch::{BatchFailure, BatchStage, BatchTrigger},
    workflow::WorkflowStage,
};

use super::{
    Ledger, LedgerError,
    change::{BatchChange, Lease},
    document::skip_unfinished,
};

/// What follows when every document is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassOutcome {
    /// Entities are to be resolved.
    Resolve,
    /// The run has ended.
    Ended,
}

impl Ledger {
    /// Ends the run, or enters `Resolving`, once every document is settled.
    pub async fn settle(&self, lease: Lease) -> Result<PassOutcome, LedgerError> {
        let mut change = BatchChange::begin_owned(self, lease).await?;
        if change.stage() == BatchStage::Resolving {
            return Ok(PassOutcome::Resolve);
        }
        if change.totals().completed == 0 {
            let error = "no document of the batch succeeded; see the documents' errors".to_owned();
            let totals = change.totals();
            change.apply(BatchTrigger::Fail(BatchFailure { error, totals }))?;
            change.commit().await?;
            return Ok(PassOutcome::Ended);
        }
        change.advance_to(WorkflowStage::Assemble)?;
        let outcome = if change.config().enable_entity_resolution {
            change.apply(BatchTrigger::StartResolution)?;
            PassOutcome::Resolve
        } else {
            let totals = change.totals();
            change.apply(BatchTrigger::Complete { totals })?;
            PassOutcome::Ended
        };
        change.commit().await?;
        Ok(outcome)
    }

    /// Ends the run as failed for a reason that no document is to blame for.
    pub async fn fail_batch(&self, lease: Lease, error: &str) -> Result<(), LedgerError> {
        let mut change = BatchChange::begin_owned(self, lease).await?;
        skip_unfinished(&mut change).await?;
        let failure = BatchFailure {
            error: error.to_owned(),
            totals: change.totals(),
        };
        change.apply(BatchTrigger::Fail(failure))?;
        change.commit().await
    }
}
