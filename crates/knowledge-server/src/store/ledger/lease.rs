//! Who leads a batch, and who is alive.
//!
//! A batch names the process that leads it, with a token; a document's workflow names the process
//! that runs it, with a token of its own (`turn.rs`). How long the leases of a process hold is one
//! row in `server`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    Entropy,
    batch::{BatchConfig, BatchStage},
    document::DocumentStatus,
    ids::{BatchId, OntologyId, OrganizationId},
};
use knowledge_tables::{
    batch_execution::{Column, Entity},
    server,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use strum::IntoEnumIterator;
use uuid::Uuid;

use super::{Lease, Ledger, LedgerError, change::BatchChange, commit::commit_alone, right::Scope};
use crate::{
    faults::{FailurePoint, hit},
    store::convert,
};

/// A process that runs documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Names it; no two processes have the same.
    pub name: String,
    /// How long its leases hold after it said that it is alive.
    pub ttl: Duration,
    /// Whether it takes its share of every batch, and not only of its own.
    pub shares: bool,
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
        self.ids_of(condition).await
    }

    /// Batches that another process leads, and of which documents wait for their turn.
    pub async fn waiting_elsewhere(
        &self,
        owner: &Owner,
    ) -> Result<Vec<(OrganizationId, BatchId)>, LedgerError> {
        use knowledge_tables::batch_document;
        let waiting = [DocumentStatus::Queued, DocumentStatus::Retry];
        let with_waiting = batch_document::Entity::find()
            .select_only()
            .column(batch_document::Column::BatchId)
            .filter(
                Expr::col((
                    batch_document::Entity,
                    batch_document::Column::OrganizationId,
                ))
                .equals((Entity, Column::OrganizationId)),
            )
            .filter(
                Expr::col((batch_document::Entity, batch_document::Column::BatchId))
                    .equals((Entity, Column::Id)),
            )
            .filter(batch_document::Column::Status.is_in(waiting.iter().map(ToString::to_string)))
            .into_query();
        let elsewhere = unfinished()
            .add(Column::LeaseOwner.ne(&owner.name))
            .add(Expr::exists(with_waiting));
        self.ids_of(elsewhere).await
    }

    /// Those of the batches that have ended.
    pub async fn ended(&self, batches: &[BatchId]) -> Result<Vec<BatchId>, LedgerError> {
        let of = Column::Id.is_in(batches.iter().map(|batch| batch.uuid()));
        let condition = Condition::all().add(of).add(unfinished().not());
        let ended = self.ids_of(condition).await?;
        Ok(ended.into_iter().map(|(_, batch)| batch).collect())
    }

    /// How many processes take a share of every batch.
    pub async fn servers(&self) -> Result<u32, LedgerError> {
        let servers = server::Entity::find()
            .filter(server::Column::LeaseExpiresAt.gt(self.clock().now()))
            .filter(server::Column::Shares.eq(true))
            .count(self.store().read())
            .await?;
        Ok(u32::try_from(servers).unwrap_or(u32::MAX))
    }

    async fn ids_of(
        &self,
        condition: Condition,
    ) -> Result<Vec<(OrganizationId, BatchId)>, LedgerError> {
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

    /// Unfinished batches that `owner` leads.
    pub async fn led_by(
        &self,
        owner: &Owner,
    ) -> Result<Vec<(OrganizationId, BatchId)>, LedgerError> {
        self.ids_of(unfinished().add(Column::LeaseOwner.eq(&owner.name)))
            .await
    }

    /// Takes the lead of a batch again that `owner` leads already, with a new token; `None` when
    /// it does not, or when the batch has ended.
    pub async fn reclaim(
        &self,
        organization: OrganizationId,
        batch: BatchId,
        owner: &Owner,
    ) -> Result<Option<Lease>, LedgerError> {
        let token = commit_alone(&self.env, Scope::of(organization, batch), |change| {
            let owner = owner.clone();
            Box::pin(async move {
                let mine = change.row.lease_owner.as_ref() == Some(&owner.name);
                if change.stage().is_terminal() || !mine {
                    return Ok(None);
                }
                change.lease_to(&owner).await.map(Some)
            })
        })
        .await?;
        Ok(token.map(|token| Lease {
            organization,
            batch,
            token,
        }))
    }

    /// Takes the lead of a batch that nobody leads; `None` when somebody does, or when it has
    /// ended.
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
        batch: BatchId,
    ) -> Result<(BatchConfig, Option<OntologyId>), LedgerError> {
        let row = Entity::find_by_id(batch.uuid())
            .one(self.store().read())
            .await?
            .ok_or(LedgerError::NotFound(batch))?;
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
pub(super) fn alive(now: DateTime<Utc>) -> Select<server::Entity> {
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
        shares: Set(owner.shares),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let again = OnConflict::column(server::Column::Owner)
        .update_columns([
            server::Column::LeaseExpiresAt,
            server::Column::Shares,
            server::Column::UpdatedAt,
        ])
        .to_owned();
    server::Entity::insert(row)
        .on_conflict(again)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
