//! The first schema: everything from organisations to merge history.

use sea_orm_migration::{prelude::*, schema::*};

/// Creates every table of the first release.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in TABLES.iter().rev() {
            manager
                .drop_table(Table::drop().table(*name).to_owned())
                .await?;
        }
        Ok(())
    }
}

/// In the order of creation: a table comes after those that it refers to.
const TABLES: &[&str] = &[
    "organization",
    "server",
    "ontology",
    "batch_execution",
    "document",
    "batch_document",
    "batch_event",
    "workflow_execution",
    "workflow_activity",
    "workflow_signal",
    "extraction",
    "chunk",
    "mention_record",
    "entity",
    "relation",
    "relation_evidence",
    "entity_cluster",
    "cluster_member",
    "same_as_link",
    "merge_history",
];

fn tables() -> Vec<TableCreateStatement> {
    vec![
        organization(),
        server(),
        ontology(),
        batch_execution(),
        document(),
        batch_document(),
        batch_event(),
        workflow_execution(),
        workflow_activity(),
        workflow_signal(),
        extraction(),
        chunk(),
        mention_record(),
        entity(),
        relation(),
        relation_evidence(),
        entity_cluster(),
        cluster_member(),
        same_as_link(),
        merge_history(),
    ]
}

/// A table with the columns that every table has.
fn table(name: &'static str) -> TableCreateStatement {
    Table::create()
        .table(name)
        .col(uuid("id").primary_key())
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned()
}

