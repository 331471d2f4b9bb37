//! What one extractor with one configuration found in one document.

use sea_orm::entity::prelude::*;

/// A row of `extraction`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "extraction")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The document.
    pub document_id: Uuid,
    /// The workflow that first found it.
    pub execution_id: Option<Uuid>,
    /// The ontology; the core types when absent.
    pub ontology_id: Option<Uuid>,
    /// SHA-256 of extractor, ontology and settings, in hex.
    #[sea_orm(column_type = "Text")]
    pub fingerprint: String,
    /// The extractor's name and version.
    #[sea_orm(column_type = "Text")]
    pub extractor: String,
    /// The model, where one was asked.
    #[sea_orm(column_type = "Text", nullable)]
    pub model: Option<String>,
    /// The version of the prompts.
    #[sea_orm(column_type = "Text", nullable)]
    pub prompt_version: Option<String>,
    /// `completed`: the rows are written with it.
    #[sea_orm(column_type = "Text")]
    pub status: String,
    /// Chunks.
    pub chunk_count: i32,
    /// Mentions.
    pub mention_count: i32,
    /// Entities.
    pub entity_count: i32,
    /// Relations.
    pub relation_count: i32,
    /// Tokens of model calls.
    pub total_tokens: i64,
    /// When it was stored.
    pub completed_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
