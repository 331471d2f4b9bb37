//! Who runs a batch.

use std::time::Duration;

use knowledge_domain::{
    batch::{BatchConfig, BatchStage},
    ids::{BatchId, OntologyId, OrganizationId},
};
use knowledge_tables::batch_execution::{Column, Entity};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr};
use strum::IntoEnumIterator;

use super::{
    Lease, Ledger, LedgerError,
    change::BatchChange,
    writer::{Scope, commit_alone},
};
use crate::store::convert;

fn unfinished() -> Condition {
    let names = BatchStage::iter()
        .filter(|stage| !stage.is_terminal())
        .map(|stage| stage.to_string());
    Condition::all().add(Column::State.is_in(names))
}

impl Ledger {
    /// Unfinished batches that nobody runs: their lease has run out, was given up, or, with
    /// `whatever_lease`, is of a process that cannot be alive (SQLite's file lock is ours).
    pub async fn orphans(
        &self,
        whatever_lease: bool,
    ) -> Result<Vec<(OrganizationId, BatchId)>, LedgerError> {
        let mut condition = unfinished();
        if !whatever_lease {
            condition = condition.add(
                Condition::any()
                    .add(Column::LeaseExpiresAt.is_null())
                    .add(Column::LeaseExpiresAt.lt(self.clock().now())),
            );
        }
        let rows = Entity::find()
            .filter(condition)
            .order_by_asc(Column::Id)
            .all(self.store().read())
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                (
                    OrganizationId::from_uuid(row.organization_id),
                    BatchId::from_uuid(row.id),
                )
            })
            .collect())
    }

    /// Takes a batch that nobody runs; `None` when somebody does, or when it has ended.
    pub async fn claim(
        &self,
        organization: OrganizationId,
        batch: BatchId,
        owner: &str,
        ttl: Duration,
        whatever_lease: bool,
    ) -> Result<Option<Lease>, LedgerError> {
        let token = commit_alone(&self.env, Scope::of(organization, batch), |change| {
            let owner = owner.to_owned();
            Box::pin(std::future::ready(Ok(take(
                change,
                owner,
                ttl,
                whatever_lease,
            ))))
        })
        .await?;
        Ok(token.map(|token| Lease {
            organization,
            batch,
            token,
        }))
    }

    /// The settings of a batch and its ontology.
    pub async fn batch_settings(
        &self,
        lease: Lease,
    ) -> Result<(BatchConfig, Option<OntologyId>), LedgerError> {
        let row = Entity::find_by_id(lease.batch.uuid())
            .one(self.store().read())
            .await?
            .ok_or(LedgerError::NotFound(lease.batch))?;
        let config = convert::from_json("batch_execution.config", row.config)?;
        Ok((config, row.ontology_id.map(OntologyId::from_uuid)))
    }

    /// Extends every lease of `owner`; the number of batches that it runs.
    pub async fn heartbeat(&self, owner: &str, ttl: Duration) -> Result<u64, LedgerError> {
        let now = self.clock().now();
        let tx = self.store().begin().await?;
        let updated = Entity::update_many()
            .col_expr(Column::LeaseExpiresAt, Expr::value(now + ttl))
            .filter(unfinished().add(Column::LeaseOwner.eq(owner)))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(updated.rows_affected)
    }

    /// Gives every lease of `owner` up, so that another process can take over at once.
    pub async fn release(&self, owner: &str) -> Result<(), LedgerError> {
        let tx = self.store().begin().await?;
        Entity::update_many()
            .col_expr(
                Column::LeaseExpiresAt,
                Expr::value(None::<chrono::DateTime<chrono::Utc>>),
            )
            .col_expr(Column::LeaseOwner, Expr::value(None::<String>))
            .filter(unfinished().add(Column::LeaseOwner.eq(owner)))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Takes a batch for `owner`, if nobody else has it; the new token.
fn take(
    change: &mut BatchChange,
    owner: String,
    ttl: Duration,
    whatever_lease: bool,
) -> Option<i64> {
    let held = change.row.lease_owner.as_deref().is_some_and(|holder| {
        holder == owner || (!whatever_lease && change.row.lease_expires_at > Some(change.at))
    });
    let free = !held && !change.stage().is_terminal();
    free.then(|| change.lease_to(owner, ttl))
}
