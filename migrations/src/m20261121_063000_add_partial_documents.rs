//! What changes: documents count the units that their graphs are without, and batches such
//! documents; executions count the processes that died with them.

use sea_orm_migration::{prelude::*, schema::*};

const COUNTS: [(&str, &str); 3] = [
    ("batch_document", "missing_units"),
    ("batch_execution", "partial_documents"),
    ("workflow_execution", "lost_runs"),
];

/// Adds and drops the counts.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in COUNTS {
            let change = Table::alter()
                .table(table)
                .add_column(integer(column).default(0))
                .to_owned();
            manager.alter_table(change).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in COUNTS {
            let change = Table::alter().table(table).drop_column(column).to_owned();
            manager.alter_table(change).await?;
        }
        Ok(())
    }
}
