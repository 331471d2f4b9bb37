//! One process at a time runs batches on a SQLite file.

use std::fs::{File, TryLockError};

use crate::store::{DatabaseUrl, StoreError};

/// An advisory lock beside a SQLite file; released when it is dropped or the process dies.
#[derive(Debug)]
pub struct DatabaseLock {
    _file: File,
}

impl DatabaseLock {
    /// Locks a SQLite database; PostgreSQL needs no lock, its processes share by lease.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process holds it.
    pub fn acquire(url: &DatabaseUrl) -> Result<Option<Self>, StoreError> {
        let Some(path) = url.sqlite_path() else {
            return Ok(None);
        };
        let failed = |error: std::io::Error| StoreError::Open {
            url: url.to_string(),
            reason: format!("{path}.lock cannot be locked: {error}"),
        };
        let file = File::options()
            .create(true)
            .append(true)
            .open(format!("{path}.lock"))
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
                path: path.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_refused_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("knowledge.db");
        let url = DatabaseUrl::sqlite(path.to_string_lossy());
        let first = DatabaseLock::acquire(&url).unwrap();
        let refused = DatabaseLock::acquire(&url).unwrap_err();
        assert!(matches!(refused, StoreError::InUse { .. }));
        drop(first);
        assert!(DatabaseLock::acquire(&url).unwrap().is_some());
    }
}
