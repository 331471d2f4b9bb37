//! Wakes whoever watches a batch.
//!
//! The hub carries no events: a woken subscriber reads them from the table after the last one
//! that it saw, so a slow one costs nothing and misses nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
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

    /// Like [`Self::subscribe`], and forgets the batch when the last watch of it is dropped.
    #[must_use]
    pub fn watch(&self, batch: BatchId) -> Watch {
        Watch {
            receiver: Some(self.subscribe(batch)),
            hub: self.clone(),
            batch,
        }
    }

    /// Drops the sender of a batch that nobody watches.
    fn sweep(&self, batch: BatchId) {
        let mut batches = self.lock();
        if batches
            .get(&batch)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            batches.remove(&batch);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<BatchId, watch::Sender<u64>>> {
        // The map is consistent at every point where a panic could happen.
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One subscriber's interest in a batch.
#[derive(Debug)]
pub struct Watch {
    /// `None` only while it is dropped.
    receiver: Option<watch::Receiver<u64>>,
    hub: EventHub,
    batch: BatchId,
}

impl Watch {
    /// Everything that was told so far is old: only what comes later wakes.
    pub fn mark_seen(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            receiver.mark_unchanged();
        }
    }

    /// Waits until events are committed, at most `limit`.
    ///
    /// # Cancel safety
    /// A wait that is dropped loses no wake-up.
    pub async fn changed(&mut self, limit: Duration) {
        let Some(receiver) = &mut self.receiver else {
            return;
        };
        if let Ok(Err(_)) = tokio::time::timeout(limit, receiver.changed()).await {
            // The sender is gone, so nothing will wake this watch before its limit.
            tokio::time::sleep(limit).await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.receiver = None;
        self.hub.sweep(self.batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_nobody_watches_is_forgotten() {
        let hub = EventHub::default();
        let batch = BatchId::from_uuid(uuid::Uuid::from_u128(1));
        let (first, second) = (hub.watch(batch), hub.watch(batch));
        drop(first);
        assert_eq!(hub.lock().len(), 1);
        drop(second);
        assert!(hub.lock().is_empty());
    }

    #[tokio::test]
    async fn what_is_told_before_the_wait_still_wakes() {
        let hub = EventHub::default();
        let batch = BatchId::from_uuid(uuid::Uuid::from_u128(1));
        let mut watch = hub.watch(batch);
        watch.mark_seen();
        hub.notify(batch, 1);
        let woken = watch.changed(Duration::from_hours(1));
        tokio::time::timeout(Duration::from_secs(5), woken)
            .await
            .unwrap();
    }
}
