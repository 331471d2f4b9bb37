//! Reads that outlast a database which is away.

use std::time::Duration;

use crate::{store::StoreError, text::chain};

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Reads again until the database answers: whoever watches keeps its stream, and is sent heartbeats
/// meanwhile. An error that does not pass is returned.
///
/// # Cancel safety
/// A read that is dropped leaves nothing behind.
pub(super) async fn patiently<T, F>(read: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut wait = FIRST_WAIT;
    loop {
        match read().await {
            Err(error) if error.kind().is_retryable() => {
                tracing::warn!("events cannot be read, trying again: {}", chain(&error));
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            result => return result,
        }
    }
}
