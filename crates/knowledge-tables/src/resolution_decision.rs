//! What a person decided of two forms; nothing overrules it but another decision.

use sea_orm::entity::prelude::*;

/// A row of `resolution_decision`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "resolution_decision")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// `together` or `apart`.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// The form with the smaller id.
    pub left_form_id: Uuid,
    /// The form with the larger id.
    pub right_form_id: Uuid,
    /// Who decided.
    #[sea_orm(column_type = "Text")]
    pub decided_by: String,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
