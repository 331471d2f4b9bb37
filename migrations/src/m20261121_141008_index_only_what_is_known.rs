//! What changes: a document's place is indexed by its extraction once it has one.
//!
//! Most places wait, and have none: each had an entry all the same, which was taken out again when
//! its document was complete.

use sea_orm_migration::prelude::*;

const NAME: &str = "ix_batch_document_extraction_id";

/// Narrows and widens the index.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, " WHERE extraction_id IS NOT NULL").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, "").await
    }
}

async fn create(manager: &SchemaManager<'_>, condition: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let drop = format!("DROP INDEX {NAME}");
    connection.execute_unprepared(&drop).await?;
    let create = format!("CREATE INDEX {NAME} ON batch_document (extraction_id){condition}");
    connection.execute_unprepared(&create).await?;
    Ok(())
}
