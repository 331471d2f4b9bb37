//! A mention: immutable evidence but for the link to its resolved entity.

use sea_orm::entity::prelude::*;

/// A row of `mention_record`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "mention_record")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The extraction.
    pub extraction_id: Uuid,
    /// The document.
    pub document_id: Uuid,
    /// The chunk that it was found in.
    pub chunk_id: Uuid,
    /// The entity of its document.
    pub entity_id: Option<Uuid>,
    /// The text.
    #[sea_orm(column_type = "Text")]
    pub text: String,
    /// The first character.
    pub start_char: i32,
    /// The character after the last.
    pub end_char: i32,
    /// The suggested class.
    #[sea_orm(column_type = "Text")]
    pub mention_type: String,
    /// 0..1.
    pub confidence: f64,
    /// SHA-256 of the model's answer, in hex.
    #[sea_orm(column_type = "Text", nullable)]
    pub response_hash: Option<String>,
    /// The canonical entity, once resolved.
    pub resolved_entity_id: Option<Uuid>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
