//! What changes: a process says whether it takes its share of every batch.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds and drops `server.shares`.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::alter()
            .table("server")
            .add_column(boolean("shares").default(false))
            .to_owned();
        manager.alter_table(change).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::alter()
            .table("server")
            .drop_column("shares")
            .to_owned();
        manager.alter_table(change).await
    }
}
