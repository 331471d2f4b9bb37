//! Hears what other servers on the same PostgreSQL commit.

use std::time::Duration;

use knowledge_domain::ids::BatchId;
use sea_orm::sqlx::postgres::PgNotification;
use tokio::task::AbortHandle;

use super::EventHub;
use crate::{
    store::{EVENTS_CHANNEL, Store, StoreError},
    text::chain,
};

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A task that wakes a hub for every commit of every server; it ends when this is dropped.
#[derive(Debug)]
pub struct Listener(AbortHandle);

impl Listener {
    /// Listens on a PostgreSQL; `None` on SQLite, where only this process commits.
    #[must_use]
    pub fn start(store: &Store, hub: &EventHub) -> Option<Self> {
        store.can_notify().then(|| {
            let task = tokio::spawn(listen(store.clone(), hub.clone()));
            Self(task.abort_handle())
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Listens, and connects again whenever the connection breaks. What was told meanwhile is lost, so
/// everybody looks for themselves then.
async fn listen(store: Store, hub: EventHub) {
    let mut wait = FIRST_WAIT;
    loop {
        let begun = tokio::time::Instant::now();
        let error = match hear(&store, &hub).await {
            Ok(()) => "the connection broke".to_owned(),
            Err(error) => chain(&error),
        };
        hub.set_told(false);
        if begun.elapsed() > LONGEST_WAIT {
            wait = FIRST_WAIT;
        }
        tracing::warn!("other servers are not heard; looking every second meanwhile: {error}");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Returns when the connection breaks.
async fn hear(store: &Store, hub: &EventHub) -> Result<(), StoreError> {
    let mut listener = store.listen().await?;
    hub.set_told(true);
    hub.recheck();
    while let Some(told) = listener.try_recv().await.map_err(broken)? {
        if let Some((batch, sequence)) = read(&told) {
            hub.notify(batch, sequence);
        } else {
            tracing::warn!("{EVENTS_CHANNEL} was told {:?}", told.payload());
        }
    }
    Ok(())
}

fn broken(error: sea_orm::sqlx::Error) -> StoreError {
    sea_orm::DbErr::Conn(sea_orm::RuntimeErr::SqlxError(error.into())).into()
}

/// The batch and the sequence of its last event, as the ledger writes them.
fn read(told: &PgNotification) -> Option<(BatchId, u64)> {
    let (batch, sequence) = told.payload().split_once(' ')?;
    Some((batch.parse().ok()?, sequence.parse().ok()?))
}
