//! What a batch may spend, and what it has spent.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use knowledge_domain::ids::{BatchId, OrganizationId};
use knowledge_tables::{
    llm_call,
    token_account::{ActiveModel, Column, Entity},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait,
    QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{
    Environment, VECTORS,
    intent::{CallIntent, INTENT, Intended, Settlement, oldest},
};
use crate::store::{StoreError, convert};

/// Whether a batch's budget has no room for a call. One call may go over what is left, when no
/// other is on its way.
pub(super) async fn refuses(
    env: &Environment,
    tx: &DatabaseTransaction,
    intent: &CallIntent,
    now: DateTime<Utc>,
) -> Result<Option<Intended>, StoreError> {
    let (Some(batch), Some(budget)) = (intent.batch, intent.budget) else {
        return Ok(None);
    };
    let organization = intent.key.organization;
    let (budget, used) = open(env, tx, (organization, batch), budget, now).await?;
    let Some(budget) = budget else {
        return Ok(None);
    };
    if used >= budget {
        return Ok(Some(over(used, budget)));
    }
    let reserved = reserved(env, tx, intent, batch, now).await?;
    let needed = used
        .saturating_add(reserved)
        .saturating_add(convert::long(intent.tokens));
    Ok((needed > budget && reserved > 0).then_some(Intended::Reserved))
}

fn over(used: i64, budget: i64) -> Intended {
    let tokens = |count: i64| u64::try_from(count).unwrap_or_default();
    Intended::OverBudget {
        used: tokens(used),
        budget: tokens(budget),
    }
}

/// The account's budget and what is used of it; opened with the batch's budget where there is none.
async fn open(
    env: &Environment,
    tx: &DatabaseTransaction,
    (organization, batch): (OrganizationId, BatchId),
    budget: u64,
    now: DateTime<Utc>,
) -> Result<(Option<i64>, i64), StoreError> {
    let found: Option<(Option<i64>, i64)> = Entity::find()
        .select_only()
        .columns([Column::Budget, Column::Used])
        .filter(Column::BatchId.eq(batch.uuid()))
        .lock_exclusive()
        .into_tuple()
        .one(tx)
        .await?;
    if let Some(account) = found {
        return Ok(account);
    }
    let budget = Some(convert::long(budget));
    let row = row(env, organization, batch, now);
    Entity::insert(ActiveModel {
        budget: Set(budget),
        ..row
    })
    .on_conflict_do_nothing_on([Column::BatchId])
    .exec_without_returning(tx)
    .await?;
    Ok((budget, 0))
}

/// Tokens of the batch's other calls that are on their way.
async fn reserved(
    env: &Environment,
    tx: &DatabaseTransaction,
    intent: &CallIntent,
    batch: BatchId,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    use llm_call::Column;
    let mut alive = Condition::any().add(Column::Owner.eq(&env.owner));
    if tx.get_database_backend() != DbBackend::Sqlite {
        alive = alive.add(Column::UpdatedAt.gt(oldest(env, now)));
    }
    let sum: Option<Option<i64>> = llm_call::Entity::find()
        .select_only()
        .column_as(
            Expr::col(Column::ReservedTokens).sum().cast_as("bigint"),
            "reserved",
        )
        .filter(Column::BatchId.eq(batch.uuid()))
        .filter(Column::Status.eq(INTENT))
        .filter(Column::Key.ne(&intent.key.hash))
        .filter(alive)
        .into_tuple()
        .one(tx)
        .await?;
    Ok(sum.flatten().unwrap_or_default())
}

/// Tokens that a batch has paid for vectors.
pub(in crate::store) async fn paid_for_vectors(
    tx: &DatabaseTransaction,
    batch: BatchId,
) -> Result<i64, StoreError> {
    use llm_call::Column;
    let sum: Option<Option<i64>> = llm_call::Entity::find()
        .select_only()
        .column_as(
            Expr::col(Column::PromptTokens).sum().cast_as("bigint"),
            "tokens",
        )
        .filter(Column::BatchId.eq(batch.uuid()))
        .filter(Column::Kind.eq(VECTORS))
        .into_tuple()
        .one(tx)
        .await?;
    Ok(sum.flatten().unwrap_or_default())
}

/// What the calls of one transaction cost, by batch.
#[derive(Debug, Default)]
pub(super) struct Charges(BTreeMap<(OrganizationId, BatchId), Charge>);

#[derive(Debug, Clone, Copy, Default)]
struct Charge {
    tokens: u64,
    counted: u64,
    micro_usd: u64,
}

impl Charges {
    /// Adds what a call cost to what its batch pays.
    pub(super) fn add(&mut self, settlement: &Settlement) {
        let tokens = settlement
            .prompt_tokens
            .saturating_add(settlement.completion_tokens);
        let (Some(batch), true) = (settlement.batch, tokens > 0) else {
            return;
        };
        let charge = self
            .0
            .entry((settlement.key.organization, batch))
            .or_default();
        charge.tokens = charge.tokens.saturating_add(tokens);
        charge.counted = charge.counted.saturating_add(settlement.counted_tokens);
        charge.micro_usd = charge.micro_usd.saturating_add(settlement.cost_micro_usd);
    }

    /// Writes what was added since, in the order of the batches, so that no two processes wait for
    /// each other.
    pub(super) async fn write(
        &mut self,
        env: &Environment,
        tx: &DatabaseTransaction,
    ) -> Result<(), StoreError> {
        for ((organization, batch), charge) in std::mem::take(&mut self.0) {
            charge.write(env, tx, (organization, batch)).await?;
        }
        Ok(())
    }
}

impl Charge {
    async fn write(
        self,
        env: &Environment,
        tx: &DatabaseTransaction,
        (organization, batch): (OrganizationId, BatchId),
    ) -> Result<(), StoreError> {
        let (tokens, counted) = (convert::long(self.tokens), convert::long(self.counted));
        let cost = convert::long(self.micro_usd);
        let account = ActiveModel {
            used: Set(tokens),
            counted: Set(counted),
            cost_micro_usd: Set(cost),
            ..row(env, organization, batch, env.clock.now())
        };
        let add = OnConflict::column(Column::BatchId)
            .value(Column::Used, Expr::col((Entity, Column::Used)).add(tokens))
            .value(
                Column::Counted,
                Expr::col((Entity, Column::Counted)).add(counted),
            )
            .value(
                Column::CostMicroUsd,
                Expr::col((Entity, Column::CostMicroUsd)).add(cost),
            )
            .update_column(Column::UpdatedAt)
            .to_owned();
        Entity::insert(account)
            .on_conflict(add)
            .exec_without_returning(tx)
            .await?;
        Ok(())
    }
}

fn row(
    env: &Environment,
    organization: OrganizationId,
    batch: BatchId,
    now: DateTime<Utc>,
) -> ActiveModel {
    ActiveModel {
        id: Set(env.new_id()),
        organization_id: Set(organization.uuid()),
        batch_id: Set(batch.uuid()),
        budget: Set(None),
        used: Set(0),
        counted: Set(0),
        cost_micro_usd: Set(0),
        created_at: Set(now),
        updated_at: Set(now),
    }
}
