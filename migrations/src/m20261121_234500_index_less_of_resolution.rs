//! What changes: forms that are dirty are indexed in the order of their keys, and no others are;
//! entities are indexed by their canonical entity within their organisation only.
//!
//! Like names follow each other, so that those which are settled together share their blocks. Found
//! in the order of their ids, which are hashes, some hundreds shared blocks with nearly all others.
//! Of the two indexes of canonical entities, each of which every entity writes to when it is stored
//! and when it is placed, every query can use the one that begins with the organisation.

use sea_orm_migration::prelude::*;

/// Replaces the index of dirty forms and drops the other one.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        index_dirty(manager, "(organization_id, form_key) WHERE dirty").await?;
        run(manager, "DROP INDEX ix_entity_canonical_id").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        index_dirty(manager, "(organization_id, dirty)").await?;
        let create = "CREATE INDEX ix_entity_canonical_id ON entity (canonical_id)";
        run(manager, create).await
    }
}

async fn index_dirty(manager: &SchemaManager<'_>, of: &str) -> Result<(), DbErr> {
    run(manager, "DROP INDEX ix_form_dirty").await?;
    let create = format!("CREATE INDEX ix_form_dirty ON resolution_form {of}");
    run(manager, &create).await
}

async fn run(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    connection.execute_unprepared(statement).await?;
    Ok(())
}
