//! Gathers the keys that a request asks for side by side, so that they are loaded at once.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_graphql::dataloader::{DataLoader, HashMapCache, Loader};

use super::loaders::Loaders;

/// Turns that everything else has without asking for anything, before what was asked for is loaded.
///
/// A list of more than 30 nodes is not asked in one turn: `async-graphql` polls two of its nodes,
/// and lets others have a turn.
const QUIET_TURNS: u32 = 16;

/// The loaders of one request.
///
/// A load waits until its request asks for nothing more, not for a time: a time is too long for
/// most lists, and too short for a long one on a busy machine, whose load then falls apart into
/// many.
pub(super) struct Gathering {
    loaders: DataLoader<Loaders, HashMapCache>,
    /// How often something was asked for.
    asked: Arc<AtomicUsize>,
}

impl Gathering {
    pub(super) fn new(loaders: Loaders) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let heard = Arc::clone(&asked);
        let spawn = move |load| {
            let asked = Arc::clone(&heard);
            tokio::spawn(async move {
                quiet(&asked).await;
                load.await;
            })
        };
        let loaders = DataLoader::with_cache(loaders, spawn, HashMapCache::default());
        Self {
            loaders: loaders.delay(Duration::ZERO),
            asked,
        }
    }

    /// What belongs to the key, if there is anything.
    pub(super) async fn load_one<K>(&self, key: K) -> Result<Option<Value<K>>, Failure<K>>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K>,
    {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.loaders.load_one(key).await
    }

    /// What belongs to each of the keys; those without anything are left out.
    pub(super) async fn load_many<K>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<HashMap<K, Value<K>>, Failure<K>>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K>,
    {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.loaders.load_many(keys).await
    }
}

type Value<K> = <Loaders as Loader<K>>::Value;
type Failure<K> = <Loaders as Loader<K>>::Error;

/// Waits until everything else has had [`QUIET_TURNS`] turns in which nothing was asked for.
async fn quiet(asked: &AtomicUsize) {
    let mut heard = asked.load(Ordering::Relaxed);
    let mut turns = 0;
    while turns < QUIET_TURNS {
        tokio::task::yield_now().await;
        let now = asked.load(Ordering::Relaxed);
        turns = if now == heard { turns + 1 } else { 0 };
        heard = now;
    }
}
