//! One durable event of a batch; never changed.

use sea_orm::entity::prelude::*;

/// A row of `batch_event`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "batch_event")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The batch.
    pub batch_id: Uuid,
    /// 1, 2, 3 … within the batch.
    pub sequence: i64,
    /// The name of the event: `DocumentStarted`.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// The document that it is about.
    pub batch_document_id: Option<Uuid>,
    /// The event as it is shown.
    #[sea_orm(column_type = "JsonBinary")]
    pub payload: Json,
    /// When it was written.
    pub timestamp: DateTimeUtc,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
