//! Opening a database: its pools, its schema.

use std::{str::FromStr, time::Duration};

use knowledge_domain::{Slug, ids::OrganizationId};
use knowledge_migrations::{Migrator, MigratorTrait};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ConnectOptions, Database, DatabaseConnection, DbErr, EntityTrait, RuntimeErr,
    sqlx::{
        self, ConnectOptions as _, Connection as _,
        postgres::{PgConnectOptions, PgPoolOptions},
        sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
    },
};

use super::{DatabaseUrl, Store, StoreError, url::Kind, wall::Wall};

pub(super) const SQLITE_READERS: u32 = 4;
/// Pages that SQLite's writer keeps in memory, in KiB (as a negative number, which is how SQLite
/// takes it): those of the indexes that every document adds to.
const SQLITE_WRITER_CACHE: &str = "-8192";
/// Pages of SQLite's log after which it is carried over into the database: 32 MiB. The longer the
/// log, the more often a page that changed many times is carried over once.
const SQLITE_LOG_PAGES: &str = "8000";
/// Rows that SQLite's thread reads ahead of who asked for them: where the buffer is full, the two wake
/// each other for every row.
const SQLITE_ROWS: usize = 1_024;
/// Says which driver; the file is named beside it, because not every path can be part of a URL.
pub(super) const SOME_SQLITE: &str = "sqlite://knowledge.db";
const POSTGRES_CONNECTIONS: u32 = 16;
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections over which graphs are written beside the writer of groups.
const GRAPHS: u32 = 4;
/// Graphs that are written at a time beside the writer of groups.
pub(super) const GRAPHS_AT_A_TIME: usize = GRAPHS as usize;
/// The connection of the writer of groups, who tries again, is tested before it is used only when it
/// was idle for longer; every other one always.
const TRUSTED: Duration = Duration::from_secs(1);
/// Statements that the writer of groups keeps prepared: those of each table, by the number of rows.
const STATEMENTS: usize = 200;
/// A statement that waits longer for a connection fails as retryable.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// What a PostgreSQL session is told. A process that is suspended, or whose machine is gone, within
/// a transaction holds locks that its successor waits for: the database ends such a session. Nor
/// does it compile queries, each anew, because they seem to cost much where `enable_seqscan` is off.
pub(super) const SESSION: &str = "SET idle_in_transaction_session_timeout = '10s'; SET jit = off; \
     SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

/// What the session of the writer of groups is told besides. Its statements are few, each runs
/// thousands of times, and all that read a large table do it by an index: each is planned once, and
/// not for tables that are empty still.
const GROUP_SESSION: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off";

/// Why a database of a later release cannot be opened.
pub(super) const NEWER_SCHEMA: &str = "its schema is newer than this release";

/// What a transaction says that may compute for long between two statements.
pub(super) const PATIENT: &str = "SET LOCAL idle_in_transaction_session_timeout = '10min'";

impl Store {
    /// Opens the database, creating a SQLite file that is not there, and brings its schema up to
    /// date.
    ///
    /// # Errors
    /// [`StoreError::Open`] says why the database cannot be opened; [`StoreError::Migrate`] when
    /// its schema is newer than this release or a migration fails.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let mut store = Self::connect(url).await?;
        let pending = Migrator::get_pending_migrations_read_only(&store.write).await;
        // Whoever may not change the schema need not, where it is as it should be.
        if !pending.is_ok_and(|pending| pending.is_empty()) {
            let migrated = Migrator::up(&store.write, None).await;
            migrated.map_err(|error| not_migrated(url, error))?;
        }
        let ensured = store.ensure_default_organization().await;
        ensured.map_err(|error| not_migrated(url, error))?;
        if let Kind::Postgres { url } = url.kind() {
            store.wall = Wall::build(url, &store.write).await;
        }
        Ok(store)
    }

    /// Opens the database as it is.
    pub async fn connect(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let not_opened = |error: DbErr| StoreError::Open {
            url: url.to_string(),
            reason: said(&error),
        };
        let opened = |result: Result<DatabaseConnection, DbErr>| result.map_err(not_opened);
        match url.kind() {
            Kind::Sqlite { path } => {
                let write = opened(Database::connect(sqlite_writer(path)).await)?;
                Ok(Self {
                    groups: write.clone(),
                    graphs: write.clone(),
                    write,
                    read: opened(Database::connect(sqlite_options(path, SQLITE_READERS)).await)?,
                    wall: None,
                })
            }
            Kind::Postgres { url } => {
                probe(url).await.map_err(not_opened)?;
                let pool = opened(Database::connect(postgres_options(url)).await)?;
                Ok(Self {
                    groups: opened(Database::connect(postgres_writers(url, 1)).await)?,
                    graphs: opened(Database::connect(postgres_writers(url, GRAPHS)).await)?,
                    write: pool.clone(),
                    read: pool,
                    wall: None,
                })
            }
        }
    }

    async fn ensure_default_organization(&self) -> Result<(), DbErr> {
        use knowledge_tables::organization::{ActiveModel, Entity};
        let epoch = chrono::DateTime::UNIX_EPOCH;
        Entity::insert(ActiveModel {
            id: Set(OrganizationId::DEFAULT.uuid()),
            name: Set("Default".to_owned()),
            slug: Set(Slug::DEFAULT.to_owned()),
            resolution_version: NotSet,
            embedding_model: NotSet,
            embedding_gaps: NotSet,
            embedding_execution_id: NotSet,
            embedding_forms: NotSet,
            created_at: Set(epoch),
            updated_at: Set(epoch),
        })
        .on_conflict_do_nothing()
        .exec_without_returning(&self.write)
        .await?;
        Ok(())
    }
}

