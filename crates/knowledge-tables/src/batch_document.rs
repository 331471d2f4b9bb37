//! A document's place in a batch.

use sea_orm::entity::prelude::*;

/// A row of `batch_document`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "batch_document")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The batch.
    pub batch_id: Uuid,
    /// The content.
    pub document_id: Uuid,
    /// From 0, in the order of the request.
    pub position: i32,
    /// The name in this batch.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// Where it came from in this batch.
    #[sea_orm(column_type = "Text", nullable)]
    pub source_uri: Option<String>,
    /// `queued`, `processing`, `completed`, `failed`, `retry`, `abandoned` or `skipped`.
    #[sea_orm(column_type = "Text")]
    pub status: String,
    /// The stage that it is in, or failed in.
    #[sea_orm(column_type = "Text", nullable)]
    pub stage: Option<String>,
    /// Units of the stage that are done.
    pub stage_current: i32,
    /// Units of the stage.
    pub stage_total: i32,
    /// Its progress, of 1,000,000; kept when it fails.
    pub progress_units: i32,
    /// Times it was started.
    pub attempt: i32,
    /// The round that last tried it; 0 is the first pass.
    pub retry_round: i32,
    /// Why it failed.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    /// What a policy may do about the error.
    #[sea_orm(column_type = "Text", nullable)]
    pub error_kind: Option<String>,
    /// Its workflow.
    pub execution_id: Option<Uuid>,
    /// Its graph, once completed.
    pub extraction_id: Option<Uuid>,
    /// Entities.
    pub entity_count: i32,
    /// Relations.
    pub relation_count: i32,
    /// Units that its graph is without.
    pub missing_units: i32,
    /// Tokens of model calls.
    pub tokens_used: i64,
    /// When it first began.
    pub started_at: Option<DateTimeUtc>,
    /// When it was settled.
    pub completed_at: Option<DateTimeUtc>,
    /// Grows with every change.
    pub version: i64,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
