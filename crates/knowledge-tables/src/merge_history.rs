//! One merge of an entity into a cluster.

use sea_orm::entity::prelude::*;

/// A row of `merge_history`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "merge_history")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The entity that joined.
    pub source_entity_id: Uuid,
    /// The entity that faces the cluster.
    pub target_entity_id: Uuid,
    /// `exact_name`, `similarity`, `manual`, or `separated` when it was taken out of a cluster.
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    /// 0..1.
    pub confidence: f64,
    /// Who decided: a batch, a user, or `resolution` for what follows from a user's decision.
    #[sea_orm(column_type = "Text")]
    pub merged_by: String,
    /// The batch that carried it out.
    pub batch_id: Option<Uuid>,
    /// When.
    pub merged_at: DateTimeUtc,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
