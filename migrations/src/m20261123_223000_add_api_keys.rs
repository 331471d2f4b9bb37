//! What changes: callers can be asked for a key, which carries an organisation and a role.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds and drops `api_key`.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const KEY: &str = "api_key";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(key()).await?;
        let by_secret = Index::create()
            .name("ix_api_key_secret_hash")
            .table(KEY)
            .col("secret_hash")
            .unique()
            .to_owned();
        manager.create_index(by_secret).await?;
        let of_organization = Index::create()
            .name("ix_api_key_organization_id_id")
            .table(KEY)
            .col("organization_id")
            .col("id")
            .to_owned();
        manager.create_index(of_organization).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table(KEY).to_owned())
            .await
    }
}

fn key() -> TableCreateStatement {
    let organization = ForeignKey::create()
        .name("fk_api_key_organization_id")
        .from(KEY, "organization_id")
        .to("organization", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned();
    Table::create()
        .table(KEY)
        .col(uuid("id").primary_key())
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .col(uuid("organization_id"))
        .foreign_key(&mut organization.clone())
        .col(text("name"))
        .col(text("role"))
        .col(text("secret_hash"))
        .col(text("hint"))
        .col(timestamp_with_time_zone_null("expires_at"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .to_owned()
}
