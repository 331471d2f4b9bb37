//! What changes: batches keep how fast they get on and what their documents are doing.

use sea_orm_migration::{prelude::*, schema::*};

const TABLE: &str = "batch_execution";

/// Adds and drops the column `tally`.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::alter()
            .table(TABLE)
            .add_column(json_binary_null("tally"))
            .to_owned();
        manager.alter_table(change).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::alter().table(TABLE).drop_column("tally").to_owned();
        manager.alter_table(change).await
    }
}
