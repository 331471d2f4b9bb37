//! Keeps this process's leases and takes over what others left.

use std::{sync::Arc, time::Duration};

use knowledge_domain::ErrorKind;

use super::{Shared, runner};
use crate::{store::ledger::LedgerError, text::chain};

/// A lease is extended this many times before it would run out.
const BEATS_PER_LEASE: u32 = 3;

/// Keeps the leases and looks for orphans, until the process drains.
pub(super) fn spawn(shared: &Arc<Shared>) {
    spawn_heartbeat(shared);
    let watched = Arc::clone(shared);
    shared.registry.spawn_background(async move {
        loop {
            tokio::time::sleep(watched.settings.lease).await;
            match adopt_orphans(&watched, false).await {
                Ok(0) => {}
                Ok(batches) => tracing::info!(batches, "unfinished batches taken over"),
                Err(error) => tracing::warn!("looking for orphans failed: {}", chain(&error)),
            }
        }
    });
}

pub(super) fn spawn_heartbeat(shared: &Arc<Shared>) {
    let kept = Arc::clone(shared);
    let interval = beat(shared.settings.lease);
    shared.registry.spawn_until_stopped(async move {
        loop {
            tokio::time::sleep(interval).await;
            let beat = kept.ledger.heartbeat(&kept.owner);
            if let Err(error) = beat.await {
                // The lease may pass to another process, whose token then fences this one.
                tracing::warn!("leases could not be extended: {}", chain(&error));
            }
        }
    });
}

fn beat(lease: Duration) -> Duration {
    lease / BEATS_PER_LEASE
}

/// Takes over every batch that nobody runs; how many.
pub(super) async fn adopt_orphans(
    shared: &Arc<Shared>,
    whatever_lease: bool,
) -> Result<usize, LedgerError> {
    let mut adopted = 0;
    for (organization, batch) in shared.ledger.orphans(whatever_lease).await? {
        match runner::adopt(shared, organization, batch, whatever_lease).await {
            Ok(true) => adopted += 1,
            Ok(false) => {}
            Err(error) if error.kind() == ErrorKind::Permanent => {
                tracing::error!(batch = %batch, "batch cannot be resumed: {}", chain(&error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(adopted)
}
