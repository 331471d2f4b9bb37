//! A piece of a document that was extracted on its own.

use sea_orm::entity::prelude::*;

/// A row of `chunk`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "chunk")]
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
    /// From 0, in the order of the text.
    pub position: i32,
    /// The first character.
    pub start_char: i32,
    /// The character after the last.
    pub end_char: i32,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
