//! Group commit: changes that arrive together share a transaction.
//!
//! While one transaction commits, others queue up; the next takes all of them. An idle store
//! commits a change at once, a busy one writes many with a handful of statements and one flush to
//! disk. Each change is acknowledged only when it is durable. A change that writes a graph is written
//! apart (`graphs.rs`), so that a checkpoint does not wait for a graph.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;

use knowledge_domain::{
    Clock, Entropy,
    ids::{BatchId, ExtractionId},
    workflow::BoxFuture,
};
use sea_orm::DatabaseTransaction;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    LedgerError,
    change::{BatchChange, Remembered},
    gather::{GROUP, Gathering},
    graphs::{Graphs, Ready, Written},
    right::Scope,
};
use crate::{
    faults::{FailurePoint, hit},
    metrics::{CHANGES, COMMITS},
    progress::EventHub,
    store::{FoundGraph, Store, StoreError},
    text::chain,
};

/// Changes that wait for the writer at most; whoever comes later waits to hand its change in.
const QUEUE: usize = 1_024;

/// Times that a change of a user is tried before it is answered with the database's error.
const TRIES: u32 = 3;

/// The waits while the store is away. The pool itself waits for a connection meanwhile.
const AWAY: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

/// What the last group left of each batch that still runs.
type Memory = BTreeMap<BatchId, Remembered>;

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
    fn count<T>(&self, result: &Result<T, LedgerError>) {
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
    /// Starts the writer's task on the current runtime.
    pub(super) fn start(env: Arc<Environment>) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
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
    let mut memory = Memory::new();
    let mut gathering = Gathering::default();
    let mut graphs = Graphs::new(&env);
    loop {
        let mut group = Vec::new();
        let ready = tokio::select! {
            biased;
            received = requests.recv_many(&mut group, GROUP) => match received {
                0 if graphs.is_empty() => return,
                0 => graphs.next().await,
                _ => None,
            },
            ready = graphs.next(), if !graphs.is_empty() => ready,
        };
        gathering.gather(&mut requests, &mut group).await;
        let (light, late) = group
            .into_iter()
            .partition(|change| matches!(change.when(), When::Now));
        graphs.add(late);
        write_group(&env, &mut memory, light).await;
        if let Some(ready) = ready.or_else(|| graphs.try_next()) {
            write_ready(&env, &mut memory, &mut graphs, ready).await;
        }
    }
}

