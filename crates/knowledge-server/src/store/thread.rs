//! Where those run who write all the time.
//!
//! SQLite's connection is a thread. A task of the runtime that asks it for one statement after the
//! other wakes a worker of the runtime for each answer, which wakes another one to look for more
//! work, and both go to sleep again. A writer on a thread of its own is woken alone. It needs no
//! sockets there, so that its runtime has only a clock.

use std::{future::pending, time::Duration};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::oneshot,
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{DbBackend, Store};

/// How long a connection may take to come back to its pool.
const RETURN: Duration = Duration::from_secs(1);

impl Store {
    /// Runs what writes until it ends, or the current runtime does: on SQLite on a thread of its own,
    /// on PostgreSQL as a task.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(in crate::store) fn spawn_writer(
        &self,
        writing: impl Future<Output = ()> + Send + 'static,
    ) {
        if self.backend() != DbBackend::Sqlite {
            tokio::spawn(writing);
            return;
        }
        match Builder::new_current_thread().enable_time().build() {
            Ok(own) => run_on(own, writing),
            Err(error) => {
                tracing::warn!("a writer has no thread of its own, and is slower: {error}");
                tokio::spawn(writing);
            }
        }
    }
}

/// Runs it on a thread with this runtime; dropped, as a task would be, when the current one ends.
fn run_on(own: Runtime, writing: impl Future<Output = ()> + Send + 'static) {
    let (lives, ended) = oneshot::channel::<()>();
    let witness = tokio::spawn(async move {
        let _lives = lives;
        pending::<()>().await;
    });
    spawn_blocking(move || {
        own.block_on(async {
            tokio::select! {
                () = writing => returned().await,
                _ = ended => {}
            }
        });
        witness.abort();
    });
}

/// Waits until the driver has taken back the connection of the last transaction, which it does in a
/// task of this runtime.
async fn returned() {
    let until = Instant::now() + RETURN;
    while Handle::current().metrics().num_alive_tasks() > 0 && Instant::now() < until {
        sleep(Duration::from_millis(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use crate::fixture::Fixture;

    /// What says that it is dropped.
    struct Told(mpsc::Sender<&'static str>);

    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }

    #[test]
    fn a_writer_ends_with_its_runtime() {
        let (tell, told) = mpsc::channel();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let fixture = runtime.block_on(async {
            let fixture = Fixture::new().await;
            let writer = Told(tell);
            fixture.store.spawn_writer(async move {
                writer.0.send("begun").unwrap();
                tokio::time::sleep(Duration::from_hours(1)).await;
                writer.0.send("ended").unwrap();
            });
            fixture
        });
        assert_eq!(told.recv().unwrap(), "begun");
        drop(runtime);
        assert_eq!(told.try_recv().unwrap(), "dropped");
        drop(fixture);
    }
}
