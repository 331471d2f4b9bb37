//! Whether the store can serve.

use knowledge_migrations::{Migrator, MigratorTrait};

use crate::store::{Store, StoreError};

/// Why the store cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The database does not answer.
    #[error("the database does not answer")]
    Unreachable(#[source] StoreError),
    /// The schema is older than this release.
    #[error("{pending} migrations wait to be applied")]
    Migrations {
        /// How many.
        pending: usize,
    },
}

impl Store {
    /// Asks the database for an answer and for its schema's version.
    ///
    /// # Errors
    /// [`NotReady`] says which of the two is missing.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let pending = Migrator::get_pending_migrations_read_only(self.read())
            .await
            .map_err(|error| NotReady::Unreachable(error.into()))?
            .len();
        if pending > 0 {
            return Err(NotReady::Migrations { pending });
        }
        Ok(())
    }
}
