//! What all entities with one name, class and identity have in common; what resolution compares.

use sea_orm::entity::prelude::*;

/// A row of `resolution_form`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "resolution_form")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// What its entities agree in; unique.
    #[sea_orm(column_type = "Text")]
    pub form_key: String,
    /// Classes, at least one.
    #[sea_orm(column_type = "JsonBinary")]
    pub types: Json,
    /// Classes that those specialise; none when absent.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub above: Option<Json>,
    /// The name, folded.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// What tells it from another of the same name.
    #[sea_orm(column_type = "JsonBinary")]
    pub identity: Json,
    /// A sample of other names.
    #[sea_orm(column_type = "JsonBinary")]
    pub aliases: Json,
    /// A sample of what its entities are related to.
    #[sea_orm(column_type = "JsonBinary")]
    pub neighbours: Json,
    /// A sample of its documents.
    #[sea_orm(column_type = "JsonBinary")]
    pub documents: Json,
    /// Entities.
    pub entity_count: i32,
    /// The entity that would face it, were it alone.
    pub face_id: Uuid,
    /// Whether it may be in another cluster, or have another face, than is written.
    pub dirty: bool,
    /// The cluster of its entities, once resolved.
    pub cluster_id: Option<Uuid>,
    /// The entity that faces the cluster, once resolved.
    pub canonical_id: Option<Uuid>,
    /// How sure its entities are the same as the canonical one, 0..1.
    pub link_confidence: Option<f64>,
    /// Why: `exact_name`, `initials` …
    #[sea_orm(column_type = "Text", nullable)]
    pub link_reason: Option<String>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
