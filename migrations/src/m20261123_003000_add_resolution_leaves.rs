//! What changes: vectors of what forms mean lie in trees, whose leaves are kept.
//!
//! Resolution puts the vectors that there are into them before it next compares meanings.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

/// Adds and drops `resolution_leaf`.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const LEAF: &str = "resolution_leaf";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(leaf()).await?;
        let place = Index::create()
            .name("ux_leaf_place")
            .table(LEAF)
            .col("organization_id")
            .col("model")
            .col("tree")
            .col("start")
            .unique()
            .to_owned();
        manager.create_index(place).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            // Every form that comes into a leaf writes it anew.
            let connection = manager.get_connection();
            let roomy = format!("ALTER TABLE {LEAF} SET (fillfactor = 50)");
            connection.execute_unprepared(&roomy).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table(LEAF).to_owned())
            .await
    }
}

fn leaf() -> TableCreateStatement {
    Table::create()
        .table(LEAF)
        .col(uuid("id").primary_key())
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .col(uuid("organization_id"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_resolution_leaf_organization_id")
                .from(LEAF, "organization_id")
                .to("organization", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .col(text("model"))
        .col(integer("tree"))
        .col(big_integer("start"))
        .col(integer("depth"))
        .col(blob("members"))
        .to_owned()
}
