//! What changes: in the mode `shadow`, whether another engine comes to the same is kept.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds and drops `parity_check`.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const CHECK: &str = "parity_check";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(check()).await?;
        let of_execution = Index::create()
            .name("ix_parity_check_execution_id")
            .table(CHECK)
            .col("execution_id")
            .unique()
            .to_owned();
        manager.create_index(of_execution).await?;
        let of_batch = Index::create()
            .name("ix_parity_check_organization_id_batch_id_status")
            .table(CHECK)
            .col("organization_id")
            .col("batch_id")
            .col("status")
            .to_owned();
        manager.create_index(of_batch).await?;
        // What waits and what is under way is little, and is looked for all the time.
        for waiting in [
            "CREATE INDEX ix_parity_check_created_at ON parity_check (created_at) \
             WHERE status = 'pending' AND submitted_at IS NULL",
            "CREATE INDEX ix_parity_check_submitted_at ON parity_check (submitted_at) \
             WHERE status = 'pending' AND submitted_at IS NOT NULL",
        ] {
            let connection = manager.get_connection();
            connection.execute_unprepared(waiting).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table(CHECK).to_owned())
            .await
    }
}

fn check() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(CHECK)
        .col(uuid("id").primary_key())
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .col(uuid("organization_id"))
        .col(uuid("batch_id"))
        .col(uuid("batch_document_id"))
        .col(uuid("execution_id"))
        .col(big_integer("lease_token"))
        .col(text("status"))
        .col(json_binary_null("differences"))
        .col(text_null("reason"))
        .col(text_null("release"))
        .col(integer("attempts"))
        .col(timestamp_with_time_zone_null("submitted_at"))
        .col(timestamp_with_time_zone_null("compared_at"));
    for (column, target) in [
        ("organization_id", "organization"),
        ("batch_id", "batch_execution"),
        ("batch_document_id", "batch_document"),
        ("execution_id", "workflow_execution"),
    ] {
        let mut key = ForeignKey::create()
            .name(format!("fk_parity_check_{column}"))
            .from(CHECK, column)
            .to(target, "id")
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned();
        table.foreign_key(&mut key);
    }
    table
}