/// A table whose rows belong to an organisation and go with it.
fn owned_table(name: &'static str) -> TableCreateStatement {
    table(name)
        .col(uuid("organization_id"))
        .foreign_key(&mut foreign_key(
            name,
            "organization_id",
            "organization",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn foreign_key(
    table: &'static str,
    column: &'static str,
    target: &'static str,
    on_delete: ForeignKeyAction,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("fk_{table}_{column}"))
        .from(table, column)
        .to(target, "id")
        .on_delete(on_delete)
        .to_owned()
}

fn index(table: &'static str, columns: &[&'static str], unique: bool) -> IndexCreateStatement {
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
}

fn organization() -> TableCreateStatement {
    table("organization")
        .col(text("name"))
        .col(text("slug"))
        .to_owned()
}

fn server() -> TableCreateStatement {
    table("server")
        .col(text("owner"))
        .col(timestamp_with_time_zone("lease_expires_at"))
        .to_owned()
}

fn ontology() -> TableCreateStatement {
    owned_table("ontology")
        .col(text("name"))
        .col(text("namespace"))
        .col(text("format"))
        .col(text("content_hash"))
        .col(text("content"))
        .col(integer("class_count"))
        .col(integer("property_count"))
        .to_owned()
}

fn batch_execution() -> TableCreateStatement {
    owned_table("batch_execution")
        .col(text("state"))
        .col(json_binary("state_data"))
        .col(uuid_null("ontology_id"))
        .col(text("mode"))
        .col(text_null("idempotency_key"))
        .col(text("request_hash"))
        .col(integer("concurrency"))
        .col(text("failure_policy"))
        .col(integer("max_retries"))
        .col(boolean("enable_entity_resolution"))
        .col(text("extractor"))
        .col(json_binary("config"))
        .col(integer("total_documents"))
        .col(integer("completed_documents"))
        .col(integer("failed_documents"))
        .col(integer("skipped_documents"))
        .col(integer("entity_count"))
        .col(integer("relation_count"))
        .col(big_integer("tokens_used"))
        .col(big_integer("last_sequence"))
        .col(big_integer("progress_units"))
        .col(integer("retry_round"))
        .col(timestamp_with_time_zone_null("next_round_at"))
        .col(text_null("error"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("completed_at"))
        .col(text_null("lease_owner"))
        .col(big_integer("lease_token"))
        .col(big_integer("version"))
        .foreign_key(&mut foreign_key(
            "batch_execution",
            "ontology_id",
            "ontology",
            ForeignKeyAction::NoAction,
        ))
        .to_owned()
}

fn document() -> TableCreateStatement {
    owned_table("document")
        .col(text("name"))
        .col(text_null("source_uri"))
        .col(text("content_hash"))
        .col(text("text"))
        .col(integer("char_count"))
        .col(json_binary("metadata"))
        .to_owned()
}

fn batch_document() -> TableCreateStatement {
    owned_table("batch_document")
        .col(uuid("batch_id"))
        .col(uuid("document_id"))
        .col(integer("position"))
        .col(text("name"))
        .col(text_null("source_uri"))
        .col(text("status"))
        .col(text_null("stage"))
        .col(integer("stage_current"))
        .col(integer("stage_total"))
        .col(integer("progress_units"))
        .col(integer("attempt"))
        .col(integer("retry_round"))
        .col(text_null("error"))
        .col(text_null("error_kind"))
        .col(uuid_null("execution_id"))
        .col(uuid_null("extraction_id"))
        .col(integer("entity_count"))
        .col(integer("relation_count"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("completed_at"))
        .col(big_integer("version"))
        .foreign_key(&mut foreign_key(
            "batch_document",
            "batch_id",
            "batch_execution",
            ForeignKeyAction::Cascade,
        ))
        .foreign_key(&mut foreign_key(
            "batch_document",
            "document_id",
            "document",
            ForeignKeyAction::NoAction,
        ))
        .to_owned()
}

fn batch_event() -> TableCreateStatement {
    owned_table("batch_event")
        .col(uuid("batch_id"))
        .col(big_integer("sequence"))
        .col(text("kind"))
        .col(uuid_null("batch_document_id"))
        .col(json_binary("payload"))
        .col(timestamp_with_time_zone("timestamp"))
        .foreign_key(&mut foreign_key(
            "batch_event",
            "batch_id",
            "batch_execution",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn workflow_execution() -> TableCreateStatement {
    owned_table("workflow_execution")
        .col(text("workflow_type"))
        .col(integer("workflow_version"))
        .col(uuid_null("batch_document_id"))
        .col(text("status"))
        .col(text("mode"))
        .col(text_null("current_activity"))
        .col(json_binary("input"))
        .col(json_binary_null("output"))
        .col(text_null("error"))
        .col(json_binary_null("checkpoint"))
        .col(text("retry_owner"))
        .col(integer("retry_count"))
        .col(text_null("lease_owner"))
        .col(big_integer("lease_token"))
        .col(timestamp_with_time_zone_null("lease_expires_at"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("completed_at"))
        .col(big_integer("version"))
        .foreign_key(&mut foreign_key(
            "workflow_execution",
            "batch_document_id",
            "batch_document",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn workflow_activity() -> TableCreateStatement {
    owned_table("workflow_activity")
        .col(uuid("execution_id"))
        .col(text("activity_name"))
        .col(text("activity_type"))
        .col(text("input_hash"))
        .col(text("status"))
        .col(integer("attempt"))
        .col(integer("failure_count"))
        .col(blob_null("input"))
        .col(blob_null("output"))
        .col(text_null("error"))
        .col(text_null("error_kind"))
        .col(timestamp_with_time_zone_null("next_attempt_at"))
        .col(integer_null("duration_ms"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("completed_at"))
        .foreign_key(&mut foreign_key(
            "workflow_activity",
            "execution_id",
            "workflow_execution",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn workflow_signal() -> TableCreateStatement {
    owned_table("workflow_signal")
        .col(uuid("execution_id"))
        .col(text("signal_name"))
        .col(json_binary("payload"))
        .col(timestamp_with_time_zone_null("delivered_at"))
        .col(boolean("acknowledged"))
        .foreign_key(&mut foreign_key(
            "workflow_signal",
            "execution_id",
            "workflow_execution",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn extraction() -> TableCreateStatement {
    owned_table("extraction")
        .col(uuid("document_id"))
        .col(uuid_null("execution_id"))
        .col(uuid_null("ontology_id"))
        .col(text("fingerprint"))
        .col(text("extractor"))
        .col(text_null("model"))
        .col(text_null("prompt_version"))
        .col(text("status"))
        .col(integer("chunk_count"))
        .col(integer("mention_count"))
        .col(integer("entity_count"))
        .col(integer("relation_count"))
        .col(big_integer("total_tokens"))
        .col(timestamp_with_time_zone_null("completed_at"))
        .foreign_key(&mut foreign_key(
            "extraction",
            "document_id",
            "document",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn chunk() -> TableCreateStatement {
    owned_table("chunk")
        .col(uuid("extraction_id"))
        .col(uuid("document_id"))
        .col(integer("position"))
        .col(integer("start_char"))
        .col(integer("end_char"))
        .foreign_key(&mut foreign_key(
            "chunk",
            "extraction_id",
            "extraction",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn mention_record() -> TableCreateStatement {
    owned_table("mention_record")
        .col(uuid("extraction_id"))
        .col(uuid("document_id"))
        .col(uuid("chunk_id"))
        .col(uuid_null("entity_id"))
        .col(text("text"))
        .col(integer("start_char"))
        .col(integer("end_char"))
        .col(text("mention_type"))
        .col(double("confidence"))
        .col(text_null("response_hash"))
        .col(uuid_null("resolved_entity_id"))
        .foreign_key(&mut foreign_key(
            "mention_record",
            "extraction_id",
            "extraction",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn entity() -> TableCreateStatement {
    owned_table("entity")
        .col(uuid("extraction_id"))
        .col(uuid("document_id"))
        .col(integer("position"))
        .col(text("name"))
        .col(json_binary("types"))
        .col(json_binary("aliases"))
        .col(json_binary("attributes"))
        .col(double("confidence"))
        .col(integer("mention_count"))
        .col(text("search_key"))
        .col(text("type_key"))
        .col(uuid("canonical_id"))
        .foreign_key(&mut foreign_key(
            "entity",
            "extraction_id",
            "extraction",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn relation() -> TableCreateStatement {
    owned_table("relation")
        .col(uuid("extraction_id"))
        .col(integer("position"))
        .col(uuid("subject_id"))
        .col(text("predicate"))
        .col(uuid_null("object_id"))
        .col(text_null("literal_value"))
        .col(text_null("literal_type"))
        .col(double("confidence"))
        .foreign_key(&mut foreign_key(
            "relation",
            "extraction_id",
            "extraction",
            ForeignKeyAction::Cascade,
        ))
        .foreign_key(&mut foreign_key(
            "relation",
            "subject_id",
            "entity",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn relation_evidence() -> TableCreateStatement {
    owned_table("relation_evidence")
        .col(uuid("relation_id"))
        .col(uuid("document_id"))
        .col(integer("start_char"))
        .col(integer("end_char"))
        .col(text("text"))
        .col(double("confidence"))
        .foreign_key(&mut foreign_key(
            "relation_evidence",
            "relation_id",
            "relation",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn entity_cluster() -> TableCreateStatement {
    owned_table("entity_cluster")
        .col(text("cluster_key"))
        .col(uuid("canonical_entity_id"))
        .col(integer("member_count"))
        .col(double("cohesion"))
        .col(json_binary("shared_types"))
        .col(big_integer("version"))
        .foreign_key(&mut foreign_key(
            "entity_cluster",
            "canonical_entity_id",
            "entity",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn cluster_member() -> TableCreateStatement {
    owned_table("cluster_member")
        .col(uuid("cluster_id"))
        .col(uuid("entity_id"))
        .foreign_key(&mut foreign_key(
            "cluster_member",
            "cluster_id",
            "entity_cluster",
            ForeignKeyAction::Cascade,
        ))
        .foreign_key(&mut foreign_key(
            "cluster_member",
            "entity_id",
            "entity",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn same_as_link() -> TableCreateStatement {
    owned_table("same_as_link")
        .col(uuid("canonical_id"))
        .col(uuid("member_id"))
        .col(double("confidence"))
        .col(text("reason"))
        .foreign_key(&mut foreign_key(
            "same_as_link",
            "canonical_id",
            "entity",
            ForeignKeyAction::Cascade,
        ))
        .foreign_key(&mut foreign_key(
            "same_as_link",
            "member_id",
            "entity",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn merge_history() -> TableCreateStatement {
    owned_table("merge_history")
        .col(uuid("source_entity_id"))
        .col(uuid("target_entity_id"))
        .col(text("reason"))
        .col(double("confidence"))
        .col(text("merged_by"))
        .col(timestamp_with_time_zone("merged_at"))
        .foreign_key(&mut foreign_key(
            "merge_history",
            "source_entity_id",
            "entity",
            ForeignKeyAction::Cascade,
        ))
        .foreign_key(&mut foreign_key(
            "merge_history",
            "target_entity_id",
            "entity",
            ForeignKeyAction::Cascade,
        ))
        .to_owned()
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        index("organization", &["slug"], true),
        index("server", &["owner"], true),
        index("ontology", &["organization_id", "content_hash"], true),
        index(
            "batch_execution",
            &["organization_id", "idempotency_key"],
            true,
        ),
        index("batch_execution", &["organization_id", "state"], false),
        index("batch_execution", &["state"], false),
        index("document", &["organization_id", "content_hash"], true),
        index("batch_document", &["batch_id", "position"], true),
        index(
            "batch_document",
            &["organization_id", "batch_id", "status", "position"],
            false,
        ),
        index("batch_document", &["document_id"], false),
        index("batch_document", &["extraction_id"], false),
        index("batch_event", &["batch_id", "sequence"], true),
        index("batch_event", &["batch_document_id", "sequence"], false),
        index("workflow_execution", &["organization_id", "status"], false),
        index("workflow_execution", &["batch_document_id"], false),
        index(
            "workflow_activity",
            &["execution_id", "activity_name", "input_hash"],
            true,
        ),
        index("workflow_signal", &["execution_id", "acknowledged"], false),
        index("extraction", &["document_id", "fingerprint"], true),
        index("extraction", &["organization_id"], false),
        index("chunk", &["extraction_id", "position"], true),
        index(
            "mention_record",
            &["extraction_id", "start_char", "end_char"],
            true,
        ),
        index("mention_record", &["entity_id"], false),
        index("entity", &["extraction_id", "position"], true),
        index("entity", &["organization_id", "canonical_id"], false),
        index("entity", &["canonical_id"], false),
        index("relation", &["extraction_id", "position"], true),
        index("relation", &["organization_id", "predicate"], false),
        index("relation", &["subject_id"], false),
        index("relation", &["object_id"], false),
        index(
            "relation_evidence",
            &["relation_id", "start_char", "end_char"],
            true,
        ),
        index("entity_cluster", &["organization_id", "cluster_key"], true),
        index("cluster_member", &["entity_id"], true),
        index("cluster_member", &["cluster_id"], false),
        index("same_as_link", &["canonical_id", "member_id"], true),
        index("same_as_link", &["member_id"], false),
        index(
            "merge_history",
            &["organization_id", "source_entity_id"],
            false,
        ),
        index("merge_history", &["target_entity_id"], false),
    ]
}
