//! The states of circuit breakers, kept over restarts.

use knowledge_tables::circuit_breaker::{ActiveModel, Column, Entity};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    sea_query::OnConflict,
};

use super::{CallLog, Environment, writer::Operation};
use crate::{
    llm::BreakerState,
    store::{StoreError, convert},
};

/// A provider's model and how it fares.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SavedBreaker {
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) state: BreakerState,
}

impl CallLog {
    /// The state that a breaker was left in.
    pub async fn breaker(
        &self,
        provider: &str,
        model: &str,
    ) -> Result<Option<BreakerState>, StoreError> {
        Entity::find()
            .filter(Column::Provider.eq(provider))
            .filter(Column::Model.eq(model))
            .one(self.env.store.read())
            .await?
            .map(|row| convert::from_json("circuit_breaker.state_data", row.state_data))
            .transpose()
    }

    /// Keeps a breaker's state.
    pub async fn keep_breaker(
        &self,
        provider: &str,
        model: &str,
        state: BreakerState,
    ) -> Result<(), StoreError> {
        let breaker = SavedBreaker {
            provider: provider.to_owned(),
            model: model.to_owned(),
            state,
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
    let now = env.clock.now();
    let row = ActiveModel {
        id: Set(env.new_id()),
        provider: Set(breaker.provider.clone()),
        model: Set(breaker.model.clone()),
        state: Set(breaker.state.status().to_string()),
        state_data: Set(convert::to_json(&breaker.state)?),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let overwrite = OnConflict::columns([Column::Provider, Column::Model])
        .update_columns([Column::State, Column::StateData, Column::UpdatedAt])
        .to_owned();
    Entity::insert(row)
        .on_conflict(overwrite)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
