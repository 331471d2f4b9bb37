//! What changes: on PostgreSQL, pages of rows that change often keep room for their next versions.
//!
//! A new version on the row's own page needs no new entry in any index. SQLite changes rows where
//! they are.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Tables of which a row changes several times while its document runs.
const TABLES: [&str; 2] = ["batch_document", "workflow_execution"];

/// Sets and resets the tables' `fillfactor`.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        alter(manager, "SET (fillfactor = 50)").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        alter(manager, "RESET (fillfactor)").await
    }
}

async fn alter(manager: &SchemaManager<'_>, change: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    for table in TABLES {
        let connection = manager.get_connection();
        let statement = format!("ALTER TABLE {table} {change}");
        connection.execute_unprepared(&statement).await?;
    }
    Ok(())
}
