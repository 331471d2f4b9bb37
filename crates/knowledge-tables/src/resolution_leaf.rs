//! A leaf of a tree of vectors: forms are compared by what they mean only where they share one.

use sea_orm::entity::prelude::*;

/// A row of `resolution_leaf`. The leaves of a tree cover all addresses, each once; a tree in which
/// nothing is has none.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "resolution_leaf")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The model of the vectors.
    #[sea_orm(column_type = "Text")]
    pub model: String,
    /// Which tree, from 0.
    pub tree: i32,
    /// The lowest address of the leaf, 0 or more.
    pub start: i64,
    /// How many bits all of its addresses share, of 63.
    pub depth: i32,
    /// The forms, 24 bytes each, sorted: the address, 8 bytes, the highest first, and the id.
    #[sea_orm(column_type = "Blob")]
    pub members: Vec<u8>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
