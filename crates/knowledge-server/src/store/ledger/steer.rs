//! What users do to a batch while or after it runs.

use std::time::Duration;

use knowledge_domain::{
    batch::{BatchStage, BatchTrigger},
    document::DocumentStatus,
    ids::{BatchId, OrganizationId},
};
use knowledge_tables::batch_document;
use sea_orm::{QuerySelect, prelude::Expr, sea_query::ExprTrait};

use super::{
    Lease, Ledger, LedgerError,
    change::BatchChange,
    document::{of_status, skip_unfinished},
    round::requeue_unfinished,
    writer::{Scope, commit_alone},
};

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SteerOutcome {
    /// The batch has changed.
    Changed,
    /// The batch was so already.
    Unchanged,
}

impl Ledger {
    /// Cancels a batch: what has completed is kept, the rest is skipped, for good.
    pub async fn cancel(
        &self,
        organization: OrganizationId,
        batch: BatchId,
    ) -> Result<SteerOutcome, LedgerError> {
        commit_alone(&self.env, Scope::of(organization, batch), |change| {
            Box::pin(cancel(change))
        })
        .await
    }

    /// Queues what an ended batch left without a graph, as a new run leased to `owner`.
    pub async fn retry(
        &self,
        organization: OrganizationId,
        batch: BatchId,
        owner: &str,
        ttl: Duration,
    ) -> Result<Lease, LedgerError> {
        let token = commit_alone(&self.env, Scope::of(organization, batch), |change| {
            let owner = owner.to_owned();
            Box::pin(async move {
                retry(change).await?;
                Ok(change.lease_to(owner, ttl))
            })
        })
        .await?;
        Ok(Lease {
            organization,
            batch,
            token,
        })
    }
}

async fn cancel(change: &mut BatchChange) -> Result<SteerOutcome, LedgerError> {
    if change.stage() == BatchStage::Cancelled {
        return Ok(SteerOutcome::Unchanged);
    }
    if !change.stage().is_terminal() {
        skip_unfinished(change).await?;
    }
    let totals = change.totals();
    change.apply(BatchTrigger::Cancel { totals })?;
    Ok(SteerOutcome::Changed)
}

async fn retry(change: &mut BatchChange) -> Result<(), LedgerError> {
    if change.stage().is_terminal() && change.stage() != BatchStage::Cancelled {
        requeue_unfinished(change).await?;
        change.row.entity_count = document_entities(change).await?;
    }
    change.apply(BatchTrigger::Retry)
}

/// Entities of the completed documents, before resolution.
async fn document_entities(change: &BatchChange) -> Result<i32, LedgerError> {
    let sum: Option<Option<i64>> = of_status(change, &[DocumentStatus::Completed])
        .select_only()
        .column_as(
            Expr::col(batch_document::Column::EntityCount).sum(),
            "entities",
        )
        .into_tuple()
        .one(change.tx.as_ref())
        .await?;
    Ok(i32::try_from(sum.flatten().unwrap_or(0)).unwrap_or(i32::MAX))
}
