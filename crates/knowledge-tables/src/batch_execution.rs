//! One run over a set of documents, with its counters.

use sea_orm::entity::prelude::*;

/// A row of `batch_execution`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "batch_execution")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The name of the state: `Resolving`.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// The state with its data.
    #[sea_orm(column_type = "JsonBinary")]
    pub state_data: Json,
    /// The ontology; the core types when absent.
    pub ontology_id: Option<Uuid>,
    /// What runs its workflows: `legacy`, `shadow` or `engine`.
    #[sea_orm(column_type = "Text")]
    pub mode: String,
    /// The key that a client started it with.
    #[sea_orm(column_type = "Text", nullable)]
    pub idempotency_key: Option<String>,
    /// SHA-256 of the start request, in hex.
    #[sea_orm(column_type = "Text")]
    pub request_hash: String,
    /// Documents at a time.
    pub concurrency: i32,
    /// `continue-on-failure`, `abort-all` or `retry-failed`.
    #[sea_orm(column_type = "Text")]
    pub failure_policy: String,
    /// Rounds over failed documents.
    pub max_retries: i32,
    /// Whether entities are resolved at the end.
    pub enable_entity_resolution: bool,
    /// `offline` or `llm`.
    #[sea_orm(column_type = "Text")]
    pub extractor: String,
    /// The validated settings as a whole.
    #[sea_orm(column_type = "JsonBinary")]
    pub config: Json,
    /// Documents.
    pub total_documents: i32,
    /// Documents whose graph is stored.
    pub completed_documents: i32,
    /// Documents that are `failed` or `abandoned`.
    pub failed_documents: i32,
    /// Documents that are `skipped`.
    pub skipped_documents: i32,
    /// Completed documents whose graphs are without some units.
    pub partial_documents: i32,
    /// Entities; after resolution where it ran.
    pub entity_count: i32,
    /// Relations.
    pub relation_count: i32,
    /// Tokens of model calls.
    pub tokens_used: i64,
    /// Tokens of model calls that resolution made, among `tokens_used`.
    pub resolution_tokens: i64,
    /// The sequence of the last event.
    pub last_sequence: i64,
    /// Sum of the documents' progress, of 1,000,000 each.
    pub progress_units: i64,
    /// Rounds over failed documents that have begun.
    pub retry_round: i32,
    /// When the next round may begin.
    pub next_round_at: Option<DateTimeUtc>,
    /// Why it failed.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    /// When its first document began.
    pub started_at: Option<DateTimeUtc>,
    /// When it ended.
    pub completed_at: Option<DateTimeUtc>,
    /// The process that runs it.
    #[sea_orm(column_type = "Text", nullable)]
    pub lease_owner: Option<String>,
    /// Grows with every owner; writes of an earlier one are refused.
    pub lease_token: i64,
    /// Grows with every change.
    pub version: i64,
    /// How fast it gets on and what its documents are doing.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub tally: Option<Json>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
