//! Wakes whoever watches a batch, and knows what is watched.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use knowledge_domain::ids::{BatchId, OrganizationId};
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};

use super::feed::Feed;
use crate::{metrics::LISTENING, store::read::Reads};

/// How long a feed waits for a wake-up before it looks for itself, where another process that
/// shares the database may have nobody to wake here.
const ALONE: Duration = Duration::from_secs(1);

/// The same, where every server's commits are told here: only a message that was lost with its
/// connection, unnoticed, is found by looking.
const TOLD: Duration = Duration::from_secs(15);

/// Subscribers that read the table at a time; the others wait, and the engine keeps its
/// connections.
const CATCHING_UP: usize = 2;

/// Tells subscribers the sequence of a batch's last committed event; cheap to clone.
#[derive(Clone)]
pub struct EventHub {
    shared: Arc<Shared>,
}

struct Shared {
    batches: Mutex<HashMap<BatchId, watch::Sender<u64>>>,
    feeds: Mutex<HashMap<(OrganizationId, BatchId), Weak<Feed>>>,
    told: AtomicBool,
    catching_up: Semaphore,
    strange: Notify,
}

impl Default for EventHub {
    fn default() -> Self {
        Self {
            shared: Arc::new(Shared {
                batches: Mutex::default(),
                feeds: Mutex::default(),
                told: AtomicBool::new(false),
                catching_up: Semaphore::new(CATCHING_UP),
                strange: Notify::new(),
            }),
        }
    }
}

impl fmt::Debug for EventHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventHub").finish_non_exhaustive()
    }
}

impl EventHub {
    /// Waits until something is told of a batch that nobody here watches: another process may have
    /// started it.
    pub async fn strange(&self) {
        self.shared.strange.notified().await;
    }

    /// Tells that the events up to `sequence` are committed.
    pub fn notify(&self, batch: BatchId, sequence: u64) {
        let mut batches = self.batches();
        if !batches.contains_key(&batch) {
            self.shared.strange.notify_one();
        }
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

    /// Wakes everybody to look for themselves: something may have been committed unheard.
    pub fn recheck(&self) {
        for sender in self.batches().values() {
            sender.send_modify(|_| {});
        }
    }

    /// Whether every server's commits are told here from now on.
    pub fn set_told(&self, told: bool) {
        self.shared.told.store(told, Ordering::Relaxed);
        LISTENING.set(told.into());
    }

    /// How long to wait for a wake-up before looking.
    pub(super) fn recheck_interval(&self) -> Duration {
        if self.shared.told.load(Ordering::Relaxed) {
            TOLD
        } else {
            ALONE
        }
    }

    /// A receiver that changes whenever events of the batch are committed. Watch first, read the
    /// table then: so no event falls between the two. The batch is forgotten when its last watch is
    /// dropped.
    #[must_use]
    pub fn watch(&self, batch: BatchId) -> Watch {
        let receiver = self
            .batches()
            .entry(batch)
            .or_insert_with(|| watch::channel(0).0)
            .subscribe();
        Watch {
            receiver: Some(receiver),
            hub: self.clone(),
            batch,
        }
    }

    /// The end of a batch's log, shared by all who watch the batch.
    pub(super) fn feed(&self, reads: &Reads, batch: BatchId) -> Arc<Feed> {
        let key = (reads.organization(), batch);
        // Declared first, so dropped after the lock: the last holder of a feed takes the lock.
        let existing;
        let mut feeds = self.feeds();
        existing = feeds.get(&key).and_then(Weak::upgrade);
        if let Some(feed) = existing.as_ref().filter(|feed| feed.is_open()) {
            return Arc::clone(feed);
        }
        let feed = Feed::start(self, reads, batch);
        feeds.insert(feed.key(), Arc::downgrade(&feed));
        feed
    }

    /// Forgets a feed that nobody holds.
    pub(super) fn forget_feed(&self, key: (OrganizationId, BatchId)) {
        let mut feeds = self.feeds();
        if feeds.get(&key).is_some_and(|feed| feed.strong_count() == 0) {
            feeds.remove(&key);
        }
    }

    /// Waits for its turn to read the table for one subscriber.
    pub(super) async fn catch_up(&self) -> Option<SemaphorePermit<'_>> {
        // Never closed.
        self.shared.catching_up.acquire().await.ok()
    }

    /// Drops the sender of a batch that nobody watches.
    fn sweep(&self, batch: BatchId) {
        let mut batches = self.batches();
        if batches
            .get(&batch)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            batches.remove(&batch);
        }
    }

    fn batches(&self) -> MutexGuard<'_, HashMap<BatchId, watch::Sender<u64>>> {
        // The map is consistent at every point where a panic could happen.
        let batches = self.shared.batches.lock();
        batches.unwrap_or_else(PoisonError::into_inner)
    }

    fn feeds(&self) -> MutexGuard<'_, HashMap<(OrganizationId, BatchId), Weak<Feed>>> {
        let feeds = self.shared.feeds.lock();
        feeds.unwrap_or_else(PoisonError::into_inner)
    }
}

/// An interest in a batch.
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

    /// Waits until events are committed, at most `limit`; whether it was woken.
    ///
    /// # Cancel safety
    /// A wait that is dropped loses no wake-up.
    pub async fn changed(&mut self, limit: Duration) -> bool {
        let Some(receiver) = &mut self.receiver else {
            return false;
        };
        match tokio::time::timeout(limit, receiver.changed()).await {
            Ok(Ok(())) => true,
            Ok(Err(_)) => {
                // The sender is gone, so nothing will wake this watch before its limit.
                tokio::time::sleep(limit).await;
                false
            }
            Err(_) => false,
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
    use crate::fixture::Fixture;

    #[test]
    fn a_batch_that_nobody_watches_is_forgotten() {
        let hub = EventHub::default();
        let batch = BatchId::from_uuid(uuid::Uuid::from_u128(1));
        let (first, second) = (hub.watch(batch), hub.watch(batch));
        drop(first);
        assert_eq!(hub.batches().len(), 1);
        drop(second);
        assert!(hub.batches().is_empty());
    }

    #[tokio::test]
    async fn what_is_told_before_the_wait_still_wakes() {
        let hub = EventHub::default();
        let batch = BatchId::from_uuid(uuid::Uuid::from_u128(1));
        let mut watch = hub.watch(batch);
        watch.mark_seen();
        hub.notify(batch, 1);
        let woken = watch.changed(Duration::from_hours(1));
        assert!(
            tokio::time::timeout(Duration::from_secs(5), woken)
                .await
                .unwrap()
        );
        hub.recheck();
        let woken = watch.changed(Duration::from_hours(1));
        assert!(
            tokio::time::timeout(Duration::from_secs(5), woken)
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn all_who_watch_a_batch_share_its_feed_and_the_last_takes_it_along() {
        let fixture = Fixture::new().await;
        let hub = EventHub::default();
        let reads = fixture.store.reads(fixture.organization);
        let batch = fixture
            .batch(1, knowledge_domain::batch::BatchStage::Chunking)
            .await;
        let (first, second) = (hub.feed(&reads, batch), hub.feed(&reads, batch));
        assert!(Arc::ptr_eq(&first, &second));
        drop((first, second));
        assert!(hub.feeds().is_empty());
        // Its reader is gone as soon as it is scheduled, and with it the watch.
        for _ in 0..200 {
            if hub.batches().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the feed's reader lives on");
    }
}
