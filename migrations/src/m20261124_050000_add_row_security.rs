//! What changes: on PostgreSQL, whoever reads for an organisation sees no row of another, whatever it
//! asks for.
//!
//! Reads are made in the role of the database's reader, which sees the rows of the organisation that
//! its session names, and none without one. Every other role sees what it saw before.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

/// Adds and drops the policies.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The policy's name, the same in each table.
const POLICY: &str = "of_organization";

const TABLES: [&str; 28] = [
    "ontology",
    "batch_execution",
    "document",
    "batch_document",
    "batch_event",
    "workflow_execution",
    "workflow_activity",
    "workflow_signal",
    "extraction",
    "chunk",
    "mention_record",
    "entity",
    "relation",
    "relation_evidence",
    "entity_cluster",
    "cluster_member",
    "same_as_link",
    "merge_history",
    "resolution_form",
    "resolution_block",
    "resolution_decision",
    "resolution_question",
    "resolution_leaf",
    "embedding",
    "llm_call",
    "token_account",
    "api_key",
    "parity_check",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in tables() {
            // Each is asked for once in a statement, not for every row.
            let session =
                "SELECT NULLIF(current_setting('knowledge.organization', true), '')::uuid";
            let reader = "SELECT current_user::text <> left(current_database(), 56) || '_reader'";
            let policy = format!(
                "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
                 CREATE POLICY {POLICY} ON {table} USING ({column} = ({session}) OR ({reader}))"
            );
            on_postgres(manager, &policy).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, _) in tables() {
            let dropped = format!(
                "DROP POLICY {POLICY} ON {table};
                 ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"
            );
            on_postgres(manager, &dropped).await?;
        }
        Ok(())
    }
}

/// The tables with rows of organisations, and the column that says of which.
fn tables() -> impl Iterator<Item = (&'static str, &'static str)> {
    let owned = TABLES.into_iter().map(|table| (table, "organization_id"));
    owned.chain([("organization", "id")])
}

/// SQLite has one user, who is the process.
async fn on_postgres(manager: &SchemaManager<'_>, statements: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let connection = manager.get_connection();
    connection.execute_unprepared(statements).await.map(drop)
}
