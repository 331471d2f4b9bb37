//! What changes: executions say what they wait for, and their owners can be looked up.

use sea_orm_migration::{prelude::*, schema::*};

const TABLE: &str = "workflow_execution";
const COLUMNS: [&str; 3] = ["suspend_reason", "resume_at", "requested"];
const OWNERS: &str = "ix_workflow_execution_lease_owner";

/// Adds and drops the columns of suspended executions and the index of owners.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            text_null("suspend_reason"),
            timestamp_with_time_zone_null("resume_at"),
            text_null("requested"),
        ];
        for column in columns {
            let change = Table::alter().table(TABLE).add_column(column).to_owned();
            manager.alter_table(change).await?;
        }
        let index = Index::create()
            .name(OWNERS)
            .table(TABLE)
            .col("lease_owner")
            .to_owned();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::drop().name(OWNERS).table(TABLE).to_owned();
        manager.drop_index(index).await?;
        for column in COLUMNS {
            let change = Table::alter().table(TABLE).drop_column(column).to_owned();
            manager.alter_table(change).await?;
        }
        Ok(())
    }
}
