//! Group commit: changes that arrive together share a transaction.
//!
//! While one transaction commits, others queue up; the next takes all of them. An idle store
//! commits a change at once, a busy one writes many with a handful of statements and one flush to
//! disk. Each change is acknowledged only when it is durable. A change that writes a graph is written
//! apart (`graphs.rs`), so that a checkpoint does not wait for a graph. How a transaction is made is
//! told in `commit.rs`.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::FutureExt;

use knowledge_domain::{Clock, Entropy, ids::BatchId, workflow::BoxFuture};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    LedgerError,
    again::wait_for_store,
    change::BatchChange,
    commit::{Batches, commit, commit_written, running},
    gather::{GROUP, Gathering},
    graphs::{Graphs, Ready},
    right::Scope,
};
use crate::{
    progress::EventHub,
    store::{FoundGraph, Store},
    text::chain,
};

/// Changes that wait for the writer at most; whoever comes later waits to hand its change in.
const QUEUE: usize = 1_024;

/// What every change needs.
pub(super) struct Environment {
    pub(super) store: Store,
    pub(super) hub: EventHub,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    /// Changes that were refused because somebody else has the right to make them.
    pub(super) fenced: AtomicU64,
}

impl Environment {
    pub(super) fn count<T>(&self, result: &Result<T, LedgerError>) {
        if let Err(LedgerError::Fenced(batch)) = result {
            let refused = self.fenced.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::info!(%batch, refused, "a change was refused: its right has passed on");
        }
    }
}

/// When a change is made.
pub(super) enum When {
    /// With the others that are handed in with it.
    Now,
    /// When its graph can be written. Others need not wait for it, so it is the last of its document.
    WithGraph(FoundGraph),
    /// After the graphs that were handed in before.
    AfterGraphs,
}

impl When {
    /// The graph that is to be written.
    pub(super) fn graph(&self) -> Option<&FoundGraph> {
        match self {
            Self::WithGraph(graph) => Some(graph),
            Self::Now | Self::AfterGraphs => None,
        }
    }
}

/// A change that can be made again in another transaction.
pub(super) trait Change: Send {
    fn scope(&self) -> &Scope;

    fn when(&self) -> &When;

    fn make<'c>(
        &'c mut self,
        change: &'c mut BatchChange,
    ) -> BoxFuture<'c, Result<(), LedgerError>>;

    fn acknowledge(self: Box<Self>, result: Result<(), LedgerError>);
}

/// What a change does; called again where the transaction that it shared was rolled back.
pub(super) trait Command<T>:
    for<'c> FnMut(&'c mut BatchChange) -> BoxFuture<'c, Result<T, LedgerError>> + Send + 'static
{
}

impl<T, F> Command<T> for F where
    F: for<'c> FnMut(&'c mut BatchChange) -> BoxFuture<'c, Result<T, LedgerError>> + Send + 'static
{
}

struct Request<T, F> {
    scope: Scope,
    when: When,
    command: F,
    output: Option<T>,
    reply: oneshot::Sender<Result<T, LedgerError>>,
}

impl<T: Send, F: Command<T>> Change for Request<T, F> {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn when(&self) -> &When {
        &self.when
    }

    fn make<'c>(
        &'c mut self,
        change: &'c mut BatchChange,
    ) -> BoxFuture<'c, Result<(), LedgerError>> {
        Box::pin(async move {
            self.output = Some((self.command)(change).await?);
            Ok(())
        })
    }

    fn acknowledge(self: Box<Self>, result: Result<(), LedgerError>) {
        let batch = self.scope.batch;
        let output = self.output;
        let answer = result.and_then(|()| output.ok_or(LedgerError::Fenced(batch)));
        // Whoever asked may have been cancelled meanwhile; the change is made all the same.
        let _ = self.reply.send(answer);
    }
}

/// The way to the writer's task; the task ends with the last of these.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Change>>,
}

impl Writer {
    /// Starts the writer, which ends with the current runtime.
    pub(super) fn start(env: Arc<Environment>) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        let store = env.store.clone();
        store.spawn_writer(async move {
            let written = AssertUnwindSafe(write_groups(env, requests)).catch_unwind();
            if written.await.is_err() {
                // Without a writer every batch would stall in silence; a restart resumes them all.
                tracing::error!("the writer panicked, which is a defect of knowledge; stopping");
                std::process::exit(1);
            }
        });
        Self { queue }
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Makes a change together with others, and returns when it is durable.
    ///
    /// # Cancel safety
    /// A change that has been handed in is made whether or not the answer is awaited.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        scope: Scope,
        command: impl Command<T>,
    ) -> Result<T, LedgerError> {
        let handed_in = self.hand_in(scope, When::Now, command).await?;
        handed_in.durable().await
    }

    /// Hands a change in. Changes that are made now are made in the order in which they are handed
    /// in.
    pub(super) async fn hand_in<T: Send + 'static>(
        &self,
        scope: Scope,
        when: When,
        command: impl Command<T>,
    ) -> Result<Pending<T>, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let batch = scope.batch;
        let request = Request {
            scope,
            when,
            command,
            output: None,
            reply,
        };
        let handed_in = self.queue.send(Box::new(request)).await;
        handed_in.map_err(|_| LedgerError::Fenced(batch))?;
        Ok(Pending { batch, answer })
    }
}

