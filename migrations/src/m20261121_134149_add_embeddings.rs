//! What changes: vectors of what forms mean, and what resolution pays for them.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds and drops `embedding`, what an organisation and a batch know of embeddings.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const EMBEDDING: &str = "embedding";
const ORGANIZATION: &str = "organization";
const BATCH: &str = "batch_execution";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(embedding()).await?;
        let owner = Index::create()
            .name("ux_embedding_owner")
            .table(EMBEDDING)
            .col("organization_id")
            .col("owner_type")
            .col("owner_id")
            .col("model")
            .unique()
            .to_owned();
        manager.create_index(owner).await?;
        for (table, column) in columns() {
            let change = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(change).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [
            (BATCH, "resolution_tokens"),
            (ORGANIZATION, "embedding_gaps"),
            (ORGANIZATION, "embedding_model"),
        ] {
            let change = Table::alter().table(table).drop_column(column).to_owned();
            manager.alter_table(change).await?;
        }
        manager
            .drop_table(Table::drop().table(EMBEDDING).to_owned())
            .await
    }
}

/// One statement a column: SQLite adds no more.
fn columns() -> [(&'static str, ColumnDef); 3] {
    [
        (ORGANIZATION, text_null("embedding_model")),
        (
            ORGANIZATION,
            boolean("embedding_gaps").default(false).to_owned(),
        ),
        (
            BATCH,
            big_integer("resolution_tokens").default(0).to_owned(),
        ),
    ]
}

fn embedding() -> TableCreateStatement {
    Table::create()
        .table(EMBEDDING)
        .col(uuid("id").primary_key())
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .col(uuid("organization_id"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_embedding_organization_id")
                .from(EMBEDDING, "organization_id")
                .to(ORGANIZATION, "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .col(text("owner_type"))
        .col(uuid("owner_id"))
        .col(text("model"))
        .col(integer("dimensions"))
        .col(blob("vector"))
        .col(text("content_hash"))
        .to_owned()
}
