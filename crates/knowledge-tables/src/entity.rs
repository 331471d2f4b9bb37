//! An entity of one document; what it resolves to is `canonical_id`.

use sea_orm::entity::prelude::*;

/// A row of `entity`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "entity")]
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
    /// From 0, in the order of first mention.
    pub position: i32,
    /// The canonical name in its document.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// Classes, at least one.
    #[sea_orm(column_type = "JsonBinary")]
    pub types: Json,
    /// Other names.
    #[sea_orm(column_type = "JsonBinary")]
    pub aliases: Json,
    /// What is known beside the relations.
    #[sea_orm(column_type = "JsonBinary")]
    pub attributes: Json,
    /// 0..1.
    pub confidence: f64,
    /// Mentions.
    pub mention_count: i32,
    /// Name and aliases in lower case, a line each.
    #[sea_orm(column_type = "Text")]
    pub search_key: String,
    /// The classes between bars: `|Person|Place|`.
    #[sea_orm(column_type = "Text")]
    pub type_key: String,
    /// The entity that faces its cluster; itself until resolved.
    pub canonical_id: Uuid,
    /// What resolution takes it for; none until then.
    pub form_id: Option<Uuid>,
    /// Whether it is in a cluster.
    pub clustered: bool,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
