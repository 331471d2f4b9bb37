//! The ledger: every change to a batch, as one transaction each.
//!
//! A state change, its event and the counters that it moves are committed together; subscribers
//! are woken after the commit. Every change locks the batch's row before it writes anything else of
//! the batch (`change/flush.rs`), so changes to one batch follow each other, and whoever races is
//! refused by the state machine or by the lease (`right.rs`). What many documents do at once is
//! committed in groups (`writer.rs`).

mod again;
mod attempt;
mod batch_workflow;
mod budget;
mod change;
mod checkpoint;
mod coalesce;
mod commit;
mod create;
mod document;
mod error;
mod execution;
mod finish;
mod gather;
mod graphs;
mod journal;
mod lease;
mod lull;
mod meaning;
mod memory;
mod parity;
mod partial;
mod proof;
mod quarantine;
mod resolve;
mod right;
mod round;
mod rows;
mod signal;
mod steer;
mod suspend;
pub(in crate::store) mod tally;
mod turn;
mod writer;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

pub use attempt::Taken;
pub use budget::Raised;
pub use checkpoint::{Advice, Checkpoint, StageEntry};
pub use create::{Created, PreparedBatch, PreparedDocument};
pub use document::{DocumentOutcome, FailedDocument};
pub use error::LedgerError;
pub use finish::PassOutcome;
pub use journal::{CompletedUnit, FailedUnit, JournaledUnit, StagedUnit, UnitKey};
use knowledge_domain::{Clock, Entropy};
pub use lease::Owner;
pub use meaning::Told;
pub use resolve::{Resolved, Resolving};
pub use right::Lease;
pub use round::NextRound;
pub use signal::{SignalError, Signalled};
pub use steer::SteerOutcome;
pub use suspend::SuspendedRun;
pub use turn::{DocumentRun, StartRequest, Started};
pub use writer::Pending;
use writer::{Environment, Writer};

use super::Store;
use crate::progress::EventHub;

/// Writes changes to batches; cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    env: Arc<Environment>,
    writer: Writer,
}

impl Ledger {
    /// A ledger that writes to `store` and wakes the subscribers of `hub`. Its writer is a task of
    /// the current runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(
        store: Store,
        hub: EventHub,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let env = Arc::new(Environment {
            store,
            hub,
            clock,
            entropy,
            fenced: AtomicU64::new(0),
        });
        let writer = Writer::start(Arc::clone(&env));
        Self { env, writer }
    }

    /// Whether its writer runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.writer.is_alive()
    }

    /// Changes that were refused since it began, because their batch had ended or been steered,
    /// or their document had passed to another process.
    #[must_use]
    pub fn fenced_writes(&self) -> u64 {
        self.env.fenced.load(Ordering::Relaxed)
    }

    /// The store that it writes to.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.env.store
    }

    /// The hub that it wakes.
    #[must_use]
    pub fn hub(&self) -> &EventHub {
        &self.env.hub
    }

    /// The clock that stamps its rows.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.env.clock.as_ref()
    }

    /// The source of its ids.
    #[must_use]
    pub fn entropy(&self) -> &dyn Entropy {
        self.env.entropy.as_ref()
    }
}
