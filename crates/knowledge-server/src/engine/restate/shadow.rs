//! The mode `shadow`: what the built-in engine has completed is run once more by workers.
//!
//! With a document's outcome the ledger notes that it is to be compared. A server submits what waits,
//! whenever Restate is there, and waits for nothing: the worker records what the comparison came to.
//! So neither Restate nor workers can slow a document down, and a crash forgets none.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use futures::{StreamExt as _, stream};
use knowledge_domain::Clock;
use tokio_util::task::AbortOnDropHandle;

use super::{Ingress, RestateError, executor::Patience};
use crate::store::{Store, StoreError, parity::CheckKey};

/// What the comparison is called in Restate, by the type that serves it.
pub(super) const SERVICE: &str = "CompareDocument";

/// How often it is looked for what waits.
const LOOK: Duration = Duration::from_secs(1);

/// Comparisons that are under way at most: Restate and the workers have others to serve.
const MOST_UNDER_WAY: u64 = 200;

/// Comparisons that are submitted at a time.
const AT_A_TIME: usize = 8;

/// After how long a comparison that was not made is submitted again, in minutes: Restate may have
/// lost what it knew.
const AGAIN_MINUTES: i64 = 10;

/// Has completed documents compared.
pub struct Comparisons {
    store: Store,
    ingress: Ingress,
    clock: Arc<dyn Clock>,
}

/// Why a comparison was not submitted.
#[derive(Debug, thiserror::Error)]
enum NotSubmitted {
    #[error(transparent)]
    Restate(#[from] RestateError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Comparisons {
    /// Submits to this ingress what waits in this store.
    #[must_use]
    pub fn new(store: Store, ingress: Ingress, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            ingress,
            clock,
        }
    }

    /// Begins; dropped, it ends.
    pub fn start(self) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(async move { self.run().await }))
    }

    async fn run(self) {
        let mut patience = Patience::of("comparisons");
        loop {
            match self.submit_some().await {
                Ok(0) => {
                    patience.reset();
                    tokio::time::sleep(LOOK).await;
                }
                Ok(_) => patience.reset(),
                Err(error) => patience.wait(&error).await,
            }
        }
    }

    /// Submits what waits, as far as there is room; how many those were.
    async fn submit_some(&self) -> Result<usize, NotSubmitted> {
        let lost = self.clock.now() - TimeDelta::minutes(AGAIN_MINUTES);
        let keys = self.store.checks_to_submit(lost, MOST_UNDER_WAY).await?;
        let count = keys.len();
        let mut submitted = stream::iter(keys)
            .map(|key| self.submit(key))
            .buffer_unordered(AT_A_TIME);
        while let Some(done) = submitted.next().await {
            done?;
        }
        Ok(count)
    }

    async fn submit(&self, key: CheckKey) -> Result<(), NotSubmitted> {
        let name = format!("{}-{}", key.execution, key.token);
        self.ingress.send(SERVICE, &name, &key).await?;
        Ok(self.store.note_submitted(key, self.clock.now()).await?)
    }
}
