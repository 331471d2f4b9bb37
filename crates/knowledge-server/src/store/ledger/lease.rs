//! Who runs a batch.
//!
//! A batch names its owner and a token; how long the owner's leases hold is one row of the owner's
//! own, in `server`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    Entropy,
    batch::{BatchConfig, BatchStage},
    ids::{BatchId, OntologyId, OrganizationId},
};
use knowledge_tables::{
    batch_execution::{Column, Entity},
    server,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select, sea_query::OnConflict,
};
use strum::IntoEnumIterator;
use uuid::Uuid;

use super::{
    Lease, Ledger, LedgerError,
    change::BatchChange,
    writer::{Scope, commit_alone},
};
use crate::{
    faults::{FailurePoint, hit},
    store::convert,
};

/// A process that runs batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Names it; no two processes have the same.
    pub name: String,
    /// How long its leases hold after it said that it is alive.
    pub ttl: Duration,
}

fn unfinished() -> Condition {
    let names = BatchStage::iter()
        .filter(|stage| !stage.is_terminal())
        .map(|stage| stage.to_string());
    Condition::all().add(Column::State.is_in(names))
}

impl Ledger {
    /// Unfinished batches that nobody runs: they have no owner, or one whose leases have run out,
    /// or, with `whatever_lease`, one that cannot be alive (SQLite's file lock is ours).
    pub async fn orphans(
        &self,
        whatever_lease: bool,
    ) -> Result<Vec<(OrganizationId, BatchId)>, LedgerError> {
        let mut condition = unfinished();
        if !whatever_lease {
            let alive = alive(self.clock().now()).into_query();
            condition = condition.add(
                Condition::any()
                    .add(Column::LeaseOwner.is_null())
                    .add(Column::LeaseOwner.not_in_subquery(alive)),
            );
        }
        let rows: Vec<(Uuid, Uuid)> = Entity::find()
            .select_only()
            .columns([Column::OrganizationId, Column::Id])
            .filter(condition)
            .order_by_asc(Column::Id)
            .into_tuple()
            .all(self.store().read())
            .await?;
        let ids = rows.into_iter().map(|(organization, batch)| {
            (
                OrganizationId::from_uuid(organization),
                BatchId::from_uuid(batch),
            )
        });
        Ok(ids.collect())
    }

    /// Takes a batch that nobody runs; `None` when somebody does, or when it has ended.
    pub async fn claim(
        &self,
        organization: OrganizationId,
        batch: BatchId,
        owner: &Owner,
        whatever_lease: bool,
    ) -> Result<Option<Lease>, LedgerError> {
        let token = commit_alone(&self.env, Scope::of(organization, batch), |change| {
            let owner = owner.clone();
            Box::pin(async move { take(change, &owner, whatever_lease).await })
        })
        .await?;
        if token.is_some() {
            hit(FailurePoint::TakeoverAfterCommit);
        }
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

    /// Says that `owner` is alive: all its leases hold for another while.
    ///
    /// One row of its own, so that it waits for no batch and no batch waits for it.
    pub async fn heartbeat(&self, owner: &Owner) -> Result<(), LedgerError> {
        let tx = self.store().begin().await?;
        register(&tx, owner, self.entropy(), self.clock().now()).await?;
        hit(FailurePoint::HeartbeatBeforeCommit);
        tx.commit().await?;
        hit(FailurePoint::HeartbeatAfterCommit);
        Ok(())
    }

    /// Gives every lease of `owner` up, so that another process can take over at once.
    pub async fn release(&self, owner: &Owner) -> Result<(), LedgerError> {
        let tx = self.store().begin().await?;
        server::Entity::delete_many()
            .filter(server::Column::Owner.eq(&owner.name))
            .exec(&tx)
            .await?;
        hit(FailurePoint::ReleaseBeforeCommit);
        tx.commit().await?;
        hit(FailurePoint::ReleaseAfterCommit);
        Ok(())
    }
}

/// Takes a batch for `owner`, if nobody alive has it; the new token.
async fn take(
    change: &mut BatchChange,
    owner: &Owner,
    whatever_lease: bool,
) -> Result<Option<i64>, LedgerError> {
    if change.stage().is_terminal() {
        return Ok(None);
    }
    if let Some(holder) = &change.row.lease_owner {
        let alive = alive(change.at).filter(server::Column::Owner.eq(holder));
        let alive: Option<String> = alive.into_tuple().one(change.tx.as_ref()).await?;
        let held = !whatever_lease && alive.is_some();
        if held || *holder == owner.name {
            return Ok(None);
        }
    }
    let token = change.lease_to(owner).await?;
    hit(FailurePoint::TakeoverBeforeCommit);
    Ok(Some(token))
}

/// The owners whose leases hold.
fn alive(now: DateTime<Utc>) -> Select<server::Entity> {
    server::Entity::find()
        .select_only()
        .column(server::Column::Owner)
        .filter(server::Column::LeaseExpiresAt.gt(now))
}

/// Writes that an owner is alive.
pub(super) async fn register(
    tx: &DatabaseTransaction,
    owner: &Owner,
    entropy: &dyn Entropy,
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    let row = server::ActiveModel {
        id: Set(entropy.uuid_v7()),
        owner: Set(owner.name.clone()),
        lease_expires_at: Set(now + owner.ttl),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let again = OnConflict::column(server::Column::Owner)
        .update_columns([server::Column::LeaseExpiresAt, server::Column::UpdatedAt])
        .to_owned();
    server::Entity::insert(row)
        .on_conflict(again)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
