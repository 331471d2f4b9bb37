//! The end of a batch's log, read once for everybody who watches the batch.
//!
//! One task follows the table and keeps the last events in a window. A subscriber that keeps up is
//! served from the window, so a thousand of them cost one statement a commit; one that has fallen
//! out of it reads the table by itself.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use knowledge_domain::{
    batch::BatchEvent,
    ids::{BatchId, OrganizationId},
};
use tokio::{sync::watch, task::AbortHandle};

use super::{
    event::SharedEvent,
    hub::{EventHub, Watch},
    patience::patiently,
};
use crate::{
    metrics::{FEED_READS, FEEDS, Held},
    store::{StoreError, read::Reads},
    text::chain,
};

/// Events that a window holds.
pub(super) const WINDOW: usize = 1_024;

/// Events that one statement reads.
const PAGE: u64 = 256;

/// A feed waits so long between two reads for each of its subscribers, so that handing events out
/// leaves time for the work that they report. What is committed meanwhile is handed out together.
const PACE: Duration = Duration::from_micros(50);
const SLOWEST_PACE: Duration = Duration::from_millis(250);

/// How far a feed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The sequence of the last event of the window.
    pub(super) last: u64,
    pub(super) state: FeedState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FeedState {
    /// More may come.
    Open,
    /// The batch has ended, and all its events were in the window.
    Ended,
    /// The log cannot be read on.
    Failed,
}

pub(super) struct Feed {
    key: (OrganizationId, BatchId),
    hub: EventHub,
    window: Mutex<VecDeque<Arc<SharedEvent>>>,
    mark: watch::Sender<Mark>,
    reader: OnceLock<AbortHandle>,
    _counted: Held,
}

impl Feed {
    /// Follows the log of a batch from near its end, as long as somebody holds the feed.
    pub(super) fn start(hub: &EventHub, reads: &Reads, batch: BatchId) -> Arc<Self> {
        let feed = Arc::new(Self {
            key: (reads.organization(), batch),
            hub: hub.clone(),
            window: Mutex::default(),
            mark: watch::Sender::new(Mark {
                last: 0,
                state: FeedState::Open,
            }),
            reader: OnceLock::new(),
            _counted: FEEDS.hold(),
        });
        let reader = Reader {
            feed: Arc::downgrade(&feed),
            hub: hub.clone(),
            watch: hub.watch(batch),
            reads: reads.clone(),
            batch,
            after: 0,
        };
        let task = tokio::spawn(reader.run());
        // Set once: the feed was made here.
        let _ = feed.reader.set(task.abort_handle());
        feed
    }

    pub(super) fn key(&self) -> (OrganizationId, BatchId) {
        self.key
    }

    pub(super) fn is_open(&self) -> bool {
        self.mark.borrow().state == FeedState::Open
    }

    /// Changes whenever the window or the state does.
    pub(super) fn subscribe(&self) -> watch::Receiver<Mark> {
        self.mark.subscribe()
    }

    /// At most `limit` events after the sequence `after`; `None` when the window no longer has the
    /// next one, so that it must be read from the table.
    pub(super) fn after(&self, after: u64, limit: usize) -> Option<Vec<Arc<SharedEvent>>> {
        let window = self.lock();
        let Some(first) = window.front().map(|event| event.sequence) else {
            // Nothing was read yet, or nothing is there but what came before.
            return (after >= self.mark.borrow().last).then(Vec::new);
        };
        let next = after.saturating_add(1);
        if next < first {
            return None;
        }
        let skipped = usize::try_from(next - first).unwrap_or(usize::MAX);
        Some(window.iter().skip(skipped).take(limit).cloned().collect())
    }

    fn publish(&self, events: Vec<BatchEvent>) {
        let Some(last) = events.last().map(|event| event.sequence) else {
            return;
        };
        let mut window = self.lock();
        window.extend(events.into_iter().map(|event| Arc::new(event.into())));
        let surplus = window.len().saturating_sub(WINDOW);
        window.drain(..surplus);
        drop(window);
        self.mark.send_modify(|mark| mark.last = last);
    }

    /// The window begins after this sequence.
    fn begin_after(&self, sequence: u64) {
        self.mark.send_modify(|mark| mark.last = sequence);
    }

    fn close(&self, state: FeedState) {
        self.mark.send_modify(|mark| mark.state = state);
    }

    fn pace(&self) -> Duration {
        let subscribers = u32::try_from(self.mark.receiver_count()).unwrap_or(u32::MAX);
        PACE.saturating_mul(subscribers).min(SLOWEST_PACE)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<SharedEvent>>> {
        // The window is consistent at every point where a panic could happen.
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.get() {
            reader.abort();
        }
        self.hub.forget_feed(self.key);
    }
}

/// Follows the table for a feed.
struct Reader {
    feed: Weak<Feed>,
    hub: EventHub,
    watch: Watch,
    reads: Reads,
    batch: BatchId,
    /// The last sequence that was read.
    after: u64,
}

impl Reader {
    async fn run(mut self) {
        let state = match self.follow().await {
            Ok(()) => FeedState::Ended,
            Err(error) => {
                tracing::error!(batch = %self.batch, "the log cannot be read: {}", chain(&error));
                FeedState::Failed
            }
        };
        if let Some(feed) = self.feed.upgrade() {
            feed.close(state);
        }
    }

    /// Returns when the batch has ended, or nobody holds the feed.
    async fn follow(&mut self) -> Result<(), StoreError> {
        self.begin().await?;
        // Whether the batch may have ended, and whether it had before the last page was read.
        let (mut look, mut closing) = (true, false);
        loop {
            // Seen before the table is read: a later commit wakes again.
            self.watch.mark_seen();
            let page = self.page().await?;
            let (empty, full) = (page.is_empty(), page.len() as u64 == PAGE);
            if let Some(last) = page.last() {
                self.after = last.sequence;
                look |= last.kind.is_terminal();
            }
            let Some(feed) = self.feed.upgrade() else {
                return Ok(());
            };
            feed.publish(page);
            let rest = feed.pace();
            drop(feed);
            if empty && closing {
                return Ok(());
            }
            closing = false;
            if full {
                continue;
            }
            if look {
                closing = self.has_ended().await?;
                look = false;
            }
            if !closing {
                tokio::time::sleep(rest).await;
                look = !self.watch.changed(self.hub.recheck_interval()).await;
            }
        }
    }

    /// Takes up the log so near its end that the window holds the rest.
    async fn begin(&mut self) -> Result<(), StoreError> {
        let head = patiently(|| self.reads.batch_head(self.batch)).await?;
        let last = head.map_or(0, |head| head.last_sequence);
        self.after = last.saturating_sub(WINDOW as u64);
        if let Some(feed) = self.feed.upgrade() {
            feed.begin_after(self.after);
        }
        Ok(())
    }

    async fn page(&self) -> Result<Vec<BatchEvent>, StoreError> {
        FEED_READS.add(1);
        patiently(|| self.reads.events_after(self.batch, self.after, PAGE)).await
    }

    /// True of what is no longer there.
    async fn has_ended(&self) -> Result<bool, StoreError> {
        let head = patiently(|| self.reads.batch_head(self.batch)).await?;
        Ok(head.is_none_or(|head| head.stage.is_terminal()))
    }
}
