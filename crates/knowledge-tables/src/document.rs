//! A document's content, stored once.

use sea_orm::entity::prelude::*;

/// A row of `document`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "document")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The name under which it first came.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// Where it first came from.
    #[sea_orm(column_type = "Text", nullable)]
    pub source_uri: Option<String>,
    /// SHA-256 of the text, in hex.
    #[sea_orm(column_type = "Text")]
    pub content_hash: String,
    /// The text.
    #[sea_orm(column_type = "Text")]
    pub text: String,
    /// Unicode scalar values of the text.
    pub char_count: i32,
    /// What the client said of it.
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
