//! A tenant; deleting it deletes its rows.

use sea_orm::entity::prelude::*;

/// A row of `organization`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "organization")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The name that people read.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// The name in addresses; unique.
    #[sea_orm(column_type = "Text")]
    pub slug: String,
    /// The version of the block keys and rules that all of its forms have been resolved by.
    pub resolution_version: i32,
    /// The model whose vectors its forms are compared by, once there are some.
    #[sea_orm(column_type = "Text", nullable)]
    pub embedding_model: Option<String>,
    /// Whether forms were resolved without the vector that they should have.
    pub embedding_gaps: bool,
    /// The workflow whose turn it is to ask what forms mean.
    pub embedding_execution_id: Option<Uuid>,
    /// The forms that were last asked about and have no vector yet: a list of ids.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub embedding_forms: Option<Json>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
