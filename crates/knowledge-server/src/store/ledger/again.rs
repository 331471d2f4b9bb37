//! Doing something again while the database refuses it for a reason that passes.

use std::time::Duration;

use tokio::time::sleep;

use super::LedgerError;
use crate::text::chain;

/// Times that a change of a user is tried before it is answered with the database's error.
pub(super) const TRIES: u32 = 3;

/// The waits while the store is away. The pool itself waits for a connection meanwhile.
const AWAY: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

/// Does something again while the database rolls it back for a reason that passes: a deadlock, a
/// broken connection.
pub(super) async fn persistently<T, F>(work: impl Fn() -> F) -> Result<T, LedgerError>
where
    F: Future<Output = Result<T, LedgerError>>,
{
    let mut tries = 1;
    loop {
        match work().await {
            Err(error) if error.kind().is_retryable() && tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

/// Does something again until the store answers, however long that takes.
pub(super) async fn patiently<T, F>(work: impl Fn() -> F) -> Result<T, LedgerError>
where
    F: Future<Output = Result<T, LedgerError>>,
{
    let mut failures = 0;
    loop {
        match work().await {
            Err(error) if error.is_away() => wait_for_store(&error, &mut failures).await,
            result => return result,
        }
    }
}

pub(super) async fn wait_for_store(error: &LedgerError, failures: &mut usize) {
    tracing::warn!("the store is away, waiting for it: {}", chain(error));
    sleep(away(*failures)).await;
    *failures += 1;
}

/// How long to wait after so many failures and another one.
pub(super) fn away(failures: usize) -> Duration {
    AWAY[failures.min(AWAY.len() - 1)]
}
