//! The batches that this process runs.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use knowledge_domain::ids::BatchId;
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
    token: i64,
    cancel: CancellationToken,
    done: CancellationToken,
}

impl Registry {
    pub(super) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    pub(super) fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Runs a batch's task, unless the process is about to stop. A later token takes the place of
    /// an earlier one, whose task finds itself fenced.
    pub(super) fn spawn<F>(
        &self,
        batch: BatchId,
        token: i64,
        task: impl FnOnce(CancellationToken) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let cancel = self.stopped.child_token();
        let done = CancellationToken::new();
        let entry = Entry {
            token,
            cancel: cancel.clone(),
            done: done.clone(),
        };
        if let Some(earlier) = self.lock().insert(batch, entry) {
            earlier.cancel.cancel();
        }
        let task = task(cancel);
        self.tasks.spawn(async move {
            // Dropped, and so told, even when the task panics.
            let _done = done.drop_guard();
            task.await;
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

    /// Forgets a batch whose task with this token has ended.
    pub(super) fn forget(&self, batch: BatchId, token: i64) {
        let mut running = self.lock();
        if running
            .get(&batch)
            .is_some_and(|entry| entry.token == token)
        {
            running.remove(&batch);
        }
    }

    /// Drops what a batch has in flight.
    pub(super) fn stop(&self, batch: BatchId) {
        if let Some(entry) = self.lock().get(&batch) {
            entry.cancel.cancel();
        }
    }

    pub(super) async fn wait(&self, batch: BatchId) {
        let done = self.lock().get(&batch).map(|entry| entry.done.clone());
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

    fn lock(&self) -> MutexGuard<'_, HashMap<BatchId, Entry>> {
        // The map is consistent at every point where a panic could happen.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
