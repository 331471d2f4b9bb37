//! Entities that mean the same thing.

use sea_orm::entity::prelude::*;

/// A row of `entity_cluster`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "entity_cluster")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// What its members agree on; unique.
    #[sea_orm(column_type = "Text")]
    pub cluster_key: String,
    /// The entity that faces it.
    pub canonical_entity_id: Uuid,
    /// Members.
    pub member_count: i32,
    /// Mean similarity of its members, 0..1.
    pub cohesion: f64,
    /// Classes that all members have.
    #[sea_orm(column_type = "JsonBinary")]
    pub shared_types: Json,
    /// Grows with every change.
    pub version: i64,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
