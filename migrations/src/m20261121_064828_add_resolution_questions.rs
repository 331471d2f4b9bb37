//! What changes: pairs that a person may decide about are kept, and merges know their batch.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds and drops `resolution_question` and `merge_history.batch_id`.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const QUESTION: &str = "resolution_question";
const HISTORY: &str = "merge_history";

/// Name, table, columns, whether unique.
type IndexOf = (&'static str, &'static str, &'static [&'static str], bool);

const INDEXES: &[IndexOf] = &[
    (
        "ix_question_left",
        QUESTION,
        &["organization_id", "left_form_id", "right_form_id"],
        true,
    ),
    ("ix_question_right", QUESTION, &["right_form_id"], false),
    (
        "ix_question_page",
        QUESTION,
        &["organization_id", "id"],
        false,
    ),
    ("ix_merge_batch", HISTORY, &["batch_id"], false),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(question()).await?;
        let change = Table::alter()
            .table(HISTORY)
            .add_column(uuid_null("batch_id"))
            .to_owned();
        manager.alter_table(change).await?;
        for (name, table, columns, unique) in INDEXES {
            let mut index = Index::create();
            index.name(*name).table(*table);
            for column in *columns {
                index.col(*column);
            }
            if *unique {
                index.unique();
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table, ..) in INDEXES {
            let index = Index::drop().name(*name).table(*table).to_owned();
            manager.drop_index(index).await?;
        }
        let change = Table::alter()
            .table(HISTORY)
            .drop_column("batch_id")
            .to_owned();
        manager.alter_table(change).await?;
        manager
            .drop_table(Table::drop().table(QUESTION).to_owned())
            .await
    }
}

fn question() -> TableCreateStatement {
    Table::create()
        .table(QUESTION)
        .col(uuid("id").primary_key())
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .col(uuid("organization_id"))
        .foreign_key(&mut reference("organization_id", "organization"))
        .col(uuid("left_form_id"))
        .foreign_key(&mut reference("left_form_id", "resolution_form"))
        .col(uuid("right_form_id"))
        .foreign_key(&mut reference("right_form_id", "resolution_form"))
        .col(text("doubt"))
        .col(text("reason"))
        .col(double("confidence"))
        .to_owned()
}

fn reference(column: &'static str, target: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("fk_{QUESTION}_{column}"))
        .from(QUESTION, column)
        .to(target, "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}
