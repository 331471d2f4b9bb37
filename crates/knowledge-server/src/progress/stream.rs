//! Events as a stream: what is in the table, then what is committed while one watches.
//!
//! A stream holds one page of events at most. A subscriber that falls behind is served from the
//! table, so nothing is dropped and nothing piles up.

use std::{collections::VecDeque, time::Duration};

use futures::{Stream, stream};
use knowledge_domain::{
    batch::{BatchEvent, BatchEventKind},
    ids::{BatchDocumentId, BatchId, ExecutionId, OrganizationId},
};

use super::{EventHub, hub::Watch};
use crate::store::{
    Store, StoreError,
    read::{Reads, WorkflowHead},
};

/// Events read at a time.
const PAGE: u64 = 256;

/// How long a stream waits for a wake-up before it looks for itself: another process that shares
/// the database wakes nobody here.
pub const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Every event of a batch after the sequence `after`, once and in order, then those to come.
///
/// Ends when the batch has ended and all its events are delivered, and at the first error. A
/// retried batch has a terminal event in the middle of its log, which ends nothing.
///
/// # Cancel safety
/// A stream that is dropped leaves nothing behind.
pub fn batch_events(
    store: &Store,
    hub: &EventHub,
    organization: OrganizationId,
    batch: BatchId,
    after: u64,
) -> impl Stream<Item = Result<BatchEvent, StoreError>> + Send + use<> {
    let log = Log {
        reads: store.reads(organization),
        scope: Scope::Batch(batch),
    };
    Tail::new(log, hub.watch(batch), after).into_stream()
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
) -> impl Stream<Item = Result<BatchEvent, StoreError>> + Send + use<> {
    let log = Log {
        reads: store.reads(organization),
        scope: Scope::Workflow {
            execution,
            document: head.document_id,
        },
    };
    Tail::new(log, hub.watch(head.batch_id), after).into_stream()
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
        match self.scope {
            Scope::Batch(batch) => self.reads.events_after(batch, after, PAGE).await,
            Scope::Workflow { document, .. } => {
                self.reads
                    .document_events_after(document, after, PAGE)
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

    /// Whether no event will follow those that are committed; true of what is no longer there.
    async fn ended(&self) -> Result<bool, StoreError> {
        Ok(match self.scope {
            Scope::Batch(batch) => {
                let head = self.reads.batch_head(batch).await?;
                head.is_none_or(|head| head.stage.is_terminal())
            }
            Scope::Workflow { execution, .. } => {
                let head = self.reads.workflow_head(execution).await?;
                head.is_none_or(|head| head.ended)
            }
        })
    }
}

struct Tail {
    log: Log,
    watch: Watch,
    /// The last sequence that was read, shown or not.
    after: u64,
    buffer: VecDeque<BatchEvent>,
    /// The log had ended before the last page was read, so an empty page is the end.
    closing: bool,
    failed: bool,
}

impl Tail {
    fn new(log: Log, watch: Watch, after: u64) -> Self {
        Self {
            log,
            watch,
            after,
            buffer: VecDeque::new(),
            closing: false,
            failed: false,
        }
    }

    fn into_stream(self) -> impl Stream<Item = Result<BatchEvent, StoreError>> + Send {
        stream::unfold(self, |mut tail| async move {
            let item = tail.next().await.transpose()?;
            tail.failed = item.is_err();
            Some((item, tail))
        })
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Result<Option<BatchEvent>, StoreError> {
        if self.failed {
            return Ok(None);
        }
        loop {
            if let Some(event) = self.buffer.pop_front() {
                return Ok(Some(event));
            }
            // Seen before the table is read: a later commit wakes again.
            self.watch.mark_seen();
            if self.read_page().await? {
                self.closing = false;
            } else if self.closing {
                return Ok(None);
            } else if self.log.ended().await? {
                // What was committed between the page and the end is still to be read.
                self.closing = true;
            } else {
                self.watch.changed(RECHECK_INTERVAL).await;
            }
        }
    }

    /// Whether there was anything to read.
    async fn read_page(&mut self) -> Result<bool, StoreError> {
        let page = self.log.page(self.after).await?;
        let Some(last) = page.last() else {
            return Ok(false);
        };
        self.after = last.sequence;
        let log = &self.log;
        self.buffer
            .extend(page.into_iter().filter(|event| log.shows(event)));
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
