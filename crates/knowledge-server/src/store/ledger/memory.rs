//! What the writer remembers of batches, so that it need not read them again.

use std::{collections::BTreeMap, time::Duration};

use knowledge_domain::ids::BatchId;
use tokio::time::Instant;

/// A batch that nobody has changed for so long is read again: it may have ended, in a transaction
/// that is not the writer's.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(1);

/// What the last group left of each batch that still runs, as far as the writer knows.
#[derive(Debug)]
pub(super) struct Memory<T> {
    batches: BTreeMap<BatchId, (Instant, T)>,
}

impl<T> Memory<T> {
    pub(super) fn new() -> Self {
        Self {
            batches: BTreeMap::new(),
        }
    }

    pub(super) fn knows(&self, batch: BatchId) -> bool {
        self.batches.contains_key(&batch)
    }

    /// What is remembered of a batch, and is not from now on.
    pub(super) fn take(&mut self, batch: BatchId) -> Option<T> {
        let (_, remembered) = self.batches.remove(&batch)?;
        Some(remembered)
    }

    /// Remembers batches, and forgets those that were not changed for long.
    pub(super) fn keep(&mut self, batches: impl IntoIterator<Item = (BatchId, T)>, now: Instant) {
        let batches = batches.into_iter();
        self.batches
            .extend(batches.map(|(batch, remembered)| (batch, (now, remembered))));
        self.batches
            .retain(|_, (changed, _)| now.duration_since(*changed) < FORGOTTEN_AFTER);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.batches.values().map(|(_, remembered)| remembered)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_nobody_changes_is_forgotten() {
        let [one, two] = [1, 2].map(|number| BatchId::from_uuid(Uuid::from_u128(number)));
        let begun = Instant::now();
        let mut memory = Memory::new();
        memory.keep([(one, "one"), (two, "two")], begun);
        let later = begun + FORGOTTEN_AFTER / 2;
        memory.keep([(two, "two again")], later);
        assert_eq!(memory.iter().collect::<Vec<_>>(), [&"one", &"two again"]);
        memory.keep([], begun + FORGOTTEN_AFTER);
        assert!(!memory.knows(one) && memory.knows(two));
        assert_eq!(memory.take(two), Some("two again"));
        assert_eq!(memory.take(two), None);
    }
}
