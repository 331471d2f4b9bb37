//! Events as a stream: what is in the table, then what is committed while one watches.
//!
//! A stream holds a few events at most. A subscriber that falls behind is served from the table, so
//! nothing is dropped and nothing piles up.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::{Stream, stream};
use knowledge_domain::{
    batch::{BatchEvent, BatchEventKind},
    ids::{BatchDocumentId, BatchId, ExecutionId, OrganizationId},
};
use tokio::sync::watch;

use super::{
    EventHub, SharedEvent,
    feed::{Feed, FeedState, Mark},
    patience::patiently,
};
use crate::{
    metrics::CATCH_UP_READS,
    store::{
        Store, StoreError,
        read::{Reads, WorkflowHead},
    },
};

/// Events that a stream takes at a time.
const PAGE: usize = 64;

/// How long a log that could not be read is left alone.
const BROKEN: Duration = Duration::from_secs(1);

/// Every event of a batch after the sequence `after`, once and in order, then those to come.
///
/// Ends when the batch has ended and all its events are delivered, and at the first error that does
/// not pass. A retried batch has a terminal event in the middle of its log, which ends nothing.
///
/// # Cancel safety
/// A stream that is dropped leaves nothing behind.
pub fn batch_events(
    store: &Store,
    hub: &EventHub,
    organization: OrganizationId,
    batch: BatchId,
    after: u64,
) -> impl Stream<Item = Result<Arc<SharedEvent>, StoreError>> + Send + use<> {
    let log = Log {
        reads: store.reads(organization),
        scope: Scope::Batch(batch),
    };
    Tail::new(log, hub, batch, after).into_stream()
}

/// Every `StageProgress` of a workflow after the sequence `after`, once and in order, then those
/// to come. Ends when the workflow has ended and will not be taken up again in this run.
///
/// # Cancel safety
/// A stream that is dropped leaves nothing behind.
pub fn workflow_events(
    store: &Store,
    hub: &EventHub,
    organization: OrganizationId,
    execution: ExecutionId,
    head: WorkflowHead,
    after: u64,
) -> impl Stream<Item = Result<Arc<SharedEvent>, StoreError>> + Send + use<> {
    let log = Log {
        reads: store.reads(organization),
        scope: Scope::Workflow {
            execution,
            document: head.document_id,
        },
    };
    Tail::new(log, hub, head.batch_id, after).into_stream()
}

/// What is watched.
enum Scope {
    Batch(BatchId),
    Workflow {
        execution: ExecutionId,
        document: BatchDocumentId,
    },
}

struct Log {
    reads: Reads,
    scope: Scope,
}

impl Log {
    async fn page(&self, after: u64) -> Result<Vec<BatchEvent>, StoreError> {
        let limit = PAGE as u64;
        match self.scope {
            Scope::Batch(batch) => self.reads.events_after(batch, after, limit).await,
            Scope::Workflow { document, .. } => {
                self.reads
                    .document_events_after(document, after, limit)
                    .await
            }
        }
    }

    /// Whether a subscriber wants to see the event.
    fn shows(&self, event: &BatchEvent) -> bool {
        match (&self.scope, &event.kind) {
            (Scope::Batch(_), _) => true,
            (Scope::Workflow { execution, .. }, BatchEventKind::StageProgress(report)) => {
                report.workflow_execution_id == *execution
            }
            (Scope::Workflow { .. }, _) => false,
        }
    }

    /// Whether the event may be the last that a subscriber sees, though more follow in the batch.
    fn may_end(&self, event: &BatchEvent) -> bool {
        match (&self.scope, event.kind.document_id()) {
            (Scope::Batch(_), _) => false,
            (Scope::Workflow { document, .. }, Some(about)) => about == *document,
            (Scope::Workflow { .. }, None) => true,
        }
    }
}

struct Tail {
    log: Log,
    hub: EventHub,
    feed: Arc<Feed>,
    mark: watch::Receiver<Mark>,
    /// The last sequence that was taken, shown or not.
    after: u64,
    buffer: VecDeque<Arc<SharedEvent>>,
    /// A workflow may have ended, and had before the last events were taken.
    look: bool,
    closing: bool,
    failed: bool,
}

