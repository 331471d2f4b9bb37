//! Group commit of what calls record: while one transaction commits, the next gathers.

use std::sync::Arc;

use knowledge_domain::{ErrorKind, ids::BatchId};
use sea_orm::DatabaseTransaction;
use tokio::sync::{mpsc, oneshot};

use super::{
    CallIntent, CallKey, Environment, Intended, Settled, Settlement,
    account::Charges,
    breakers::{self, SavedBreaker},
    gather::{Gathering, take_waiting},
    intent,
};
use crate::{store::StoreError, text::chain};

/// Operations that share a transaction at most.
pub(super) const GROUP: usize = 128;

/// Times that a transaction is tried while the database rolls it back for a reason that passes.
const TRIES: u32 = 3;

type Done = oneshot::Sender<Result<(), StoreError>>;

/// One thing to be recorded.
pub(super) enum Operation {
    Intend {
        intent: Box<CallIntent>,
        came_to: Option<Intended>,
        done: oneshot::Sender<Result<Intended, StoreError>>,
    },
    Settle {
        settlement: Settlement,
        done: Done,
    },
    Forget {
        key: CallKey,
        done: Done,
    },
    KeepBreaker {
        breaker: SavedBreaker,
        done: Done,
    },
}

/// The way to the writer's task; the task ends with the last of these.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::UnboundedSender<Operation>,
}

impl Writer {
    pub(super) fn start(env: Arc<Environment>) -> Self {
        // At most as many wait as there are calls on their way.
        let (queue, operations) = mpsc::unbounded_channel();
        let store = env.store.clone();
        store.spawn_writer(write(env, operations));
        Self { queue }
    }

    pub(super) async fn intend(&self, intent: CallIntent) -> Result<Intended, StoreError> {
        let (done, answer) = oneshot::channel();
        let operation = Operation::Intend {
            intent: Box::new(intent),
            came_to: None,
            done,
        };
        self.queue.send(operation).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    pub(super) async fn submit(
        &self,
        operation: impl FnOnce(Done) -> Operation,
    ) -> Result<(), StoreError> {
        self.hand_in(operation).durable().await
    }

    /// Hands an operation in; what is handed in later is recorded later, or with it.
    pub(super) fn hand_in(&self, operation: impl FnOnce(Done) -> Operation) -> HandedIn {
        let (done, answer) = oneshot::channel();
        // Without a writer the operation is dropped, and with it its side of the answer.
        let _ = self.queue.send(operation(done));
        HandedIn { answer }
    }

    pub(super) fn abandon(&self, key: CallKey, batch: Option<BatchId>) {
        let (done, _) = oneshot::channel();
        let settlement = Settlement {
            key,
            batch,
            settled: Settled::Failed {
                error: "nobody waited for the answer any more".to_owned(),
                unknown: true,
            },
            prompt_tokens: 0,
            completion_tokens: 0,
            counted_tokens: 0,
            cost_micro_usd: 0,
        };
        // Without a writer the process ends, and the intent itself says that its end is unknown.
        let _ = self.queue.send(Operation::Settle { settlement, done });
    }
}

/// Something that was handed in to be recorded.
pub struct HandedIn {
    answer: oneshot::Receiver<Result<(), StoreError>>,
}

impl HandedIn {
    /// Waits until it is durable.
    ///
    /// # Cancel safety
    /// It is recorded whether or not the answer is awaited.
    pub async fn durable(self) -> Result<(), StoreError> {
        self.answer.await.map_err(|_| stopped())?
    }
}

/// The writer ends with its runtime: the process is stopping.
fn stopped() -> StoreError {
    StoreError::corrupt("a record of calls whose writer has stopped")
}

async fn write(env: Arc<Environment>, mut operations: mpsc::UnboundedReceiver<Operation>) {
    let mut gathering = Gathering::default();
    let mut group = Vec::new();
    while operations.recv_many(&mut group, GROUP).await > 0 {
        let mut group = std::mem::take(&mut group);
        gathering.gather(&mut operations, &mut group).await;
        match commit_with_more(&env, &mut group, &mut operations).await {
            Ok(()) => group
                .into_iter()
                .for_each(|operation| operation.acknowledge(Ok(()))),
            // One that is refused is refused alone.
            Err(_) => write_each(&env, group).await,
        }
    }
}

async fn write_each(env: &Environment, group: Vec<Operation>) {
    for operation in group {
        let mut alone = vec![operation];
        let result = commit_persistently(env, &mut alone).await;
        if let Err(error) = &result {
            tracing::warn!("a model call could not be recorded: {}", chain(error));
        }
        if let Some(operation) = alone.pop() {
            operation.acknowledge(result);
        }
    }
}

async fn commit_persistently(env: &Environment, group: &mut [Operation]) -> Result<(), StoreError> {
    let mut tries = 1;
    loop {
        match commit(env, group).await {
            Err(error) if error.kind() == ErrorKind::Retryable && tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

/// Commits a group, with what came while it waited for the connection.
async fn commit_with_more(
    env: &Environment,
    group: &mut Vec<Operation>,
    operations: &mut mpsc::UnboundedReceiver<Operation>,
) -> Result<(), StoreError> {
    let tx = env.store.begin().await?;
    take_waiting(operations, group);
    commit_in(env, tx, group).await
}

async fn commit(env: &Environment, group: &mut [Operation]) -> Result<(), StoreError> {
    let tx = env.store.begin().await?;
    commit_in(env, tx, group).await
}

async fn commit_in(
    env: &Environment,
    tx: DatabaseTransaction,
    group: &mut [Operation],
) -> Result<(), StoreError> {
    let mut charges = Charges::default();
    for operation in group {
        operation.apply(env, &tx, &mut charges).await?;
    }
    charges.write(env, &tx).await?;
    tx.commit().await?;
    Ok(())
}

impl Operation {
    pub(super) fn is_intent(&self) -> bool {
        matches!(self, Self::Intend { .. })
    }

    /// Whether it is the outcome of a call, which frees its place.
    pub(super) fn is_outcome(&self) -> bool {
        matches!(self, Self::Settle { .. })
    }

    async fn apply(
        &mut self,
        env: &Environment,
        tx: &DatabaseTransaction,
        charges: &mut Charges,
    ) -> Result<(), StoreError> {
        match self {
            Self::Intend {
                intent, came_to, ..
            } => {
                if intent.budget.is_some() {
                    // It sees what was spent before it.
                    charges.write(env, tx).await?;
                }
                *came_to = Some(intent::intend(env, tx, intent).await?);
                Ok(())
            }
            Self::Settle { settlement, .. } => {
                charges.add(settlement);
                intent::settle(env, tx, settlement).await
            }
            Self::Forget { key, .. } => intent::forget(env, tx, key).await,
            Self::KeepBreaker { breaker, .. } => breakers::keep(env, tx, breaker).await,
        }
    }

    /// Says what it came to; whoever asked may have stopped waiting.
    fn acknowledge(self, result: Result<(), StoreError>) {
        match self {
            Self::Intend { came_to, done, .. } => {
                let _ = done.send(result.and_then(|()| came_to.ok_or_else(stopped)));
            }
            Self::Settle { done, .. }
            | Self::Forget { done, .. }
            | Self::KeepBreaker { done, .. } => {
                let _ = done.send(result);
            }
        }
    }
}
