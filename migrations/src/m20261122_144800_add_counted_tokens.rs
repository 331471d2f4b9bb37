//! What changes: of the tokens that calls took it is known how many were counted, because their
//! provider did not report them. Of earlier calls it is not known, and nothing is said.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds and drops `llm_call.counted_tokens` and `token_account.counted`.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The tables with their new columns.
const COLUMNS: [(&str, &str); 2] = [("llm_call", "counted_tokens"), ("token_account", "counted")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in COLUMNS {
            let change = Table::alter()
                .table(table)
                .add_column(big_integer(column).default(0))
                .to_owned();
            manager.alter_table(change).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in COLUMNS {
            let change = Table::alter().table(table).drop_column(column).to_owned();
            manager.alter_table(change).await?;
        }
        Ok(())
    }
}
