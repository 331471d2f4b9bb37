//! Migrations and entities agree, on both kinds of database.

use std::{
    collections::BTreeSet,
    fs,
    future::{Ready, ready},
};

use knowledge_migrations::{Migrator, MigratorTrait};
use knowledge_tests::{
    each_database,
    introspection::{Schema, differences, schema, unique_indexes},
    workspace,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ColumnType, ConnectionTrait, DatabaseConnection, DbErr,
    EntityTrait, IntoActiveModel, Iterable, PaginatorTrait, Value,
    prelude::{ChronoDateTimeUtc, Json, Uuid},
};

/// Calls a generic function with every entity; a table comes after those that it refers to.
macro_rules! with_entities {
    ($function:ident($($argument:expr),*)) => {{
        let mut all = Vec::new();
        with_entities!(@each all, $function($($argument),*),
            organization, ontology, batch_execution, document, batch_document, batch_event,
            server, workflow_execution, workflow_activity, workflow_signal, extraction, chunk,
            mention_record, entity, relation, relation_evidence, entity_cluster, cluster_member,
            same_as_link, merge_history, resolution_form, resolution_block, resolution_decision,
            resolution_question, resolution_leaf, embedding,
            llm_call, token_account, circuit_breaker, api_key,
            parity_check);
        all
    }};
    (@each $all:ident, $function:ident $arguments:tt, $($table:ident),*) => {
        $($all.push(with_entities!(@call $function, knowledge_tables::$table::Entity, $arguments));)*
    };
    (@call $function:ident, $entity:ty, ($($argument:expr),*)) => {
        $function::<$entity>($($argument),*).await
    };
}

each_database! {
    async fn migrations_go_up_and_down_and_up(db: TestDatabase) -> Result<(), DbErr> {
        let connection = db.connect().await;
        Migrator::up(&connection, None).await?;
        let first = schema(&connection).await;
        assert!(!first.is_empty());

        Migrator::down(&connection, None).await?;
        assert_eq!(schema(&connection).await, Schema::new());

        Migrator::up(&connection, None).await?;
        assert_eq!(schema(&connection).await, first);
        Ok(())
    }

    async fn entities_and_migrations_agree(db: TestDatabase) -> Result<(), DbErr> {
        let migrated = db.connect().await;
        Migrator::up(&migrated, None).await?;

        let described = schema_of_entities(&db.another().connect().await).await;
        assert_eq!(
            differences(&described, &schema(&migrated).await),
            Vec::<String>::new()
        );
        Ok(())
    }

    async fn drift_is_seen(db: TestDatabase) -> Result<(), DbErr> {
        let migrated = db.connect().await;
        Migrator::up(&migrated, None).await?;
        for drift in [
            "ALTER TABLE chunk ADD COLUMN colour text",
            "ALTER TABLE document RENAME COLUMN char_count TO length",
            "ALTER TABLE ontology DROP COLUMN class_count",
            "ALTER TABLE ontology ADD COLUMN class_count text NOT NULL DEFAULT ''",
            "ALTER TABLE batch_execution DROP COLUMN mode",
            "ALTER TABLE batch_execution ADD COLUMN mode text",
            "DROP TABLE workflow_signal",
            "CREATE TABLE stranger (id integer PRIMARY KEY)",
        ] {
            migrated.execute_unprepared(drift).await?;
        }

        let described = schema_of_entities(&db.another().connect().await).await;
        let seen = differences(&described, &schema(&migrated).await);
        let starts: Vec<_> = seen.iter().map(|line| line.split(':').next().unwrap_or(line)).collect();
        assert_eq!(
            starts,
            [
                "batch_execution.mode",
                "chunk.colour has no field in its entity",
                "document.char_count is not in the database",
                "document.length has no field in its entity",
                "ontology.class_count",
                "table stranger has no entity",
                "table workflow_signal is not in the database",
            ]
        );
        Ok(())
    }

    async fn what_is_unique_is_kept_unique(db: TestDatabase) -> Result<(), DbErr> {
        let connection = db.connect().await;
        Migrator::up(&connection, None).await?;
        let indexes = unique_indexes(&connection).await;
        for (table, columns) in UNIQUE {
            let columns: Vec<_> = columns.iter().map(|column| (*column).to_owned()).collect();
            let index = ((*table).to_owned(), columns);
            assert!(indexes.contains(&index), "{index:?} is missing from {indexes:#?}");
        }
        Ok(())
    }

    async fn an_organisation_takes_its_rows_with_it(db: TestDatabase) -> Result<(), DbErr> {
        let connection = db.connect().await;
        Migrator::up(&connection, None).await?;
        if db.backend() == knowledge_tests::Backend::Sqlite {
            connection.execute_unprepared("PRAGMA foreign_keys = ON").await?;
        }
        for inserted in with_entities!(insert_sample(&connection)) {
            inserted?;
        }
        let before = with_entities!(count_rows(&connection));
        assert!(before.iter().all(|(_, rows)| *rows == 1), "{before:?}");

        connection.execute_unprepared("DELETE FROM organization").await?;
        let after = with_entities!(count_rows(&connection));
        // A process and a provider serve every organisation and belong to none.
        let owned = after.iter().filter(|(table, _)| !["server", "circuit_breaker"].contains(&table.as_str()));
        assert!(owned.clone().count() > 0);
        assert!(owned.clone().all(|(_, rows)| *rows == 0), "{after:?}");
        Ok(())
    }
}

