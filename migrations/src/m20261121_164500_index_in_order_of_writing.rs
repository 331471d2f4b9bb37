//! What changes: two indexes that are now in the order in which rows are written.
//!
//! A batch's documents of one status are found in the order of their ids, which is that of their
//! turns, and no longer of their positions. Relations are no longer indexed by predicate: nothing
//! looks for a predicate alone, and each document wrote to a page of every predicate that it has.

use sea_orm_migration::prelude::*;

struct Replaced {
    table: &'static str,
    old: &'static [&'static str],
    new: &'static [&'static str],
}

const INDEXES: [Replaced; 2] = [
    Replaced {
        table: "batch_document",
        old: &["organization_id", "batch_id", "status", "position"],
        new: &["organization_id", "batch_id", "status", "id"],
    },
    Replaced {
        table: "relation",
        old: &["organization_id", "predicate"],
        new: &["organization_id"],
    },
];

/// Replaces the indexes.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in INDEXES {
            replace(manager, index.table, index.old, index.new).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in INDEXES {
            replace(manager, index.table, index.new, index.old).await?;
        }
        Ok(())
    }
}

async fn replace(
    manager: &SchemaManager<'_>,
    table: &str,
    old: &[&str],
    new: &[&str],
) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let drop = format!("DROP INDEX ix_{table}_{}", old.join("_"));
    connection.execute_unprepared(&drop).await?;
    let create = format!(
        "CREATE INDEX ix_{table}_{} ON {table} ({})",
        new.join("_"),
        new.join(", ")
    );
    connection.execute_unprepared(&create).await?;
    Ok(())
}
