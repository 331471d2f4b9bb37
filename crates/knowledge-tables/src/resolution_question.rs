//! Two forms that may be one, which takes a person to tell.

use sea_orm::entity::prelude::*;

/// A row of `resolution_question`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "resolution_question")]
pub struct Model {
    /// The key, derived from the two forms.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant.
    pub organization_id: Uuid,
    /// The form with the smaller id.
    pub left_form_id: Uuid,
    /// The form with the larger id.
    pub right_form_id: Uuid,
    /// Why they were left apart: `full`, `ambiguous` or `near`.
    #[sea_orm(column_type = "Text")]
    pub doubt: String,
    /// The rule that their names follow.
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    /// How alike they are, 0..1.
    pub confidence: f64,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
