//! One batch from its first document to its end.

mod document;
mod pass;
mod resolving;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use knowledge_domain::{
    ErrorKind,
    batch::BatchConfig,
    ids::{BatchId, OntologyId, OrganizationId},
};

use super::{Shared, registry::BatchRun};
use crate::{
    store::ledger::{Lease, LedgerError, NextRound, PassOutcome},
    text::chain,
};

/// The waits while the store is away.
const STORE_BACKOFF: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];

/// The lease of a batch that was just created by this process.
pub(super) fn first_lease(organization: OrganizationId, batch: BatchId) -> Lease {
    Lease {
        organization,
        batch,
        token: 1,
    }
}

/// Takes over the lead of a batch that nobody leads; whether it did.
pub(super) async fn adopt(
    shared: &Arc<Shared>,
    organization: OrganizationId,
    batch: BatchId,
    whatever_lease: bool,
) -> Result<bool, LedgerError> {
    let claimed = shared
        .ledger
        .claim(organization, batch, &shared.owner(), whatever_lease)
        .await?;
    if let Some(lease) = claimed {
        lead(shared, lease, whatever_lease);
    }
    Ok(claimed.is_some())
}

/// Runs a batch that this process leads. With `alone`, no other process can be alive.
pub(super) fn lead(shared: &Arc<Shared>, lease: Lease, alone: bool) {
    spawn(shared, lease.organization, lease.batch, Some(lease), alone);
}

/// Helps with a batch that another process leads.
pub(super) fn join(shared: &Arc<Shared>, organization: OrganizationId, batch: BatchId) {
    spawn(shared, organization, batch, None, false);
}

fn spawn(
    shared: &Arc<Shared>,
    organization: OrganizationId,
    batch: BatchId,
    lease: Option<Lease>,
    alone: bool,
) {
    let running = Arc::clone(shared);
    shared.registry.spawn(batch, |run| async move {
        let runner = Arc::new(Runner {
            shared: Arc::clone(&running),
            organization,
            batch,
            run: Arc::clone(&run),
            alone,
        });
        let mut lease = lease;
        match runner.run(&mut lease).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                tracing::debug!(%batch, "batch is no longer run here");
            }
            Err(error) => runner.give_up(lease, &error).await,
        }
        running.registry.forget(batch, &run);
    });
}

struct Runner {
    shared: Arc<Shared>,
    organization: OrganizationId,
    batch: BatchId,
    run: Arc<BatchRun>,
    alone: bool,
}

/// A batch's settings, read once a run.
struct Settings {
    config: Arc<BatchConfig>,
    ontology: Option<OntologyId>,
}

impl Runner {
    /// Passes over the documents, rounds over those that failed, then the end. The process that
    /// leads the batch decides what follows a pass; the others help with the documents.
    ///
    /// # Cancel safety
    /// Dropped at any point, the batch can be resumed from what is committed.
    async fn run(self: &Arc<Self>, lead: &mut Option<Lease>) -> Result<(), LedgerError> {
        let settings = Arc::new(self.settings().await?);
        let ledger = &self.shared.ledger;
        loop {
            self.pass(&settings, lead.is_some()).await?;
            if self.shared.registry.is_draining() {
                return Ok(());
            }
            let Some(lease) = *lead else {
                // Whoever led the batch may be gone.
                *lead = self.claim().await?;
                if lead.is_none() {
                    return Ok(());
                }
                continue;
            };
            if let NextRound::At(moment) = self.next_round(lease).await? {
                self.wait_for(lease, moment).await?;
                continue;
            }
            self.know_tables().await;
            match self.stored(|| ledger.settle(lease)).await? {
                PassOutcome::Unsettled => {}
                PassOutcome::Resolve => {
                    return self.resolve(lease).await;
                }
                PassOutcome::Ended => return Ok(()),
            }
        }
    }

    async fn claim(&self) -> Result<Option<Lease>, LedgerError> {
        let owner = self.shared.owner();
        let ledger = &self.shared.ledger;
        self.stored(|| ledger.claim(self.organization, self.batch, &owner, self.alone))
            .await
    }

    async fn settings(&self) -> Result<Settings, LedgerError> {
        let (config, ontology) = self
            .stored(|| self.shared.ledger.batch_settings(self.batch))
            .await?;
        Ok(Settings {
            config: Arc::new(config),
            ontology,
        })
    }

    async fn next_round(&self, lease: Lease) -> Result<NextRound, LedgerError> {
        let waits = self.shared.settings.rounds;
        self.stored(|| self.shared.ledger.plan_round(lease, waits))
            .await
    }

    async fn wait_for(&self, lease: Lease, moment: DateTime<Utc>) -> Result<(), LedgerError> {
        let wait = moment - self.shared.ledger.clock().now();
        let round = tokio::time::sleep(wait.to_std().unwrap_or_default());
        let drained = self.shared.registry.draining().run_until_cancelled(round);
        if drained.await.is_none() {
            return Err(LedgerError::Fenced(self.batch));
        }
        self.stored(|| self.shared.ledger.begin_round(lease)).await
    }

    /// Lets the database know its tables before much is read of them. Without, all is only slower.
    async fn know_tables(&self) {
        match self.shared.ledger.store().refresh_statistics().await {
            Ok(tables) if tables.is_empty() => {}
            Ok(tables) => tracing::debug!(batch = %self.batch, ?tables, "statistics are new"),
            Err(error) => {
                tracing::warn!(batch = %self.batch, "no statistics: {}", chain(&error));
            }
        }
    }

    /// Does a change until the store takes it: a database that is away comes back, and the batch
    /// goes on.
    async fn stored<T, F>(&self, change: impl Fn() -> F) -> Result<T, LedgerError>
    where
        F: Future<Output = Result<T, LedgerError>>,
    {
        let mut failures = 0;
        loop {
            match change().await {
                Err(error) if error.kind().is_retryable() => {
                    tracing::warn!(batch = %self.batch, "the store is away: {}", chain(&error));
                    tokio::time::sleep(store_backoff(failures)).await;
                    failures += 1;
                }
                result => return result,
            }
        }
    }

    /// Ends a batch that cannot go on. One that another process leads is left to that one.
    async fn give_up(&self, lease: Option<Lease>, error: &LedgerError) {
        let message = chain(error);
        let Some(lease) = lease else {
            tracing::error!(batch = %self.batch, "this process helps no longer: {message}");
            return;
        };
        tracing::error!(batch = %self.batch, "batch failed: {message}");
        let ended = self
            .stored(|| self.shared.ledger.fail_batch(lease, &message))
            .await;
        if let Err(error) = ended {
            tracing::error!(batch = %self.batch, "its failure was not recorded: {}", chain(&error));
        }
    }
}

fn store_backoff(failures: usize) -> Duration {
    STORE_BACKOFF[failures.min(STORE_BACKOFF.len() - 1)]
}
