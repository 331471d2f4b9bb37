//! One corruption for every invariant, and what it violates.

use knowledge_domain::ids::OrganizationId;
use knowledge_tests::{Backend, TestDatabase, introspection::schema};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, prelude::Uuid,
};

/// Statements that damage a database.
#[derive(Debug)]
pub(crate) struct Corruption {
    /// Codes of what they violate, the one that they are about first.
    pub(crate) violates: Vec<&'static str>,
    /// The statements, with the words of [`words`].
    sql: String,
}

/// Every corruption of the file: blocks of `--! CODE …` lines, each with statements.
pub(crate) fn corruptions() -> Vec<Corruption> {
    let blocks = include_str!("corruptions.sql").split("\n\n");
    blocks.filter_map(parsed).collect()
}

fn parsed(block: &'static str) -> Option<Corruption> {
    let codes = block.lines().filter_map(|line| line.strip_prefix("--! "));
    let violates: Vec<_> = codes.flat_map(str::split_whitespace).collect();
    let statements = block.lines().filter(|line| !line.starts_with("--"));
    let sql = statements.collect::<Vec<_>>().join("\n");
    (!violates.is_empty()).then_some(Corruption { violates, sql })
}

/// A database that is damaged again and again, each time from where it was.
pub(crate) struct Victim {
    connection: DatabaseConnection,
    tables: Vec<String>,
}

/// No uniqueness is enforced, and there is an organisation that owns nothing.
const LAX: &str = "
DROP INDEX ix_batch_event_batch_id_sequence;
DROP INDEX ix_workflow_activity_execution_id_activity_name_input_hash;
INSERT INTO organization (id, name, slug, created_at, updated_at)
SELECT {other}, 'Other', 'other', created_at, updated_at FROM organization;
";

impl Victim {
    /// Keeps what the tables hold, and takes from the database what would refuse damage.
    pub(crate) async fn new(db: &TestDatabase) -> Self {
        let mut options = ConnectOptions::new(db.url());
        options.max_connections(1);
        let connection = Database::connect(options).await.expect("it answers");
        let tables: Vec<String> = schema(&connection).await.into_keys().collect();
        let no_references = match db.backend() {
            Backend::Sqlite => "PRAGMA foreign_keys = OFF",
            Backend::Postgres => "SET session_replication_role = replica",
        };
        let backups = tables
            .iter()
            .map(|table| format!("CREATE TABLE kept_{table} AS SELECT * FROM {table};\n"));
        let backups: String = backups.collect();
        let victim = Self { connection, tables };
        victim
            .execute(&format!("{no_references};\n{LAX}{backups}"))
            .await;
        victim
    }

    /// Brings the tables back to what they held and damages them.
    pub(crate) async fn suffer(&self, corruption: &Corruption) {
        let healed = self.tables.iter().map(|table| {
            format!("DELETE FROM {table};\nINSERT INTO {table} SELECT * FROM kept_{table};\n")
        });
        let healed: String = healed.collect();
        self.execute(&format!("BEGIN;\n{healed}{}\nCOMMIT;", corruption.sql))
            .await;
    }

    async fn execute(&self, sql: &str) {
        let sql = words(self.connection.get_database_backend(), sql);
        let result = self.connection.execute_unprepared(&sql).await;
        result.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// `{nobody}` is an id that no row has, `{default}` and `{other}` the organisation that owns
/// everything and one that owns nothing, `{Completed}` the first batch in that state, `{Running}`
/// the one whose process died, `{unclustered}` an entity in no cluster, `{one TABLE}` and
/// `{one TABLE.COLUMN}` the first row of a table, the latter where the column is set,
/// `{set FIELD VALUE}` an event's payload with another value.
fn words(backend: DbBackend, sql: &str) -> String {
    let id = |id: Uuid| match backend {
        DbBackend::Sqlite => format!("x'{}'", id.simple()),
        _ => format!("'{id}'::uuid"),
    };
    let mut sql = sql
        .replace("{nobody}", &id(Uuid::from_u128(u128::MAX)))
        .replace("{default}", &id(OrganizationId::DEFAULT.uuid()))
        .replace("{other}", &id(Uuid::from_u128(7)))
        .replace("{Running}", &batch("Assembling"));
    for state in ["Completed", "Failed", "Cancelled"] {
        sql = sql.replace(&format!("{{{state}}}"), &batch(state));
    }
    sql = sql.replace(
        "{unclustered}",
        "(SELECT id FROM entity WHERE id NOT IN (SELECT entity_id FROM cluster_member) \
         ORDER BY id LIMIT 1)",
    );
    sql = replaced(sql, "{one ", |what| {
        let (table, column) = what.split_once('.').unwrap_or((what, "id"));
        let order = order(table);
        format!("(SELECT id FROM {table} WHERE {column} IS NOT NULL ORDER BY {order} LIMIT 1)")
    });
    replaced(sql, "{set ", |what| {
        let (field, value) = what.split_once(' ').expect("a field and a value");
        match backend {
            DbBackend::Sqlite => format!("json_set(payload, '$.{field}', json('{value}'))"),
            _ => format!("jsonb_set(payload, '{{{field}}}', '{value}')"),
        }
    })
}

/// What orders rows the same in every run: ids do where they are derived from the content.
fn order(table: &str) -> &'static str {
    match table {
        "batch_document" => "created_at, position",
        "batch_event" => "created_at, sequence",
        "workflow_activity" => "created_at, activity_name",
        "workflow_execution" => "created_at",
        "cluster_member" => FACES_OTHERS,
        "same_as_link" => "member_id",
        "merge_history" => "source_entity_id",
        "entity" => MUCH_NAMED,
        "mention_record" => {
            "COALESCE((SELECT mention_count FROM entity \
             WHERE entity.id = mention_record.entity_id), 0) DESC, id"
        }
        _ => "id",
    }
}

/// First the members that face others of their clusters.
const FACES_OTHERS: &str = "CASE WHEN entity_id IN (SELECT canonical_id FROM same_as_link) THEN 0 ELSE 1 END, \
     entity_id";

/// First the entities that relations have at both ends and that face others.
const MUCH_NAMED: &str = "CASE WHEN id IN (SELECT subject_id FROM relation) THEN 0 ELSE 1 END \
     + CASE WHEN id IN (SELECT object_id FROM relation) THEN 0 ELSE 1 END \
     + CASE WHEN id IN (SELECT canonical_id FROM same_as_link) THEN 0 ELSE 1 END, id";

/// The first batch in a state.
fn batch(state: &str) -> String {
    format!("(SELECT id FROM batch_execution WHERE state = '{state}' ORDER BY id LIMIT 1)")
}

/// Every `{word …}` replaced.
fn replaced(mut sql: String, word: &str, by: impl Fn(&str) -> String) -> String {
    while let Some((before, rest)) = sql.split_once(word) {
        let (what, after) = rest.split_once('}').expect("a brace closes");
        sql = format!("{before}{}{after}", by(what));
    }
    sql
}
