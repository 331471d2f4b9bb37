//! A process that runs batches, and how long its leases hold.

use sea_orm::entity::prelude::*;

/// A row of `server`. Of no tenant: a process runs the batches of all.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "server")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The name under which it owns leases; unique.
    #[sea_orm(column_type = "Text")]
    pub owner: String,
    /// When other processes may take its batches over.
    pub lease_expires_at: DateTimeUtc,
    /// Whether it takes its share of every batch, and not only of its own.
    pub shares: bool,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
