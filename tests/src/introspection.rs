//! What a database says of its own schema, in one form for both kinds.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Statement};

/// The migrations' own table.
const MIGRATION_TABLE: &str = "seaql_migrations";

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// As the database names it.
    pub sql_type: String,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// Whether it is of the primary key.
    pub primary_key: bool,
}

/// Columns by table and name.
pub type Schema = BTreeMap<String, BTreeMap<String, Column>>;

/// The columns of a unique index, in their order, after its table.
pub type UniqueIndexes = BTreeSet<(String, Vec<String>)>;

/// Every table but the migrations' own.
///
/// # Panics
/// When the database does not answer.
pub async fn schema(connection: &DatabaseConnection) -> Schema {
    let sql = match connection.get_database_backend() {
        DbBackend::Sqlite => SQLITE_COLUMNS,
        _ => POSTGRES_COLUMNS,
    };
    let mut tables = Schema::new();
    for row in rows(connection, sql).await {
        let table = text(&row, "table_name");
        if table == MIGRATION_TABLE {
            continue;
        }
        let column = Column {
            sql_type: text(&row, "sql_type"),
            nullable: integer(&row, "nullable") == 1,
            primary_key: integer(&row, "primary_key") == 1,
        };
        tables
            .entry(table)
            .or_default()
            .insert(text(&row, "column_name"), column);
    }
    tables
}

/// Every unique index that is no primary key.
///
/// # Panics
/// When the database does not answer.
pub async fn unique_indexes(connection: &DatabaseConnection) -> UniqueIndexes {
    let sql = match connection.get_database_backend() {
        DbBackend::Sqlite => SQLITE_UNIQUE,
        _ => POSTGRES_UNIQUE,
    };
    let mut columns: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for row in rows(connection, sql).await {
        let index = (text(&row, "table_name"), text(&row, "index_name"));
        columns
            .entry(index)
            .or_default()
            .push(text(&row, "column_name"));
    }
    columns
        .into_iter()
        .map(|((table, _), columns)| (table, columns))
        .collect()
}

/// The differences, one line each: what the first has and the second has not, or otherwise.
#[must_use]
pub fn differences(entities: &Schema, database: &Schema) -> Vec<String> {
    let mut lines = Vec::new();
    let tables: BTreeSet<_> = entities.keys().chain(database.keys()).collect();
    for table in tables {
        match (entities.get(table), database.get(table)) {
            (Some(left), Some(right)) => lines.extend(column_differences(table, left, right)),
            (Some(_), None) => lines.push(format!("table {table} is not in the database")),
            (None, _) => lines.push(format!("table {table} has no entity")),
        }
    }
    lines
}

fn column_differences(
    table: &str,
    entities: &BTreeMap<String, Column>,
    database: &BTreeMap<String, Column>,
) -> Vec<String> {
    let names: BTreeSet<_> = entities.keys().chain(database.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| match (entities.get(name), database.get(name)) {
            (Some(left), Some(right)) if left == right => None,
            (Some(left), Some(right)) => Some(format!(
                "{table}.{name}: the entity says {left:?}, the database {right:?}"
            )),
            (Some(_), None) => Some(format!("{table}.{name} is not in the database")),
            (None, _) => Some(format!("{table}.{name} has no field in its entity")),
        })
        .collect()
}

async fn rows(connection: &DatabaseConnection, sql: &str) -> Vec<QueryResult> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    connection
        .query_all_raw(statement)
        .await
        .expect("the catalogue answers")
}

fn text(row: &QueryResult, column: &str) -> String {
    row.try_get("", column).expect("the column is a text")
}

fn integer(row: &QueryResult, column: &str) -> i32 {
    row.try_get("", column).expect("the column is an integer")
}

const SQLITE_COLUMNS: &str = r#"
SELECT m.name AS table_name, c.name AS column_name, lower(c.type) AS sql_type,
       CASE WHEN c."notnull" = 0 THEN 1 ELSE 0 END AS nullable,
       CASE WHEN c.pk > 0 THEN 1 ELSE 0 END AS primary_key
FROM sqlite_master m, pragma_table_info(m.name) c
WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'
"#;

const POSTGRES_COLUMNS: &str = r"
SELECT c.relname::text AS table_name, a.attname::text AS column_name,
       format_type(a.atttypid, a.atttypmod) AS sql_type,
       (NOT a.attnotnull)::int AS nullable,
       COALESCE(a.attnum = ANY (p.conkey), false)::int AS primary_key
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_constraint p ON p.conrelid = c.oid AND p.contype = 'p'
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
";

const SQLITE_UNIQUE: &str = r#"
SELECT m.name AS table_name, l.name AS index_name, i.name AS column_name
FROM sqlite_master m, pragma_index_list(m.name) l, pragma_index_info(l.name) i
WHERE m.type = 'table' AND l."unique" = 1 AND l.origin <> 'pk'
ORDER BY m.name, l.name, i.seqno
"#;

const POSTGRES_UNIQUE: &str = r"
SELECT t.relname::text AS table_name, x.relname::text AS index_name, a.attname::text AS column_name
FROM pg_index i
JOIN pg_class t ON t.oid = i.indrelid AND t.relnamespace = 'public'::regnamespace
JOIN pg_class x ON x.oid = i.indexrelid
JOIN unnest(i.indkey) WITH ORDINALITY AS k(attnum, position) ON true
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
WHERE i.indisunique AND NOT i.indisprimary
ORDER BY 1, 2, k.position
";
