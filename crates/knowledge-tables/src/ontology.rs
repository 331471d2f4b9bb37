//! A registered ontology, once per content.

use sea_orm::entity::prelude::*;

/// A row of `ontology`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ontology")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The name that people read.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// The namespace of its terms.
    #[sea_orm(column_type = "Text")]
    pub namespace: String,
    /// `turtle`, `rdfxml`, `ntriples` or `jsonld`.
    #[sea_orm(column_type = "Text")]
    pub format: String,
    /// SHA-256 of the content, in hex.
    #[sea_orm(column_type = "Text")]
    pub content_hash: String,
    /// The content as it was registered.
    #[sea_orm(column_type = "Text")]
    pub content: String,
    /// Classes.
    pub class_count: i32,
    /// Properties.
    pub property_count: i32,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
