//! What changes: activities say when their payloads were removed.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds and drops `workflow_activity.pruned_at`.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::alter()
            .table("workflow_activity")
            .add_column(timestamp_with_time_zone_null("pruned_at"))
            .to_owned();
        manager.alter_table(change).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::alter()
            .table("workflow_activity")
            .drop_column("pruned_at")
            .to_owned();
        manager.alter_table(change).await
    }
}
