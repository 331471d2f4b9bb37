//! What changes: classes specialise others, and a form knows which those are.
//!
//! Forms of earlier ontologies have none.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds and drops `resolution_form.above`.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const FORM: &str = "resolution_form";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::alter()
            .table(FORM)
            .add_column(json_binary_null("above"))
            .to_owned();
        manager.alter_table(change).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::alter().table(FORM).drop_column("above").to_owned();
        manager.alter_table(change).await
    }
}