/// A change that was handed in.
pub struct Pending<T> {
    batch: BatchId,
    answer: oneshot::Receiver<Result<T, LedgerError>>,
}

impl<T> Pending<T> {
    /// Waits until the change is durable.
    ///
    /// # Cancel safety
    /// The change is made whether or not the answer is awaited.
    pub async fn durable(self) -> Result<T, LedgerError> {
        // The writer's task ends with its runtime; the process is stopping.
        let stopped = |_| LedgerError::Fenced(self.batch);
        self.answer.await.map_err(stopped)?
    }
}

async fn write_groups(env: Arc<Environment>, mut requests: mpsc::Receiver<Box<dyn Change>>) {
    let mut memory = Batches::new();
    let mut gathering = Gathering::default();
    let mut graphs = Graphs::new(&env);
    loop {
        let mut group = Vec::new();
        let idle = graphs.is_empty().then(Instant::now);
        let ready = tokio::select! {
            biased;
            received = requests.recv_many(&mut group, GROUP) => match received {
                0 if graphs.is_empty() => return,
                0 => graphs.next().await,
                _ => None,
            },
            ready = graphs.next(), if !graphs.is_empty() => ready,
        };
        if let Some(since) = idle {
            graphs.idled(since);
        }
        if !group.is_empty() {
            gathering.gather(&mut requests, &mut group).await;
        }
        let (light, late): (Vec<_>, _) = group
            .into_iter()
            .partition(|change| matches!(change.when(), When::Now));
        graphs.add(late);
        if !light.is_empty() {
            write_group(&env, &mut memory, light).await;
            graphs.stirred(running(&memory));
        }
        if let Some(ready) = ready.or_else(|| graphs.try_next()) {
            write_ready(&env, &mut memory, &mut graphs, ready).await;
        }
    }
}

/// Writes a change whose graph has come to its turn, or adds it to the transaction that holds its
/// graph.
async fn write_ready(
    env: &Arc<Environment>,
    memory: &mut Batches,
    graphs: &mut Graphs,
    ready: Ready,
) {
    let (change, result) = match ready {
        Ready::Turn(changes) => {
            write_group(env, memory, changes).await;
            return graphs.turned(running(memory));
        }
        Ready::Refused(change, error) => (change, Err(error)),
        Ready::Written(mut change, written) => {
            let result = commit_written(env, memory, &mut change, written).await;
            if let Err(error) = &result
                && error.is_away()
            {
                tracing::warn!(
                    "the store is away, a graph is written again: {}",
                    chain(error)
                );
                graphs.again(change);
                return;
            }
            graphs.settled();
            (change, result)
        }
    };
    env.count(&result);
    change.acknowledge(result);
}

/// Writes a group; where a change is refused, each is made on its own, so that one fails alone.
async fn write_group(
    env: &Arc<Environment>,
    memory: &mut Batches,
    mut group: Vec<Box<dyn Change>>,
) {
    let mut result = patient_commit(env, memory, &mut group).await;
    if result.is_ok() || group.len() == 1 {
        env.count(&result);
        for change in group {
            change.acknowledge(std::mem::replace(&mut result, Ok(())));
        }
        return;
    }
    for change in group {
        let mut alone = vec![change];
        let result = patient_commit(env, memory, &mut alone).await;
        env.count(&result);
        if let Some(change) = alone.pop() {
            change.acknowledge(result);
        }
    }
}

/// Commits a group, however long the store is away: what it holds was worked for, and perhaps paid
/// for.
async fn patient_commit(
    env: &Arc<Environment>,
    memory: &mut Batches,
    group: &mut [Box<dyn Change>],
) -> Result<(), LedgerError> {
    let mut failures = 0;
    loop {
        match commit(env, memory, group).await {
            // Nothing is remembered of the batch any more, so that it is read.
            Err(LedgerError::Stale(_)) => {}
            Err(error) if error.is_away() => wait_for_store(&error, &mut failures).await,
            result => return result,
        }
    }
}
