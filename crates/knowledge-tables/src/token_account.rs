//! The tokens that a batch has paid for, and those that it may.

use sea_orm::entity::prelude::*;

/// A row of `token_account`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "token_account")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The batch.
    pub batch_id: Uuid,
    /// The most tokens that it may use; no limit when absent.
    pub budget: Option<i64>,
    /// Tokens that calls took, of failed units too.
    pub used: i64,
    /// Tokens of these that were counted, because the provider did not report them.
    pub counted: i64,
    /// What they cost, in millionths of a US dollar.
    pub cost_micro_usd: i64,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
