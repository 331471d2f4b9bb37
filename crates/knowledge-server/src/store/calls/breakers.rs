//! The states of circuit breakers, kept over restarts and told to other servers.

use chrono::{DateTime, SubsecRound, Utc};
use knowledge_tables::circuit_breaker::{ActiveModel, Column, Entity};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, DbBackend, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{CallLog, Environment, writer::Operation};
use crate::{
    llm::BreakerState,
    store::{StoreError, convert},
};

/// A breaker's state since a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptBreaker {
    /// The state.
    pub state: BreakerState,
    /// When it came to be, as exactly as every database keeps it.
    pub since: DateTime<Utc>,
}

impl KeptBreaker {
    /// A state that has just come to be.
    #[must_use]
    pub fn new(state: BreakerState, now: DateTime<Utc>) -> Self {
        Self {
            state,
            since: now.trunc_subsecs(6),
        }
    }
}

/// A provider's model and how it fares.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SavedBreaker {
    provider: String,
    model: String,
    kept: KeptBreaker,
}

impl CallLog {
    /// Whether other processes may ask the same providers and keep their breakers here.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.env.store.backend() != DbBackend::Sqlite
    }

    /// The state that a breaker was left in, by whichever process was last.
    pub async fn breaker(
        &self,
        provider: &str,
        model: &str,
    ) -> Result<Option<KeptBreaker>, StoreError> {
        let row = Entity::find()
            .filter(Column::Provider.eq(provider))
            .filter(Column::Model.eq(model))
            .one(self.env.store.read())
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(KeptBreaker {
            state: convert::from_json("circuit_breaker.state_data", row.state_data)?,
            since: row.updated_at,
        }))
    }

    /// Keeps a breaker's state, unless another process has kept a newer one.
    pub async fn keep_breaker(
        &self,
        provider: &str,
        model: &str,
        kept: KeptBreaker,
    ) -> Result<(), StoreError> {
        let breaker = SavedBreaker {
            provider: provider.to_owned(),
            model: model.to_owned(),
            kept,
        };
        self.writer
            .submit(|done| Operation::KeepBreaker { breaker, done })
            .await
    }
}

pub(super) async fn keep(
    env: &Environment,
    tx: &DatabaseTransaction,
    breaker: &SavedBreaker,
) -> Result<(), StoreError> {
    let KeptBreaker { state, since } = breaker.kept;
    let row = ActiveModel {
        id: Set(env.new_id()),
        provider: Set(breaker.provider.clone()),
        model: Set(breaker.model.clone()),
        state: Set(state.status().to_string()),
        state_data: Set(convert::to_json(&state)?),
        created_at: Set(since),
        updated_at: Set(since),
    };
    let overwrite = OnConflict::columns([Column::Provider, Column::Model])
        .update_columns([Column::State, Column::StateData, Column::UpdatedAt])
        .action_and_where(Expr::col((Entity, Column::UpdatedAt)).lte(since))
        .to_owned();
    Entity::insert(row)
        .on_conflict(overwrite)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
