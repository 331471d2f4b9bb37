//! One transaction with the changes that share it: of a group, of a document with its graph, or of
//! one change alone.

use std::{collections::BTreeMap, sync::Arc};

use knowledge_domain::{
    ids::{BatchId, ExtractionId},
    workflow::BoxFuture,
};
use sea_orm::DatabaseTransaction;
use tokio::time::Instant;

use super::{
    LedgerError,
    again::TRIES,
    change::{BatchChange, Remembered},
    graphs::Written,
    memory::Memory,
    right::Scope,
    writer::{Change, Environment},
};
use crate::{
    faults::{FailurePoint, hit},
    metrics::{CHANGES, COMMITS},
    store::StoreError,
};

/// What the last group left of each batch.
pub(super) type Batches = Memory<Remembered>;

/// Documents that run, in all batches that are remembered.
pub(super) fn running(memory: &Batches) -> usize {
    memory.iter().map(Remembered::running).sum()
}

/// Makes the changes of a group in one transaction. What is remembered of its batches is used up,
/// and renewed when the transaction is committed.
pub(super) async fn commit(
    env: &Arc<Environment>,
    memory: &mut Batches,
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
pub(super) async fn commit_written(
    env: &Arc<Environment>,
    memory: &mut Batches,
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
    memory: &mut Batches,
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
    memory: &mut Batches,
    tx: Arc<DatabaseTransaction>,
    changes: Vec<BatchChange>,
) -> Result<(), LedgerError> {
    hit(FailurePoint::GroupBeforeCommit);
    let remembered = finish(env, tx, changes).await?;
    hit(FailurePoint::GroupAfterCommit);
    memory.keep(remembered, Instant::now());
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
    memory: &mut Batches,
    tx: &Arc<DatabaseTransaction>,
    scopes: BTreeMap<BatchId, Vec<Scope>>,
) -> Result<BTreeMap<BatchId, BatchChange>, LedgerError> {
    let mut changes = BTreeMap::new();
    let all_remembered = scopes.keys().all(|batch| memory.knows(*batch));
    for (batch, scopes) in scopes {
        let change = match memory.take(batch) {
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
) -> Result<Vec<(BatchId, Remembered)>, LedgerError> {
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