/// The unique indexes that the data model promises.
const UNIQUE: &[(&str, &[&str])] = &[
    ("organization", &["slug"]),
    ("ontology", &["organization_id", "content_hash"]),
    ("batch_execution", &["organization_id", "idempotency_key"]),
    ("document", &["organization_id", "content_hash"]),
    ("batch_document", &["batch_id", "position"]),
    ("batch_event", &["batch_id", "sequence"]),
    (
        "workflow_activity",
        &["execution_id", "activity_name", "input_hash"],
    ),
    ("cluster_member", &["entity_id"]),
    ("same_as_link", &["canonical_id", "member_id"]),
    ("resolution_form", &["organization_id", "form_key"]),
    (
        "resolution_block",
        &["organization_id", "block_key", "form_id"],
    ),
    (
        "resolution_question",
        &["organization_id", "left_form_id", "right_form_id"],
    ),
    (
        "resolution_leaf",
        &["organization_id", "model", "tree", "start"],
    ),
    ("llm_call", &["organization_id", "key"]),
    (
        "embedding",
        &["organization_id", "owner_type", "owner_id", "model"],
    ),
    ("token_account", &["batch_id"]),
    ("api_key", &["secret_hash"]),
    ("parity_check", &["execution_id"]),
    ("circuit_breaker", &["provider", "model"]),
];

/// A table without an entity, or an entity that no test looks at, would drift unseen.
#[tokio::test]
async fn every_file_of_the_tables_crate_is_compared() {
    let folder = workspace().join("crates/knowledge-tables/src");
    let files: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name != "lib")
        .collect();
    let compared: BTreeSet<String> = with_entities!(table_name()).into_iter().collect();
    assert_eq!(compared, files);
}

fn table_name<E: EntityTrait>() -> Ready<String> {
    ready(E::default().table_name().to_owned())
}

/// Creates the tables that the entities describe in an empty database and reads them back, so that
/// both sides of the comparison are in the database's own words.
async fn schema_of_entities(connection: &DatabaseConnection) -> Schema {
    for created in with_entities!(create_table(connection)) {
        created.expect("an entity describes a table that can be created");
    }
    schema(connection).await
}

async fn create_table<E: EntityTrait>(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let backend = connection.get_database_backend();
    let statement = sea_orm::Schema::new(backend).create_table_from_entity(E::default());
    connection.execute(&statement).await?;
    Ok(())
}

/// One row with every column set; all ids are the same, so every reference finds its row.
async fn insert_sample<E: EntityTrait>(connection: &DatabaseConnection) -> Result<(), DbErr>
where
    E::Model: IntoActiveModel<E::ActiveModel>,
{
    let mut row = <E::ActiveModel as ActiveModelTrait>::default();
    for column in E::Column::iter() {
        row.set(column, sample(column.def().get_column_type()));
    }
    E::insert(row).exec_without_returning(connection).await?;
    Ok(())
}

fn sample(column_type: &ColumnType) -> Value {
    match column_type {
        ColumnType::Uuid => Uuid::from_u128(7).into(),
        ColumnType::Text | ColumnType::String(_) => "sample".into(),
        ColumnType::Integer => 1_i32.into(),
        ColumnType::BigInteger => 1_i64.into(),
        ColumnType::Double => 0.5_f64.into(),
        ColumnType::Boolean => true.into(),
        ColumnType::JsonBinary | ColumnType::Json => Json::Null.into(),
        ColumnType::TimestampWithTimeZone => ChronoDateTimeUtc::UNIX_EPOCH.into(),
        ColumnType::Blob | ColumnType::VarBinary(_) => vec![1_u8].into(),
        other => panic!("no sample of {other:?} is known"),
    }
}

async fn count_rows<E: EntityTrait>(connection: &DatabaseConnection) -> (String, u64)
where
    E::Model: Sync,
{
    let rows = E::find()
        .count(connection)
        .await
        .expect("rows can be counted");
    (table_name::<E>().await, rows)
}
