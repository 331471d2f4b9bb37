//! What changes: an organisation knows by which version of the rules its entities are resolved.

use sea_orm_migration::{prelude::*, schema::*};

const TABLE: &str = "organization";

/// Adds and drops the column `resolution_version`.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::alter()
            .table(TABLE)
            .add_column(integer("resolution_version").default(0))
            .to_owned();
        manager.alter_table(change).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::alter()
            .table(TABLE)
            .drop_column("resolution_version")
            .to_owned();
        manager.alter_table(change).await
    }
}
