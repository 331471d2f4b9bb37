//! What callers prove by a secret that only they have.

use sea_orm::entity::prelude::*;

/// A row of `api_key`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organisation that its holder speaks for.
    pub organization_id: Uuid,
    /// What it is for, in the words of whoever made it.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// What its holder may do.
    #[sea_orm(column_type = "Text")]
    pub role: String,
    /// SHA-256 of the secret, in hex; unique. The secret itself is nowhere.
    #[sea_orm(column_type = "Text")]
    pub secret_hash: String,
    /// The beginning of the secret, by which people tell keys apart.
    #[sea_orm(column_type = "Text")]
    pub hint: String,
    /// When it ends by itself.
    pub expires_at: Option<DateTimeUtc>,
    /// When somebody ended it.
    pub revoked_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
