//! PostgreSQL's LISTEN and NOTIFY: servers on one database tell each other what they commit.
//!
//! A notification carries no event: it says that the table has more, and up to which sequence.

use knowledge_domain::ids::BatchId;
use sea_orm::{
    DbBackend, DbErr, RuntimeErr,
    sea_query::Expr,
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

/// Tells other servers, where PostgreSQL evaluates it and when its transaction commits, that the
/// batch has events up to `sequence`.
pub(super) fn told(batch: BatchId, sequence: i64) -> Expr {
    let told = [EVENTS_CHANNEL.to_owned(), format!("{batch} {sequence}")];
    Expr::cust_with_values("pg_notify($1, $2)::text", told)
}
