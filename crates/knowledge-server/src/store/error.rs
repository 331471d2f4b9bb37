use knowledge_domain::ErrorKind;
use sea_orm::{DbErr, RuntimeErr};

/// What the database said, or what it held that it should not.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no database that knowledge can use.
    #[error(
        "`{url}` is not a database URL; use sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/NAME"
    )]
    Url {
        /// The URL with its password masked.
        url: String,
    },
    /// The database could not be opened.
    #[error("the database {url} cannot be opened: {reason}")]
    Open {
        /// The URL with its password masked.
        url: String,
        /// What the database said, and what to do.
        reason: String,
    },
    /// Another process uses the SQLite file.
    #[error(
        "the database {path} is in use by another knowledge process; stop it, or use PostgreSQL to share one"
    )]
    InUse {
        /// The file.
        path: String,
    },
    /// The schema is older than this release, and the command must not change it.
    #[error(
        "the database's schema lacks {pending} migrations of this release; start `knowledge serve` on it once to bring it up to date"
    )]
    Outdated {
        /// How many.
        pending: usize,
    },
    /// The schema could not be brought up to date.
    #[error("the database cannot be migrated")]
    Migrate(#[source] DbErr),
    /// A statement failed.
    #[error("the database refused a statement")]
    Database(#[from] DbErr),
    /// A row holds what no release of knowledge writes.
    #[error("the database holds {what}, which this release cannot read")]
    Corrupt {
        /// The column and the value's nature; never a document's text.
        what: String,
    },
}

impl StoreError {
    /// What a policy may do about it: the connection may come back, a bad row stays bad.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Database(error) if is_transient(error) => ErrorKind::Retryable,
            Self::Url { .. }
            | Self::Open { .. }
            | Self::InUse { .. }
            | Self::Outdated { .. }
            | Self::Migrate(_)
            | Self::Database(_)
            | Self::Corrupt { .. } => ErrorKind::Permanent,
        }
    }

    /// A value that the domain's type does not know.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}

/// Whether the statement may succeed later: the connection broke, the pool was empty, a lock or a
/// serialisation conflict was in the way (PostgreSQL classes 08, 40, 53, 57; SQLite busy, locked).
fn is_transient(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            use sea_orm::sqlx::Error;
            match error.as_ref() {
                Error::Io(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed => {
                    true
                }
                Error::Database(database) => database.code().is_some_and(|code| {
                    ["08", "40", "53", "57"]
                        .iter()
                        .any(|class| code.len() == 5 && code.starts_with(class))
                        || code == "5"
                        || code == "6"
                }),
                _ => false,
            }
        }
        _ => false,
    }
}
