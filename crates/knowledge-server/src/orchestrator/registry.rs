//! The batches that this process runs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use knowledge_domain::ids::{BatchId, ExecutionId};
use tokio::{sync::Notify, task::AbortHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::store::ledger::DocumentRun;

/// The running batches, with the means to stop each.
#[derive(Default)]
pub(super) struct Registry {
    running: Mutex<HashMap<BatchId, Entry>>,
    tasks: TaskTracker,
    /// No document is begun any more.
    draining: CancellationToken,
    /// Documents in flight are dropped.
    stopped: CancellationToken,
    /// Nothing is in flight any more.
    finished: CancellationToken,
}

struct Entry {
    run: Arc<BatchRun>,
    done: CancellationToken,
}

/// One run of a batch in this process.
#[derive(Default)]
pub(super) struct BatchRun {
    cancel: CancellationToken,
    nudge: Notify,
    /// What runs them, with the tokens of their leases.
    documents: Mutex<HashMap<ExecutionId, (i64, AbortHandle)>>,
}

impl BatchRun {
    /// Waits until something happened that the batch's task should look at.
    pub(super) async fn nudged(&self) {
        self.nudge.notified().await;
    }

    /// A document's workflow runs as this task. An earlier one of the same can record nothing more,
    /// and is dropped: the document was ended and given again before this process heard of it.
    pub(super) fn begin(&self, run: &DocumentRun, task: AbortHandle) {
        let earlier = lock(&self.documents).insert(run.execution, (run.token, task));
        if let Some((_, earlier)) = earlier {
            earlier.abort();
        }
    }

    /// The workflows that run, or whose outcome is not recorded yet.
    pub(super) fn held(&self) -> Vec<ExecutionId> {
        lock(&self.documents).keys().copied().collect()
    }

    /// A document's workflow runs no longer; one that was begun since does.
    pub(super) fn end(&self, run: &DocumentRun) {
        let mut documents = lock(&self.documents);
        let is_latest = documents
            .get(&run.execution)
            .is_some_and(|(token, _)| *token == run.token);
        if is_latest {
            documents.remove(&run.execution);
        }
    }
}

impl Registry {
    pub(super) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    pub(super) fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Runs a batch's task; an earlier one of the same batch is stopped.
    pub(super) fn spawn<F>(&self, batch: BatchId, task: impl FnOnce(Arc<BatchRun>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let run = Arc::new(BatchRun {
            cancel: self.stopped.child_token(),
            ..BatchRun::default()
        });
        let done = CancellationToken::new();
        let entry = Entry {
            run: Arc::clone(&run),
            done: done.clone(),
        };
        if let Some(earlier) = lock(&self.running).insert(batch, entry) {
            earlier.run.cancel.cancel();
        }
        let cancel = run.cancel.clone();
        let task = task(run);
        self.tasks.spawn(async move {
            // Dropped, and so told, even when the task panics.
            let _done = done.drop_guard();
            cancel.run_until_cancelled(task).await;
        });
    }

    /// Background tasks that end with the drain.
    pub(super) fn spawn_background<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let draining = self.draining.clone();
        self.tasks.spawn(async move {
            draining.run_until_cancelled(task).await;
        });
    }

    /// Background tasks that go on while documents in flight finish.
    pub(super) fn spawn_until_stopped<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let finished = self.finished.clone();
        tokio::spawn(async move {
            finished.run_until_cancelled(task).await;
        });
    }

    /// Forgets a run that has ended.
    pub(super) fn forget(&self, batch: BatchId, run: &Arc<BatchRun>) {
        let mut running = lock(&self.running);
        if running
            .get(&batch)
            .is_some_and(|entry| Arc::ptr_eq(&entry.run, run))
        {
            running.remove(&batch);
        }
    }

    /// Whether this process runs the batch.
    pub(super) fn runs(&self, batch: BatchId) -> bool {
        // A task that panicked is done, and was not forgotten.
        let running = lock(&self.running);
        running
            .get(&batch)
            .is_some_and(|entry| !entry.done.is_cancelled())
    }

    /// The batches that this process runs.
    pub(super) fn batches(&self) -> Vec<BatchId> {
        lock(&self.running).keys().copied().collect()
    }

    /// Drops what a batch has in flight.
    pub(super) fn stop(&self, batch: BatchId) {
        if let Some(run) = self.run_of(batch) {
            run.cancel.cancel();
        }
    }

    /// Drops what a document has in flight, and has the batch's task look at what changed.
    pub(super) fn stop_document(&self, batch: BatchId, execution: ExecutionId) {
        if let Some(run) = self.run_of(batch) {
            if let Some((_, task)) = lock(&run.documents).get(&execution) {
                task.abort();
            }
            run.nudge.notify_one();
        }
    }

    /// Has the batch's task look at what changed.
    pub(super) fn nudge(&self, batch: BatchId) {
        if let Some(run) = self.run_of(batch) {
            run.nudge.notify_one();
        }
    }

    fn run_of(&self, batch: BatchId) -> Option<Arc<BatchRun>> {
        let running = lock(&self.running);
        running.get(&batch).map(|entry| Arc::clone(&entry.run))
    }

    pub(super) async fn wait(&self, batch: BatchId) {
        let done = lock(&self.running)
            .get(&batch)
            .map(|entry| entry.done.clone());
        if let Some(done) = done {
            done.cancelled().await;
        }
    }

    pub(super) async fn drain(&self, patience: Duration) {
        self.draining.cancel();
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait())
            .await
            .is_err()
        {
            self.stopped.cancel();
            self.tasks.wait().await;
        }
        self.finished.cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The maps are consistent at every point where a panic could happen.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use knowledge_domain::{
        ids::{BatchDocumentId, DocumentId, OrganizationId},
        workflow::RetryOwner,
    };
    use uuid::Uuid;

    use super::*;

    fn run(token: i64) -> DocumentRun {
        DocumentRun {
            organization: OrganizationId::DEFAULT,
            batch: BatchId::from_uuid(Uuid::nil()),
            document: BatchDocumentId::from_uuid(Uuid::nil()),
            content: DocumentId::from_uuid(Uuid::nil()),
            execution: ExecutionId::from_uuid(Uuid::nil()),
            token,
            attempt: 1,
            retry_owner: RetryOwner::Activity,
            fresh: true,
            worker: None,
        }
    }

    #[tokio::test]
    async fn a_run_that_was_given_again_is_the_later_one() {
        let [earlier, later] = [1, 2].map(|_| tokio::spawn(std::future::pending::<()>()));
        let batch = BatchRun::default();
        batch.begin(&run(1), earlier.abort_handle());
        batch.begin(&run(2), later.abort_handle());
        assert!(earlier.await.is_err_and(|error| error.is_cancelled()));
        batch.end(&run(1));
        assert_eq!(batch.held(), [run(2).execution], "the later one runs");
        assert!(!later.is_finished());
        batch.end(&run(2));
        assert!(batch.held().is_empty());
    }
}
