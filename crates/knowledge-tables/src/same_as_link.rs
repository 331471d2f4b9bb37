//! Two entities that mean the same, and why.

use sea_orm::entity::prelude::*;

/// A row of `same_as_link`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "same_as_link")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The entity that faces the cluster.
    pub canonical_id: Uuid,
    /// Another member.
    pub member_id: Uuid,
    /// 0..1.
    pub confidence: f64,
    /// Why they were linked: `exact_name`.
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
