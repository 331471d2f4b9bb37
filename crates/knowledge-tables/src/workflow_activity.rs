//! One unit of a workflow, with its journaled output.

use sea_orm::entity::prelude::*;

/// A row of `workflow_activity`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_activity")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The workflow.
    pub execution_id: Uuid,
    /// The stage and the unit: `mentions/3`.
    #[sea_orm(column_type = "Text")]
    pub activity_name: String,
    /// The stage.
    #[sea_orm(column_type = "Text")]
    pub activity_type: String,
    /// SHA-256 of the canonical input, in hex.
    #[sea_orm(column_type = "Text")]
    pub input_hash: String,
    /// `pending`, `running`, `completed`, `failed` or `skipped`.
    #[sea_orm(column_type = "Text")]
    pub status: String,
    /// Times its body was started.
    pub attempt: i32,
    /// Attempts that failed since the document was last started.
    pub failure_count: i32,
    /// The canonical input, where it is kept.
    #[sea_orm(column_type = "Blob", nullable)]
    pub input: Option<Vec<u8>>,
    /// The output, once completed.
    #[sea_orm(column_type = "Blob", nullable)]
    pub output: Option<Vec<u8>>,
    /// Why its last attempt failed.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    /// What a policy may do about the error.
    #[sea_orm(column_type = "Text", nullable)]
    pub error_kind: Option<String>,
    /// When it is tried again.
    pub next_attempt_at: Option<DateTimeUtc>,
    /// Milliseconds of the last attempt.
    pub duration_ms: Option<i32>,
    /// When its last attempt began.
    pub started_at: Option<DateTimeUtc>,
    /// When it completed or failed for good.
    pub completed_at: Option<DateTimeUtc>,
    /// When its input and output were removed; the output of a completed one is lost without it.
    pub pruned_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