impl Tail {
    fn new(log: Log, hub: &EventHub, batch: BatchId, after: u64) -> Self {
        let feed = hub.feed(&log.reads, batch);
        Self {
            look: matches!(log.scope, Scope::Workflow { .. }),
            log,
            hub: hub.clone(),
            mark: feed.subscribe(),
            feed,
            after,
            buffer: VecDeque::new(),
            closing: false,
            failed: false,
        }
    }

    fn into_stream(self) -> impl Stream<Item = Result<Arc<SharedEvent>, StoreError>> + Send {
        stream::unfold(self, |mut tail| async move {
            let item = tail.next().await.transpose()?;
            tail.failed = item.is_err();
            Some((item, tail))
        })
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Result<Option<Arc<SharedEvent>>, StoreError> {
        if self.failed {
            return Ok(None);
        }
        loop {
            if let Some(event) = self.buffer.pop_front() {
                return Ok(Some(event));
            }
            // Seen before the window is read: what comes later changes it again.
            let mark = *self.mark.borrow_and_update();
            match self.window(mark) {
                None => self.read_page(mark).await?,
                Some(events) if events.is_empty() => {
                    if self.has_ended(mark).await? {
                        return Ok(None);
                    }
                }
                Some(events) => self.take(events),
            }
        }
    }

    /// What the feed has for this subscriber; `None` when it must read the table.
    fn window(&self, mark: Mark) -> Option<Vec<Arc<SharedEvent>>> {
        if mark.state == FeedState::Failed {
            return None;
        }
        self.feed.after(self.after, PAGE)
    }

    fn take(&mut self, events: Vec<Arc<SharedEvent>>) {
        self.closing = false;
        if let Some(last) = events.last() {
            self.after = last.sequence;
        }
        self.look |= events.iter().any(|event| self.log.may_end(event));
        let log = &self.log;
        self.buffer
            .extend(events.into_iter().filter(|event| log.shows(event)));
    }

    /// Takes events from the table, in turn with others: so a crowd that joins late does not take
    /// the engine's connections.
    async fn read_page(&mut self, mark: Mark) -> Result<(), StoreError> {
        let turn = self.hub.catch_up().await;
        CATCH_UP_READS.add(1);
        let page = patiently(|| self.log.page(self.after)).await?;
        drop(turn);
        let whole = page.len() < PAGE;
        if page.is_empty() && mark.state == FeedState::Failed {
            tokio::time::sleep(BROKEN).await;
        }
        self.take(
            page.into_iter()
                .map(|event| Arc::new(event.into()))
                .collect(),
        );
        if whole && mark.state != FeedState::Failed {
            // What the table had of this log is read, up to what the feed had before.
            self.after = self.after.max(mark.last);
        }
        Ok(())
    }

    /// Whether nothing follows what was taken; waits for more where something may.
    async fn has_ended(&mut self, mark: Mark) -> Result<bool, StoreError> {
        if mark.state == FeedState::Ended || self.closing {
            return Ok(true);
        }
        let Scope::Workflow { execution, .. } = self.log.scope else {
            // The feed lives as long as this subscriber, so its sender does.
            let _ = self.mark.changed().await;
            return Ok(false);
        };
        if self.look {
            self.look = false;
            let reads = &self.log.reads;
            let head = patiently(|| reads.workflow_head(execution)).await?;
            if head.is_none_or(|head| head.ended) {
                // What was committed between the last event and the end is still to be read.
                self.catch_up().await?;
                self.closing = true;
                return Ok(false);
            }
        }
        let limit = self.hub.recheck_interval();
        let changed = tokio::time::timeout(limit, self.mark.changed()).await;
        self.look |= changed.is_err();
        Ok(false)
    }

    /// Takes what the table has of a workflow, which the feed may not have yet.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        loop {
            let page = patiently(|| self.log.page(self.after)).await?;
            if page.is_empty() {
                return Ok(());
            }
            self.take(
                page.into_iter()
                    .map(|event| Arc::new(event.into()))
                    .collect(),
            );
        }
    }
}

#[cfg(test)]
mod tests;
