//! A statement of one document.

use sea_orm::entity::prelude::*;

/// A row of `relation`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "relation")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The extraction.
    pub extraction_id: Uuid,
    /// From 0, in the order of subject, predicate and object.
    pub position: i32,
    /// The subject.
    pub subject_id: Uuid,
    /// The predicate.
    #[sea_orm(column_type = "Text")]
    pub predicate: String,
    /// The object, when it is an entity.
    pub object_id: Option<Uuid>,
    /// The object, when it is a value.
    #[sea_orm(column_type = "Text", nullable)]
    pub literal_value: Option<String>,
    /// The type of the value.
    #[sea_orm(column_type = "Text", nullable)]
    pub literal_type: Option<String>,
    /// 0..1.
    pub confidence: f64,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
