//! What changes: calls of models are recorded, with what they cost and what answered them.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds and drops `llm_call`, `token_account`, `circuit_breaker` and `batch_document.tokens_used`.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const CALLS: &str = "llm_call";
const ACCOUNTS: &str = "token_account";
const BREAKERS: &str = "circuit_breaker";
const DOCUMENTS: &str = "batch_document";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [calls(), accounts(), breakers()] {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        let tokens = Table::alter()
            .table(DOCUMENTS)
            .add_column(big_integer("tokens_used").default(0))
            .to_owned();
        manager.alter_table(tokens).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tokens = Table::alter()
            .table(DOCUMENTS)
            .drop_column("tokens_used")
            .to_owned();
        manager.alter_table(tokens).await?;
        for name in [BREAKERS, ACCOUNTS, CALLS] {
            manager
                .drop_table(Table::drop().table(name).to_owned())
                .await?;
        }
        Ok(())
    }
}

fn table(name: &'static str) -> TableCreateStatement {
    Table::create()
        .table(name)
        .col(uuid("id").primary_key())
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned()
}

fn owned_table(name: &'static str) -> TableCreateStatement {
    let mut organization = ForeignKey::create()
        .name(format!("fk_{name}_organization_id"))
        .from(name, "organization_id")
        .to("organization", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned();
    table(name)
        .col(uuid("organization_id"))
        .foreign_key(&mut organization)
        .to_owned()
}

fn calls() -> TableCreateStatement {
    owned_table(CALLS)
        .col(text("key"))
        .col(text("kind"))
        .col(text("provider"))
        .col(text("model"))
        .col(text("prompt_version"))
        .col(text("status"))
        .col(text("owner"))
        .col(integer("attempts"))
        .col(integer("unknown_outcomes"))
        .col(big_integer("reserved_tokens"))
        .col(text_null("response"))
        .col(boolean("truncated"))
        .col(text_null("error"))
        .col(big_integer("prompt_tokens"))
        .col(big_integer("completion_tokens"))
        .col(big_integer("cost_micro_usd"))
        .col(uuid_null("batch_id"))
        .col(uuid_null("execution_id"))
        .col(text_null("unit"))
        .col(timestamp_with_time_zone_null("completed_at"))
        .to_owned()
}

fn accounts() -> TableCreateStatement {
    owned_table(ACCOUNTS)
        .col(uuid("batch_id"))
        .col(big_integer_null("budget"))
        .col(big_integer("used"))
        .col(big_integer("cost_micro_usd"))
        .to_owned()
}

fn breakers() -> TableCreateStatement {
    table(BREAKERS)
        .col(text("provider"))
        .col(text("model"))
        .col(text("state"))
        .col(json_binary("state_data"))
        .to_owned()
}

fn indexes() -> Vec<IndexCreateStatement> {
    let index = |table: &'static str, columns: &[&'static str], unique: bool| {
        let mut index = Index::create();
        index
            .name(format!("ix_{table}_{}", columns.join("_")))
            .table(table);
        for column in columns {
            index.col(*column);
        }
        if unique {
            index.unique();
        }
        index
    };
    vec![
        index(CALLS, &["organization_id", "key"], true),
        index(CALLS, &["batch_id", "status"], false),
        index(ACCOUNTS, &["batch_id"], true),
        index(BREAKERS, &["provider", "model"], true),
    ]
}
