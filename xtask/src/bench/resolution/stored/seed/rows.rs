//! Many rows at once: in large statements, without indexes, which are made again at the end.

use anyhow::Result;
use knowledge_domain::ids::OrganizationId;
use sea_orm_migration::sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
};

/// Rows of a statement.
const ROWS: usize = 1_000;
/// The tables that are filled.
const TABLES: &str = "'document', 'extraction', 'entity', 'resolution_form', 'resolution_block', \
                      'entity_cluster', 'cluster_member', 'same_as_link'";
/// When the rows were written.
const AT: &str = "'2026-01-01T00:00:00+00:00'";

/// A connection with a transaction that fills tables.
pub(super) struct Loader {
    connection: DatabaseConnection,
    /// What makes the indexes again.
    indexes: Vec<String>,
    /// Ids of rows that nothing names.
    next: u64,
}

/// One table that is filled.
pub(super) struct Table<'a> {
    loader: &'a mut Loader,
    head: String,
    rows: Vec<String>,
}

/// An id as 32 digits.
pub(super) fn hex(id: u128) -> String {
    format!("{id:032x}")
}

impl Loader {
    pub(super) async fn open(url: &str) -> Result<Self> {
        let options = ConnectOptions::new(url).max_connections(1).to_owned();
        let connection = Database::connect(options).await?;
        let (prepare, indexes) = match connection.get_database_backend() {
            DbBackend::Postgres => (
                "SET session_replication_role = replica; SET synchronous_commit = off;
                 SET maintenance_work_mem = '512MB'",
                format!(
                    "SELECT indexname AS name, indexdef AS made FROM pg_indexes
                     WHERE tablename IN ({TABLES}) AND indexname NOT LIKE '%_pkey'"
                ),
            ),
            _ => (
                "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000",
                format!(
                    "SELECT name, sql AS made FROM sqlite_master
                     WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({TABLES})"
                ),
            ),
        };
        connection.execute_unprepared(prepare).await?;
        connection.execute_unprepared("BEGIN").await?;
        let found = Statement::from_string(connection.get_database_backend(), indexes);
        let mut indexes = Vec::new();
        for row in connection.query_all_raw(found).await? {
            let name: String = row.try_get("", "name")?;
            indexes.push(row.try_get("", "made")?);
            let drop = format!("DROP INDEX {name}");
            connection.execute_unprepared(&drop).await?;
        }
        Ok(Self {
            connection,
            indexes,
            next: 0,
        })
    }

    pub(super) fn table(&mut self, name: &str, columns: &str) -> Table<'_> {
        let head = format!(
            "INSERT INTO {name} (id, organization_id, created_at, updated_at, {columns}) VALUES "
        );
        Table {
            loader: self,
            head,
            rows: Vec::with_capacity(ROWS),
        }
    }

    /// Notes that the rules of this version have resolved what is written.
    pub(super) async fn resolved(&mut self) -> Result<()> {
        let version = knowledge_resolution::VERSION;
        let note = format!("UPDATE organization SET resolution_version = {version}");
        self.connection.execute_unprepared(&note).await?;
        Ok(())
    }

    /// Makes the indexes again, and lets the database take stock, as it does in time by itself.
    pub(super) async fn close(self) -> Result<()> {
        for index in &self.indexes {
            self.connection.execute_unprepared(index).await?;
        }
        self.connection.execute_unprepared("COMMIT").await?;
        if self.connection.get_database_backend() == DbBackend::Postgres {
            self.connection.execute_unprepared("VACUUM ANALYZE").await?;
            self.connection.execute_unprepared("CHECKPOINT").await?;
        } else {
            let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
            self.connection.execute_unprepared(truncate).await?;
        }
        Ok(self.connection.close().await?)
    }
}

impl Table<'_> {
    /// An id as the database writes it.
    pub(super) fn id(&self, hex: &str) -> String {
        match self.loader.connection.get_database_backend() {
            DbBackend::Postgres => format!("'{hex}'"),
            _ => format!("X'{hex}'"),
        }
    }

    /// Adds a row with an id of its own.
    pub(super) async fn add(&mut self, id: &str, values: &str) -> Result<()> {
        let organization = self.id(&hex(OrganizationId::DEFAULT.uuid().as_u128()));
        let row = format!("({}, {organization}, {AT}, {AT}, {values})", self.id(id));
        self.rows.push(row);
        if self.rows.len() == ROWS {
            self.write().await?;
        }
        Ok(())
    }

    /// Adds a row that nothing names.
    pub(super) async fn add_next(&mut self, values: &str) -> Result<()> {
        self.loader.next += 1;
        let id = hex(u128::from(self.loader.next) << 64);
        self.add(&id, values).await
    }

    /// Adds what is left.
    pub(super) async fn end(mut self) -> Result<()> {
        self.write().await
    }

    async fn write(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let statement = format!("{}{}", self.head, self.rows.join(","));
        self.rows.clear();
        self.loader
            .connection
            .execute_unprepared(&statement)
            .await?;
        Ok(())
    }
}
