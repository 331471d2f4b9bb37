//! Whether another engine comes to the same with a document.

use sea_orm::entity::prelude::*;

/// A row of `parity_check`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "parity_check")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The batch.
    pub batch_id: Uuid,
    /// The document in the batch.
    pub batch_document_id: Uuid,
    /// Its workflow; unique.
    pub execution_id: Uuid,
    /// The token with which the workflow completed: one that completes again is compared again.
    pub lease_token: i64,
    /// `pending`, `same`, `different` or `unavailable`.
    #[sea_orm(column_type = "Text")]
    pub status: String,
    /// In what they differ.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub differences: Option<Json>,
    /// Why they could not be compared.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    /// The release that ran it again.
    #[sea_orm(column_type = "Text", nullable)]
    pub release: Option<String>,
    /// Times that a worker began to compare it.
    pub attempts: i32,
    /// When a server last asked for it.
    pub submitted_at: Option<DateTimeUtc>,
    /// When it was compared.
    pub compared_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
