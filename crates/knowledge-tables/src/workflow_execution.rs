//! One run of a workflow, with its lease.

use sea_orm::entity::prelude::*;

/// A row of `workflow_execution`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_execution")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// `extraction` or `batch_extraction`.
    #[sea_orm(column_type = "Text")]
    pub workflow_type: String,
    /// The version of the definition that began it.
    pub workflow_version: i32,
    /// The document in a batch that it works on.
    pub batch_document_id: Option<Uuid>,
    /// The batch whose own workflow it is.
    pub batch_id: Option<Uuid>,
    /// `pending`, `running`, `suspended`, `completed`, `failed` or `cancelled`.
    #[sea_orm(column_type = "Text")]
    pub status: String,
    /// What runs it: `legacy`, `shadow` or `engine`.
    #[sea_orm(column_type = "Text")]
    pub mode: String,
    /// The stage that it is in.
    #[sea_orm(column_type = "Text", nullable)]
    pub current_activity: Option<String>,
    /// What it was started with.
    #[sea_orm(column_type = "JsonBinary")]
    pub input: Json,
    /// What it ended with.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub output: Option<Json>,
    /// Why it failed.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    /// Where an executor may keep its place.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub checkpoint: Option<Json>,
    /// `activity` or `orchestrator`.
    #[sea_orm(column_type = "Text")]
    pub retry_owner: String,
    /// Retries of its activities.
    pub retry_count: i32,
    /// Processes in a row that died with it before they had finished a unit.
    pub lost_runs: i32,
    /// The process that runs it.
    #[sea_orm(column_type = "Text", nullable)]
    pub lease_owner: Option<String>,
    /// Grows with every owner; writes of an earlier one are refused.
    pub lease_token: i64,
    /// When another process may take it over.
    pub lease_expires_at: Option<DateTimeUtc>,
    /// Why it waits: `breaker_open`, `over_budget`, `rate_limited` or `paused`; none, when it does not.
    #[sea_orm(column_type = "Text", nullable)]
    pub suspend_reason: Option<String>,
    /// When it goes on by itself.
    pub resume_at: Option<DateTimeUtc>,
    /// What a user has asked of it that it has not done yet: `pause`.
    #[sea_orm(column_type = "Text", nullable)]
    pub requested: Option<String>,
    /// When it first began.
    pub started_at: Option<DateTimeUtc>,
    /// When it ended.
    pub completed_at: Option<DateTimeUtc>,
    /// Grows with every change.
    pub version: i64,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
