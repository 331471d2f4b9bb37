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
/// serialisation conflict was in the way, the disk is full or fails.
fn is_transient(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            use sea_orm::sqlx::Error;
            match error.as_ref() {
                // `Protocol` is an answer that was cut; the others are a connection whose
                // transaction the database has ended of itself.
                Error::Io(_)
                | Error::Protocol(_)
                | Error::PoolTimedOut
                | Error::PoolClosed
                | Error::WorkerCrashed
                | Error::InvalidSavePointStatement
                | Error::BeginFailed => true,
                Error::Database(database) => database.code().is_some_and(|code| passes(&code)),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether what a database's code stands for passes.
///
/// PostgreSQL: broken connections (08), a transaction that was idle too long, a standby that is
/// not yet the primary, conflicts (40), a full disk and other resources (53), locks, interventions
/// and restarts (57), failures of the system (58). SQLite: busy, locked, failing disk, full disk, a
/// file that cannot be opened for now; the low byte of its extended codes says which.
fn passes(code: &str) -> bool {
    const CLASSES: [&str; 5] = ["08", "40", "53", "57", "58"];
    const STATES: [&str; 3] = ["25P03", "25006", "55P03"];
    const SQLITE: [u32; 5] = [5, 6, 10, 13, 14];
    if code.len() == 5 {
        return STATES.contains(&code) || CLASSES.iter().any(|class| code.starts_with(class));
    }
    let number = code.parse::<u32>();
    number.is_ok_and(|number| SQLITE.contains(&(number & 0xff)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again() {
        let passing = [
            "08006", "40001", "40P01", "53100", "53300", "55P03", "57P01", "57P03", "58030",
            "25P03", "25006", "5", "6", "13", "517", "778", "1034", "14",
        ];
        for code in passing {
            assert!(passes(code), "{code}");
        }
    }

    #[test]
    fn what_stays_is_not() {
        // Constraints, syntax, a missing table, a damaged file, a read-only file.
        for code in [
            "23505", "42601", "42P01", "XX001", "", "1", "8", "11", "19", "26", "2067",
        ] {
            assert!(!passes(code), "{code}");
        }
    }
}
