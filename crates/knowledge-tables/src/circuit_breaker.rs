//! How a provider fares, kept over restarts.

use sea_orm::entity::prelude::*;

/// A row of `circuit_breaker`. Of no tenant: a provider serves all.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "circuit_breaker")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Who is asked: `https://api.openai.com`.
    #[sea_orm(column_type = "Text")]
    pub provider: String,
    /// The model.
    #[sea_orm(column_type = "Text")]
    pub model: String,
    /// `closed`, `open` or `half_open`.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// The state with its data.
    #[sea_orm(column_type = "JsonBinary")]
    pub state_data: Json,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
