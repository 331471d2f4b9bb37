//! The ledger: every change to a batch, as one transaction each.
//!
//! A state change, its event and the counters that it moves are committed together; subscribers
//! are woken after the commit. Every change locks the batch's row first, so changes to one batch
//! follow each other, and whoever races is refused by the state machine or by the lease.

mod change;
mod checkpoint;
mod create;
mod document;
mod finish;
mod lease;
mod resolve;
mod round;
mod steer;

use std::sync::Arc;

pub use change::{Lease, LedgerError};
pub use checkpoint::{Checkpoint, CompletedUnit, FailedUnit, JournaledUnit, StageEntry, UnitKey};
pub use create::{Created, PreparedBatch, PreparedDocument};
pub use document::{DocumentOutcome, DocumentRun, FailedDocument};
pub use finish::PassOutcome;
use knowledge_domain::{Clock, Entropy};
pub use round::NextRound;
pub use steer::SteerOutcome;

use super::Store;
use crate::progress::EventHub;

/// Writes changes to batches; cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    store: Store,
    hub: EventHub,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Ledger {
    /// A ledger that writes to `store` and wakes the subscribers of `hub`.
    pub fn new(
        store: Store,
        hub: EventHub,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            store,
            hub,
            clock,
            entropy,
        }
    }

    /// The store that it writes to.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The hub that it wakes.
    #[must_use]
    pub fn hub(&self) -> &EventHub {
        &self.hub
    }

    /// The clock that stamps its rows.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// The source of its ids.
    #[must_use]
    pub fn entropy(&self) -> &dyn Entropy {
        self.entropy.as_ref()
    }
}
