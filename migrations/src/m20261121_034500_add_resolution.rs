//! What changes: forms, their blocks and what persons decided are kept, so that resolution goes on
//! where it stopped; batches have a workflow of their own.

use sea_orm_migration::{prelude::*, schema::*};

/// Adds and drops `resolution_form`, `resolution_block`, `resolution_decision`, and the columns that
/// lead to them.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const FORM: &str = "resolution_form";
const BLOCK: &str = "resolution_block";
const DECISION: &str = "resolution_decision";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [form(), block(), decision()] {
            manager.create_table(table).await?;
        }
        for (table, column) in columns() {
            let change = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(change).await?;
        }
        for index in INDEXES {
            manager.create_index(created(index)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table, ..) in INDEXES {
            let index = Index::drop().name(*name).table(*table).to_owned();
            manager.drop_index(index).await?;
        }
        for (table, column) in [
            ("entity", "form_id"),
            ("entity", "clustered"),
            ("workflow_execution", "batch_id"),
        ] {
            let change = Table::alter().table(table).drop_column(column).to_owned();
            manager.alter_table(change).await?;
        }
        for table in [DECISION, BLOCK, FORM] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

/// Name, table, columns, whether unique.
type IndexOf = (&'static str, &'static str, &'static [&'static str], bool);

const INDEXES: &[IndexOf] = &[
    ("ix_form_key", FORM, &["organization_id", "form_key"], true),
    ("ix_form_dirty", FORM, &["organization_id", "dirty"], false),
    ("ix_form_cluster", FORM, &["cluster_id"], false),
    (
        "ix_block_key",
        BLOCK,
        &["organization_id", "block_key", "form_id"],
        true,
    ),
    ("ix_block_form", BLOCK, &["form_id"], false),
    (
        "ix_decision_left",
        DECISION,
        &["organization_id", "left_form_id", "right_form_id"],
        true,
    ),
    ("ix_decision_right", DECISION, &["right_form_id"], false),
    ("ix_entity_form", "entity", &["form_id", "clustered"], false),
    (
        "ix_execution_batch",
        "workflow_execution",
        &["batch_id"],
        false,
    ),
];

fn created((name, table, columns, unique): &IndexOf) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(*name).table(*table);
    for column in *columns {
        index.col(*column);
    }
    if *unique {
        index.unique();
    }
    index
}

fn columns() -> [(&'static str, ColumnDef); 3] {
    let mut clustered = boolean("clustered");
    clustered.default(false);
    [
        ("entity", uuid_null("form_id")),
        ("entity", clustered),
        ("workflow_execution", uuid_null("batch_id")),
    ]
}

/// A table whose rows belong to an organisation and go with it.
fn owned_table(name: &'static str) -> TableCreateStatement {
    Table::create()
        .table(name)
        .col(uuid("id").primary_key())
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .col(uuid("organization_id"))
        .foreign_key(&mut reference(name, "organization_id", "organization"))
        .to_owned()
}

fn reference(
    table: &'static str,
    column: &'static str,
    target: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("fk_{table}_{column}"))
        .from(table, column)
        .to(target, "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

fn form() -> TableCreateStatement {
    owned_table(FORM)
        .col(text("form_key"))
        .col(json_binary("types"))
        .col(text("name"))
        .col(json_binary("identity"))
        .col(json_binary("aliases"))
        .col(json_binary("neighbours"))
        .col(json_binary("documents"))
        .col(integer("entity_count"))
        .col(uuid("face_id"))
        .col(boolean("dirty"))
        .col(uuid_null("cluster_id"))
        .col(uuid_null("canonical_id"))
        .col(double_null("link_confidence"))
        .col(text_null("link_reason"))
        .to_owned()
}

fn block() -> TableCreateStatement {
    owned_table(BLOCK)
        .col(big_integer("block_key"))
        .col(uuid("form_id"))
        .foreign_key(&mut reference(BLOCK, "form_id", FORM))
        .to_owned()
}

fn decision() -> TableCreateStatement {
    owned_table(DECISION)
        .col(text("kind"))
        .col(uuid("left_form_id"))
        .col(uuid("right_form_id"))
        .col(text("decided_by"))
        .foreign_key(&mut reference(DECISION, "left_form_id", FORM))
        .foreign_key(&mut reference(DECISION, "right_form_id", FORM))
        .to_owned()
}
