//! What users do to a batch while or after it runs.

use knowledge_domain::{
    batch::{BatchStage, BatchTrigger},
    document::DocumentStatus,
    ids::{BatchId, OrganizationId},
};
use knowledge_tables::batch_document;
use sea_orm::{QuerySelect, prelude::Expr, sea_query::ExprTrait};

use super::{
    Lease, Ledger, LedgerError, Owner,
    change::BatchChange,
    commit::commit_alone,
    document::{of_status, skip_unfinished},
    right::Scope,
    round::requeue_unfinished,
};
use crate::{
    faults::{FailurePoint, hit},
    store::convert,
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
        let outcome = commit_alone(&self.env, Scope::of(organization, batch), |change| {
            Box::pin(cancel(change))
        })
        .await?;
        hit(FailurePoint::CancelAfterCommit);
        Ok(outcome)
    }

    /// Queues what an ended batch left without a graph, as a new run leased to `owner`.
    pub async fn retry(
        &self,
        organization: OrganizationId,
        batch: BatchId,
        owner: &Owner,
    ) -> Result<Lease, LedgerError> {
        let token = commit_alone(&self.env, Scope::of(organization, batch), |change| {
            let owner = owner.clone();
            Box::pin(async move {
                retry(change).await?;
                let token = change.lease_to(&owner).await?;
                hit(FailurePoint::RetryBeforeCommit);
                Ok(token)
            })
        })
        .await?;
        hit(FailurePoint::RetryAfterCommit);
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
    hit(FailurePoint::CancelBeforeCommit);
    Ok(SteerOutcome::Changed)
}

async fn retry(change: &mut BatchChange) -> Result<(), LedgerError> {
    if change.stage().is_terminal() && change.stage() != BatchStage::Cancelled {
        requeue_unfinished(change).await?;
        let (entities, relations) = document_counts(change).await?;
        change.row.entity_count = entities;
        change.row.relation_count = relations;
    }
    change.apply(BatchTrigger::Retry)
}

/// Entities and relations of the completed documents, before resolution.
async fn document_counts(change: &BatchChange) -> Result<(i32, i32), LedgerError> {
    use batch_document::Column;
    let sums: Option<(Option<i64>, Option<i64>)> = of_status(change, &[DocumentStatus::Completed])
        .select_only()
        .column_as(Expr::col(Column::EntityCount).sum(), "entities")
        .column_as(Expr::col(Column::RelationCount).sum(), "relations")
        .into_tuple()
        .one(change.tx.as_ref())
        .await?;
    let (entities, relations) = sums.unwrap_or_default();
    Ok((
        convert::count(entities.unwrap_or(0)),
        convert::count(relations.unwrap_or(0)),
    ))
}
