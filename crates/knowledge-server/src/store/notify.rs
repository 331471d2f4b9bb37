//! PostgreSQL's LISTEN and NOTIFY: servers on one database tell each other what they commit.
//!
//! A notification carries no event: it says that the table has more, and up to which sequence.

use knowledge_domain::ids::BatchId;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, Statement,
    sqlx::postgres::{PgListener, PgPoolOptions},
};

use super::{Store, StoreError, connect::CONNECT_TIMEOUT};

/// Where commits are told.
pub const EVENTS_CHANNEL: &str = "knowledge_events";

impl Store {
    /// Whether commits on this database can be heard by other processes.
    #[must_use]
    pub fn can_notify(&self) -> bool {
        self.backend() == DbBackend::Postgres
    }

    /// Hears every commit from now on, over a connection of its own.
    ///
    /// # Panics
    /// On SQLite, which [`Store::can_notify`] tells.
    pub(crate) async fn listen(&self) -> Result<PgListener, StoreError> {
        let options = self.read().get_postgres_connection_pool().connect_options();
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with((*options).clone());
        let mut listener = PgListener::connect_with(&pool).await.map_err(failed)?;
        // A connection that breaks is reported, for what was told meanwhile is lost with it.
        listener.eager_reconnect(false);
        listener.listen(EVENTS_CHANNEL).await.map_err(failed)?;
        Ok(listener)
    }
}

fn failed(error: sea_orm::sqlx::Error) -> StoreError {
    DbErr::Conn(RuntimeErr::SqlxError(error.into())).into()
}

/// Tells other servers, when the transaction commits, that the batch has events up to `sequence`.
pub(super) async fn notify(
    tx: &DatabaseTransaction,
    batch: BatchId,
    sequence: i64,
) -> Result<(), DbErr> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let told = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "SELECT pg_notify($1, $2)",
        [EVENTS_CHANNEL.into(), format!("{batch} {sequence}").into()],
    );
    tx.execute_raw(told).await?;
    Ok(())
}
