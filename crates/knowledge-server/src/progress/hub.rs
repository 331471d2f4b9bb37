//! Wakes whoever watches a batch.
//!
//! The hub carries no events: a woken subscriber reads them from the table after the last one
//! that it saw, so a slow one costs nothing and misses nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use knowledge_domain::ids::BatchId;
use tokio::sync::watch;

/// Tells subscribers the sequence of a batch's last committed event; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct EventHub {
    batches: Arc<Mutex<HashMap<BatchId, watch::Sender<u64>>>>,
}

impl EventHub {
    /// Tells that the events up to `sequence` are committed.
    pub fn notify(&self, batch: BatchId, sequence: u64) {
        let mut batches = self.lock();
        if let Some(sender) = batches.get(&batch) {
            sender.send_if_modified(|last| {
                let later = sequence > *last;
                *last = sequence.max(*last);
                later
            });
            if sender.receiver_count() == 0 {
                batches.remove(&batch);
            }
        }
    }

    /// A receiver that changes whenever events of the batch are committed. Subscribe first, read
    /// the table then: so no event falls between the two.
    #[must_use]
    pub fn subscribe(&self, batch: BatchId) -> watch::Receiver<u64> {
        self.lock()
            .entry(batch)
            .or_insert_with(|| watch::channel(0).0)
            .subscribe()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<BatchId, watch::Sender<u64>>> {
        // The map is consistent at every point where a panic could happen.
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
