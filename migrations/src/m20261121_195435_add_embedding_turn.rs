//! What changes: an organisation knows which workflow asks what its forms mean, and which ones it
//! asks about.

use sea_orm_migration::{prelude::*, schema::*};

const ORGANIZATION: &str = "organization";

/// Adds and drops the turn.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            uuid_null("embedding_execution_id"),
            json_binary_null("embedding_forms"),
        ];
        // One statement a column: SQLite adds no more.
        for column in columns {
            let change = Table::alter()
                .table(ORGANIZATION)
                .add_column(column)
                .to_owned();
            manager.alter_table(change).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["embedding_forms", "embedding_execution_id"] {
            let change = Table::alter()
                .table(ORGANIZATION)
                .drop_column(column)
                .to_owned();
            manager.alter_table(change).await?;
        }
        Ok(())
    }
}