/// Writes a change whose graph has come to its turn, or adds it to the transaction that holds its
/// graph.
async fn write_ready(
    env: &Arc<Environment>,
    memory: &mut Memory,
    graphs: &mut Graphs,
    ready: Ready,
) {
    let (change, result) = match ready {
        Ready::Turn(changes) => return write_group(env, memory, changes).await,
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
async fn write_group(env: &Arc<Environment>, memory: &mut Memory, mut group: Vec<Box<dyn Change>>) {
    if group.is_empty() {
        return;
    }
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
    memory: &mut Memory,
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

/// Makes a change in a transaction of its own, outside the queue: for what takes long or is rare.
pub(super) async fn commit_alone<T: Send>(
    env: &Arc<Environment>,
    scope: Scope,
    mut command: impl for<'c> FnMut(&'c mut BatchChange) -> BoxFuture<'c, Result<T, LedgerError>> + Send,
) -> Result<T, LedgerError> {
    let mut tries = 1;
    loop {
        match attempt_alone(env, &scope, &mut command).await {
            Err(error) if error.kind().is_retryable() && tries < TRIES => tries += 1,
            result => {
                env.count(&result);
                return result;
            }
        }
    }
}

async fn attempt_alone<T: Send>(
    env: &Arc<Environment>,
    scope: &Scope,
    command: &mut (
             impl for<'c> FnMut(&'c mut BatchChange) -> BoxFuture<'c, Result<T, LedgerError>> + Send
         ),
) -> Result<T, LedgerError> {
    let tx = Arc::new(env.store.begin().await?);
    let found = BatchChange::begin(env, &tx, scope.batch).await?;
    let mut change = found.ok_or(LedgerError::NotFound(scope.batch))?;
    change.read(std::slice::from_ref(scope)).await?;
    change.admit(scope)?;
    let output = command(&mut change).await?;
    change.flush().await?;
    finish(env, tx, vec![change]).await?;
    Ok(output)
}

/// Does something again while the database rolls it back for a reason that passes: a deadlock, a
/// broken connection.
pub(super) async fn persistently<T, F>(work: impl Fn() -> F) -> Result<T, LedgerError>
where
    F: Future<Output = Result<T, LedgerError>>,
{
    let mut tries = 1;
    loop {
        match work().await {
            Err(error) if error.kind().is_retryable() && tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

/// Does something again until the store answers, however long that takes.
pub(super) async fn patiently<T, F>(work: impl Fn() -> F) -> Result<T, LedgerError>
where
    F: Future<Output = Result<T, LedgerError>>,
{
    let mut failures = 0;
    loop {
        match work().await {
            Err(error) if error.is_away() => wait_for_store(&error, &mut failures).await,
            result => return result,
        }
    }
}

async fn wait_for_store(error: &LedgerError, failures: &mut usize) {
    tracing::warn!("the store is away, waiting for it: {}", chain(error));
    tokio::time::sleep(away(*failures)).await;
    *failures += 1;
}

/// How long to wait after so many failures and another one.
pub(super) fn away(failures: usize) -> Duration {
    AWAY[failures.min(AWAY.len() - 1)]
}

/// Makes the changes of a group in one transaction. What is remembered of its batches is used up,
/// and renewed when the transaction is committed.
async fn commit(
    env: &Arc<Environment>,
    memory: &mut Memory,
    group: &mut [Box<dyn Change>],
) -> Result<(), LedgerError> {
    let begun = Instant::now();
    let tx = Arc::new(env.store.begin_group().await?);
    let changes = make(env, memory, &tx, group, None).await?;
    commit_made(env, memory, tx, changes).await?;
    COMMITS.observe(begun.elapsed());
    CHANGES.add(group.len());
    Ok(())
}

/// Makes a change in the transaction that holds its graph, and commits it.
async fn commit_written(
    env: &Arc<Environment>,
    memory: &mut Memory,
    change: &mut Box<dyn Change>,
    written: Written,
) -> Result<(), LedgerError> {
    let begun = Instant::now();
    let Written { tx, extraction } = written;
    let group = std::slice::from_mut(change);
    let made = match make(env, memory, &tx, group, Some(extraction)).await {
        // Nothing is remembered of the batch any more, so that it is read; the graph stays.
        Err(LedgerError::Stale(_)) => make(env, memory, &tx, group, Some(extraction)).await,
        made => made,
    };
    commit_made(env, memory, tx, made?).await?;
    COMMITS.observe(begun.elapsed());
    CHANGES.add(1);
    Ok(())
}

/// Makes changes in a transaction that may hold the graph of the only one of them already.
async fn make(
    env: &Arc<Environment>,
    memory: &mut Memory,
    tx: &Arc<DatabaseTransaction>,
    group: &mut [Box<dyn Change>],
    written: Option<ExtractionId>,
) -> Result<Vec<BatchChange>, LedgerError> {
    let mut changes = opened(env, memory, tx, scopes_of(group)).await?;
    for request in group {
        let scope = *request.scope();
        let change = changes
            .get_mut(&scope.batch)
            .ok_or(LedgerError::NotFound(scope.batch))?;
        change.written = written;
        let made = match change.admit(&scope) {
            Ok(()) => request.make(change).await,
            refused => refused,
        };
        if made.is_err() {
            // Nothing is refused for what is not so any more.
            change.confirm().await?;
        }
        made?;
    }
    for change in changes.values_mut() {
        change.flush().await?;
        change.confirm().await?;
    }
    Ok(changes.into_values().collect())
}

async fn commit_made(
    env: &Environment,
    memory: &mut Memory,
    tx: Arc<DatabaseTransaction>,
    changes: Vec<BatchChange>,
) -> Result<(), LedgerError> {
    hit(FailurePoint::GroupBeforeCommit);
    let remembered = finish(env, tx, changes).await?;
    hit(FailurePoint::GroupAfterCommit);
    memory.extend(remembered);
    Ok(())
}

/// The batches of a group with what its changes are of.
fn scopes_of(group: &[Box<dyn Change>]) -> BTreeMap<BatchId, Vec<Scope>> {
    let mut scopes: BTreeMap<BatchId, Vec<Scope>> = BTreeMap::new();
    for request in group {
        let scope = *request.scope();
        scopes.entry(scope.batch).or_default().push(scope);
    }
    scopes
}

/// The batches with the documents that are changed. They are locked in the order of their ids, so
/// that two processes never wait for each other: here, or where all are remembered, when they are
/// written.
async fn opened(
    env: &Arc<Environment>,
    memory: &mut Memory,
    tx: &Arc<DatabaseTransaction>,
    scopes: BTreeMap<BatchId, Vec<Scope>>,
) -> Result<BTreeMap<BatchId, BatchChange>, LedgerError> {
    let mut changes = BTreeMap::new();
    let all_remembered = scopes.keys().all(|batch| memory.contains_key(batch));
    for (batch, scopes) in scopes {
        let change = match memory.remove(&batch) {
            Some(remembered) => Some(BatchChange::remembering(env, tx, remembered)),
            None => BatchChange::begin(env, tx, batch).await?,
        };
        if let Some(mut change) = change {
            if !all_remembered {
                change.confirm().await?;
            }
            change.read(&scopes).await?;
            changes.insert(batch, change);
        }
    }
    Ok(changes)
}

/// Commits, and wakes the subscribers of what has changed; what can be remembered of each batch.
///
/// # Errors
/// When it is certain that nothing was committed.
pub(super) async fn finish(
    env: &Environment,
    tx: Arc<DatabaseTransaction>,
    changes: Vec<BatchChange>,
) -> Result<Memory, LedgerError> {
    let proof = changes.iter().find_map(BatchChange::proof);
    let announced: Vec<_> = changes.iter().map(BatchChange::announcement).collect();
    let remembered = changes
        .into_iter()
        .filter_map(|change| Some((change.batch_id(), change.remember()?)))
        .collect();
    let tx = Arc::try_unwrap(tx)
        .map_err(|_| StoreError::corrupt("a transaction that is still in use"))?;
    if let Err(error) = tx.commit().await.map_err(LedgerError::from) {
        let committed = match proof {
            Some(proof) if error.is_away() => proof.is_there(env).await?,
            _ => false,
        };
        if !committed {
            return Err(error);
        }
        tracing::info!("the answer to a commit was lost; the commit was made");
    }
    for announce in announced {
        announce.send();
    }
    Ok(remembered)
}
