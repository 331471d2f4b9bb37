//! Group commit of what calls record: while one transaction commits, the next gathers.

use std::sync::Arc;

use knowledge_domain::{ErrorKind, ids::BatchId};
use sea_orm::DatabaseTransaction;
use tokio::sync::{mpsc, oneshot};

use super::{
    CallIntent, CallKey, Environment, Intended, Settled, Settlement,
    breakers::{self, SavedBreaker},
    intent,
};
use crate::{store::StoreError, text::chain};

/// Operations that share a transaction at most.
const GROUP: usize = 128;

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
        tokio::spawn(write(env, operations));
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
        let (done, answer) = oneshot::channel();
        self.queue.send(operation(done)).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
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
            cost_micro_usd: 0,
        };
        // Without a writer the process ends, and the intent itself says that its end is unknown.
        let _ = self.queue.send(Operation::Settle { settlement, done });
    }
}

/// The writer ends with its runtime: the process is stopping.
fn stopped() -> StoreError {
    StoreError::corrupt("a record of calls whose writer has stopped")
}

async fn write(env: Arc<Environment>, mut operations: mpsc::UnboundedReceiver<Operation>) {
    let mut group = Vec::new();
    while operations.recv_many(&mut group, GROUP).await > 0 {
        let mut group = std::mem::take(&mut group);
        match commit(&env, &mut group).await {
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

async fn commit(env: &Environment, group: &mut [Operation]) -> Result<(), StoreError> {
    let tx = env.store.begin().await?;
    for operation in group {
        operation.apply(env, &tx).await?;
    }
    tx.commit().await?;
    Ok(())
}

impl Operation {
    async fn apply(
        &mut self,
        env: &Environment,
        tx: &DatabaseTransaction,
    ) -> Result<(), StoreError> {
        match self {
            Self::Intend {
                intent, came_to, ..
            } => {
                *came_to = Some(intent::intend(env, tx, intent).await?);
                Ok(())
            }
            Self::Settle { settlement, .. } => intent::settle(env, tx, settlement).await,
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
