//! The store: the only module that talks to the database.
//!
//! SQLite has one connection that writes (every transaction `BEGIN IMMEDIATE`) and a pool that
//! reads; PostgreSQL has one pool for both, connections of their own for those who write most, and
//! some for each organisation that is read for (`wall`). Every query is scoped by organisation.

pub mod calls;
mod connect;
mod convert;
mod document;
mod error;
mod existing;
mod fold;
mod graph;
mod graph_parity;
mod keys;
pub mod ledger;
mod notify;
mod ontology;
mod organizations;
pub mod parity;
mod patience;
mod portions;
mod prune;
pub mod read;
mod resolution;
mod scope;
mod statistics;
mod thread;
mod together;
mod url;
mod wall;

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend,
    IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

use connect::GRAPHS_AT_A_TIME;
pub use document::Content;
pub use error::StoreError;
pub use graph::{ExtractionOrigin, FoundGraph};
pub use keys::{KeyView, NewKey};
pub use notify::EVENTS_CHANNEL;
pub use ontology::NewOntology;
pub use organizations::OrganizationView;
pub use prune::{Pruned, Pruning};
pub use resolution::{Decider, DecisionError, Meaning, Wanted};
pub use url::DatabaseUrl;
use wall::Wall;

/// A handle to the database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    write: DatabaseConnection,
    /// Where the writer of groups writes: on PostgreSQL one connection of its own.
    groups: DatabaseConnection,
    /// Where graphs are written beside it: on PostgreSQL some connections of their own.
    graphs: DatabaseConnection,
    read: DatabaseConnection,
    /// What keeps those who read for an organisation from the rows of others, on PostgreSQL.
    wall: Option<Wall>,
}

impl Store {
    /// The database's kind.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.read.get_database_backend()
    }

    /// Where reads go that need no transaction.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// Begins a transaction that may write; on SQLite it holds the write lock from its start.
    ///
    /// # Cancel safety
    /// A transaction that is dropped is rolled back.
    pub async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        begin(&self.write).await
    }

    /// Begins a transaction of the one who writes most, over the connection that knows its
    /// statements.
    pub(in crate::store) async fn begin_group(&self) -> Result<DatabaseTransaction, StoreError> {
        begin(&self.groups).await
    }

    /// Begins a transaction that is to hold a graph, over one of the connections that know the
    /// statements for it.
    pub(in crate::store) async fn begin_graph(&self) -> Result<DatabaseTransaction, StoreError> {
        begin(&self.graphs).await
    }

    /// Whether graphs are written beside the one who writes everything else.
    pub(in crate::store) fn writes_graphs_beside(&self) -> bool {
        self.backend() == DbBackend::Postgres
    }

    /// Begins a transaction that sees one state of the database and cannot change it. It waits for
    /// no writer, and no writer waits for it.
    pub async fn snapshot(&self) -> Result<DatabaseTransaction, StoreError> {
        let options = match self.backend() {
            // SQLite in WAL mode: the first read fixes what the transaction sees.
            DbBackend::Sqlite => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
                ..TransactionOptions::default()
            },
            _ => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            },
        };
        let tx = self.read.begin_with_options(options).await?;
        self.be_patient(&tx).await?;
        Ok(tx)
    }

    /// Lets a transaction compute for long between two statements; where the process is suspended
    /// meanwhile, whoever waits for its locks waits for minutes.
    pub(crate) async fn be_patient(&self, tx: &DatabaseTransaction) -> Result<(), StoreError> {
        if self.backend() == DbBackend::Postgres {
            tx.execute_unprepared(connect::PATIENT).await?;
        }
        Ok(())
    }

    /// Carries SQLite's log over into the database, as far as nobody reads what was there before; the
    /// last one to close the database would wait for it. PostgreSQL does so by itself.
    pub async fn carry_log_over(&self) -> Result<(), StoreError> {
        if self.backend() == DbBackend::Sqlite {
            let carry = "PRAGMA wal_checkpoint(PASSIVE)";
            self.write.execute_unprepared(carry).await?;
        }
        Ok(())
    }

    /// Closes every connection, once no ledger has any in use; what is committed stays.
    pub async fn close(self) -> Result<(), StoreError> {
        if let Some(wall) = &self.wall {
            wall.close().await;
        }
        self.write.clone().close().await?;
        if self.backend() == DbBackend::Sqlite {
            return Ok(self.read.close().await?);
        }
        self.groups.close().await?;
        Ok(self.graphs.close().await?)
    }
}

async fn begin(connection: &DatabaseConnection) -> Result<DatabaseTransaction, StoreError> {
    let options = TransactionOptions {
        sqlite_transaction_mode: match connection.get_database_backend() {
            DbBackend::Sqlite => Some(SqliteTransactionMode::Immediate),
            _ => None,
        },
        ..TransactionOptions::default()
    };
    Ok(connection.begin_with_options(options).await?)
}
