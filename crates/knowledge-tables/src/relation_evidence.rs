//! A stretch of text that a relation rests on.

use sea_orm::entity::prelude::*;

/// A row of `relation_evidence`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "relation_evidence")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The relation.
    pub relation_id: Uuid,
    /// The document.
    pub document_id: Uuid,
    /// The first character.
    pub start_char: i32,
    /// The character after the last.
    pub end_char: i32,
    /// The text.
    #[sea_orm(column_type = "Text")]
    pub text: String,
    /// 0..1.
    pub confidence: f64,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
