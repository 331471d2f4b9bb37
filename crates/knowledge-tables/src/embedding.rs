//! What a model of vectors says of something.

use sea_orm::entity::prelude::*;

/// A row of `embedding`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "embedding")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// What it is of: `form`.
    #[sea_orm(column_type = "Text")]
    pub owner_type: String,
    /// Which one; one vector a model.
    pub owner_id: Uuid,
    /// The model.
    #[sea_orm(column_type = "Text")]
    pub model: String,
    /// How many numbers; 0 where the model says nothing of it.
    pub dimensions: i32,
    /// The numbers, little-endian, four bytes each: of length 1, without what the model says of all
    /// texts.
    #[sea_orm(column_type = "Blob")]
    pub vector: Vec<u8>,
    /// SHA-256 of the text, in hex.
    #[sea_orm(column_type = "Text")]
    pub content_hash: String,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
