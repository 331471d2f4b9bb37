//! A signal, stored before it is delivered.

use sea_orm::entity::prelude::*;

/// A row of `workflow_signal`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_signal")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The workflow.
    pub execution_id: Uuid,
    /// `pause`, `resume` or `cancel`.
    #[sea_orm(column_type = "Text")]
    pub signal_name: String,
    /// What came with it.
    #[sea_orm(column_type = "JsonBinary")]
    pub payload: Json,
    /// When the workflow received it.
    pub delivered_at: Option<DateTimeUtc>,
    /// Whether the workflow has acted on it.
    pub acknowledged: bool,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
