//! Opening a database that is there, as it is: for commands that work beside a server.

use std::fs;

use knowledge_migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};

use super::{
    DatabaseUrl, Store, StoreError,
    connect::{BUSY_TIMEOUT, CONNECT_TIMEOUT, NEWER_SCHEMA, SOME_SQLITE, SQLITE_READERS, said},
};

impl Store {
    /// Opens a database for reading only: nothing is created, migrated, locked or written, not
    /// even a SQLite file's journal, and a read-only copy will do.
    pub async fn read_only(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let Some(path) = url.sqlite_path() else {
            return Self::connect(url).await;
        };
        let read = open_sqlite(path).await.map_err(|error| StoreError::Open {
            url: url.to_string(),
            reason: said(&error),
        })?;
        Ok(Self {
            groups: read.clone(),
            graphs: read.clone(),
            write: read.clone(),
            read,
            wall: None,
        })
    }

    /// The same, of a database whose schema is this release's.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] when its schema is older.
    pub async fn read_only_current(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let store = Self::read_only(url).await?;
        store.check_schema(url).await?;
        Ok(store)
    }

    /// Opens a database to work on it beside the server that owns it.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] when its schema is older than this release.
    pub async fn open_beside(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let store = Self::connect(url).await?;
        store.check_schema(url).await?;
        Ok(store)
    }

    async fn check_schema(&self, url: &DatabaseUrl) -> Result<(), StoreError> {
        let pending = Migrator::get_pending_migrations_read_only(self.read()).await;
        let pending = pending.map_err(|error| StoreError::Open {
            url: url.to_string(),
            reason: match error {
                // Says that a migration was applied which this release does not have.
                DbErr::Custom(_) => NEWER_SCHEMA.to_owned(),
                other => said(&other),
            },
        })?;
        match pending.len() {
            0 => Ok(()),
            pending => Err(StoreError::Outdated { pending }),
        }
    }
}

/// A copy without its log, in a folder that cannot be written to, can be read as what never
/// changes; with a log or a writer that would miss what the log holds.
async fn open_sqlite(path: &str) -> Result<DatabaseConnection, DbErr> {
    match connect(path, false).await {
        Err(_) if !has_log(path) && is_read_only(path) => connect(path, true).await,
        result => result,
    }
}

/// SQLite opens a file when it is first read.
async fn connect(path: &str, immutable: bool) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(SOME_SQLITE);
    let file = path.to_owned();
    options
        .max_connections(SQLITE_READERS)
        .sqlx_logging(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .map_sqlx_sqlite_opts(move |options| {
            options
                .filename(&file)
                .read_only(true)
                .immutable(immutable)
                .busy_timeout(BUSY_TIMEOUT)
        });
    let connection = Database::connect(options).await?;
    connection
        .execute_unprepared("SELECT 1 FROM sqlite_master")
        .await?;
    Ok(connection)
}

fn has_log(path: &str) -> bool {
    fs::metadata(format!("{path}-wal")).is_ok_and(|log| log.len() > 0)
}

/// Whether nobody of this user can write to the database while it is read.
fn is_read_only(path: &str) -> bool {
    fs::File::options().append(true).open(path).is_err()
}