/// A read-only or damaged file shows itself at the first write, which is the migration.
fn not_migrated(url: &DatabaseUrl, error: DbErr) -> StoreError {
    let text = error.to_string();
    let unusable = [
        "readonly",
        "read-only",
        "not a database",
        "malformed",
        "disk I/O",
    ];
    let reason = if unusable.iter().any(|sign| text.contains(sign)) {
        said(&error)
    } else if matches!(&error, DbErr::Custom(text) if text.contains("is missing")) {
        // A migration was applied which this release does not have.
        NEWER_SCHEMA.to_owned()
    } else {
        return StoreError::Migrate(error);
    };
    StoreError::Open {
        url: url.to_string(),
        reason,
    }
}

/// What the database itself says, without the names of those who pass it on.
pub(super) fn said(error: &DbErr) -> String {
    match error {
        DbErr::Custom(text) => text.clone(),
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => said_by_driver(error),
        other => other.to_string(),
    }
}

fn said_by_driver(error: &sqlx::Error) -> String {
    let database = error.as_database_error();
    database.map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// Connects once: a pool waits until its time-out, and then does not say why it could not connect.
async fn probe(url: &str) -> Result<(), DbErr> {
    let connected = async {
        let options = PgConnectOptions::from_str(url)?;
        options.connect().await?.close().await
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, connected).await {
        Ok(result) => result.map_err(|error| DbErr::Custom(said_by_driver(&error))),
        Err(_) => Err(DbErr::Custom(format!(
            "it did not answer within {} s",
            CONNECT_TIMEOUT.as_secs()
        ))),
    }
}

fn sqlite_options(path: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(SOME_SQLITE);
    let path = path.to_owned();
    options
        .max_connections(connections)
        .min_connections(1)
        .connect_timeout(CONNECT_TIMEOUT)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false)
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(move |options| sqlite_settings(options, &path))
        .map_sqlx_sqlite_pool_opts(|options| {
            options.after_release(|connection, _| Box::pin(is_whole(connection)))
        });
    options
}

/// One connection, which makes every write.
fn sqlite_writer(path: &str) -> ConnectOptions {
    let mut options = sqlite_options(path, 1);
    let path = path.to_owned();
    options.map_sqlx_sqlite_opts(move |options| {
        sqlite_settings(options, &path)
            .pragma("cache_size", SQLITE_WRITER_CACHE)
            .pragma("wal_autocheckpoint", SQLITE_LOG_PAGES)
    });
    options
}

fn sqlite_settings(options: SqliteConnectOptions, path: &str) -> SqliteConnectOptions {
    options
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .statement_cache_capacity(STATEMENTS)
        .row_buffer_size(SQLITE_ROWS)
}

/// Whether a connection that is given back can be used again. SQLite ends a transaction of itself
/// when the disk is full or fails; the driver then believes that it is still in it, and would
/// refuse every other one.
async fn is_whole(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if !connection.is_in_transaction() {
        return Ok(true);
    }
    // A transaction that was dropped is being rolled back: this comes after.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

fn postgres_options(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(POSTGRES_CONNECTIONS)
        .connect_timeout(CONNECT_TIMEOUT)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false)
        .set_application_name("knowledge")
        .map_sqlx_postgres_pool_opts(|options| told(options, &[SESSION]));
    options
}

/// Connections of those who write most, each with the statements for it.
fn postgres_writers(url: &str, connections: u32) -> ConnectOptions {
    let mut options = postgres_options(url);
    options
        .map_sqlx_postgres_pool_opts(|options| told(options, &[SESSION, GROUP_SESSION]))
        .max_connections(connections)
        .test_before_acquire_if_idle_for(TRUSTED)
        .connect_lazy(true)
        .map_sqlx_postgres_opts(|options| options.statement_cache_capacity(STATEMENTS));
    options
}

/// A pool whose sessions are told so when they begin.
fn told(options: PgPoolOptions, session: &'static [&'static str]) -> PgPoolOptions {
    options.after_connect(move |connection, _| {
        Box::pin(async move {
            for setting in session {
                sqlx::raw_sql(*setting).execute(&mut *connection).await?;
            }
            Ok(())
        })
    })
}
