//! The batches that this process runs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use knowledge_domain::ids::{BatchId, ExecutionId};
use tokio::{sync::Notify, task::AbortHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

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
    documents: Mutex<HashMap<ExecutionId, AbortHandle>>,
}

impl BatchRun {
    /// Waits until something happened that the batch's task should look at.
    pub(super) async fn nudged(&self) {
        self.nudge.notified().await;
    }

    /// A document's workflow runs as this task.
    pub(super) fn begin(&self, execution: ExecutionId, task: AbortHandle) {
        lock(&self.documents).insert(execution, task);
    }

    /// The workflows that run, or whose outcome is not recorded yet.
    pub(super) fn held(&self) -> Vec<ExecutionId> {
        lock(&self.documents).keys().copied().collect()
    }

    /// A document's workflow runs no longer.
    pub(super) fn end(&self, execution: ExecutionId) {
        lock(&self.documents).remove(&execution);
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
            if let Some(task) = lock(&run.documents).get(&execution) {
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
