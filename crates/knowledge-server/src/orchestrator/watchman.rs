//! Keeps this process's leases, takes over what others left, and helps with what others lead.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use knowledge_domain::{ErrorKind, ids::BatchId};

use super::{Shared, runner};
use crate::{store::ledger::LedgerError, text::chain};

/// A lease is extended this many times before it would run out.
const BEATS_PER_LEASE: u32 = 3;

/// How long a process that has looked for work does not look again, whatever it is told.
const NEWS: Duration = Duration::from_millis(500);

/// Keeps the leases and looks for work, until the process drains. With `alone`, no other process
/// can be alive on this database.
pub(super) fn spawn(shared: &Arc<Shared>, alone: bool) {
    spawn_heartbeat(shared);
    let watched = Arc::clone(shared);
    shared.registry.spawn_background(async move {
        let mut round = Round::default();
        loop {
            if let Err(error) = round.look(&watched, alone).await {
                tracing::warn!("looking for work failed: {}", chain(&error));
            }
            let news = async {
                // What is told often is looked at once.
                tokio::time::sleep(NEWS.min(beat(watched.settings.lease))).await;
                watched.ledger.hub().strange().await;
            };
            tokio::select! {
                () = tokio::time::sleep(beat(watched.settings.lease)) => {}
                () = news, if !alone => {}
            }
        }
    });
}

/// What a round found that the next one is to know.
#[derive(Default)]
struct Round {
    /// Batches that this process leads, and does not run.
    strays: HashSet<BatchId>,
}

impl Round {
    async fn look(&mut self, shared: &Arc<Shared>, alone: bool) -> Result<(), LedgerError> {
        self.adopt_strays(shared).await?;
        if alone {
            return Ok(());
        }
        stop_ended(shared).await?;
        match adopt_orphans(shared, false).await? {
            0 => {}
            batches => tracing::info!(batches, "unfinished batches taken over"),
        }
        join_others(shared).await
    }

    /// A batch whose task ended before the batch did goes on. One that is just being started is
    /// given the time until the next round.
    async fn adopt_strays(&mut self, shared: &Arc<Shared>) -> Result<(), LedgerError> {
        let owner = shared.owner();
        let mut strays = HashSet::new();
        for (organization, batch) in shared.ledger.led_by(&owner).await? {
            if shared.registry.runs(batch) {
                continue;
            }
            if !self.strays.contains(&batch) {
                strays.insert(batch);
                continue;
            }
            let claimed = shared.ledger.reclaim(organization, batch, &owner).await?;
            if let Some(lease) = claimed {
                tracing::warn!(%batch, "a batch that had lost its task goes on");
                runner::lead(shared, lease, false);
            }
        }
        self.strays = strays;
        Ok(())
    }
}

pub(super) fn spawn_heartbeat(shared: &Arc<Shared>) {
    let kept = Arc::clone(shared);
    let interval = beat(shared.settings.lease);
    shared.registry.spawn_until_stopped(async move {
        loop {
            tokio::time::sleep(interval).await;
            if let Err(error) = heartbeat(&kept).await {
                // The leases may pass to another process, whose tokens then fence this one.
                tracing::warn!("leases could not be extended: {}", chain(&error));
            }
        }
    });
}

async fn heartbeat(shared: &Shared) -> Result<(), LedgerError> {
    shared.ledger.heartbeat(&shared.owner()).await?;
    let servers = shared.ledger.servers().await?;
    shared.servers.store(servers, Ordering::Relaxed);
    Ok(())
}

fn beat(lease: Duration) -> Duration {
    lease / BEATS_PER_LEASE
}

/// What another process has ended is dropped here as well.
async fn stop_ended(shared: &Arc<Shared>) -> Result<(), LedgerError> {
    let running = shared.registry.batches();
    if running.is_empty() {
        return Ok(());
    }
    for batch in shared.ledger.ended(&running).await? {
        tracing::debug!(%batch, "a batch that has ended is dropped");
        shared.registry.stop(batch);
    }
    Ok(())
}

/// Helps with every batch of which documents wait, and that another process leads.
async fn join_others(shared: &Arc<Shared>) -> Result<(), LedgerError> {
    let waiting = shared.ledger.waiting_elsewhere(&shared.owner()).await?;
    let mut joined: Vec<_> = waiting
        .into_iter()
        .filter(|(_, batch)| !shared.registry.runs(*batch))
        .collect();
    if !joined.is_empty() {
        // Whoever takes documents is known to be alive.
        heartbeat(shared).await?;
    }
    for (organization, batch) in joined.drain(..) {
        runner::join(shared, organization, batch);
    }
    Ok(())
}

/// Takes over every batch that nobody leads; how many. One that this process helps with goes on
/// here, and is taken over when its pass ends.
pub(super) async fn adopt_orphans(
    shared: &Arc<Shared>,
    whatever_lease: bool,
) -> Result<usize, LedgerError> {
    let mut adopted = 0;
    for (organization, batch) in shared.ledger.orphans(whatever_lease).await? {
        if shared.registry.runs(batch) {
            continue;
        }
        match runner::adopt(shared, organization, batch, whatever_lease).await {
            Ok(true) => adopted += 1,
            Ok(false) => {}
            Err(error) if error.kind() == ErrorKind::Permanent => {
                tracing::error!(%batch, "batch cannot be resumed: {}", chain(&error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(adopted)
}
