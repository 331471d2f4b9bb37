//! How long what is to be recorded waits for what follows from it.
//!
//! The outcome of a call frees its place, and the intent of the call that takes it comes at once:
//! recorded together, the two cost one flush to disk instead of two.

use std::time::Duration;

use tokio::{sync::mpsc::UnboundedReceiver, time::Instant};

use super::writer::{GROUP, Operation};

/// The longest wait for intents.
const LONGEST: Duration = Duration::from_micros(200);

/// The shortest, which finds out whether they come again.
const SHORTEST: Duration = Duration::from_micros(25);

/// Adds to a group what is about to come.
pub(super) struct Gathering {
    patience: Duration,
}

impl Default for Gathering {
    fn default() -> Self {
        Self { patience: LONGEST }
    }
}

impl Gathering {
    /// Waits a moment for as many intents as the group has outcomes. The timer's ticks are longer
    /// than the wait, so this lets others run, and looks again.
    pub(super) async fn gather(
        &mut self,
        operations: &mut UnboundedReceiver<Operation>,
        group: &mut Vec<Operation>,
    ) {
        take_waiting(operations, group);
        let (intents, outcomes) = (
            count(group, Operation::is_intent),
            count(group, Operation::is_outcome),
        );
        if intents >= outcomes {
            return;
        }
        let begun = Instant::now();
        while count(group, Operation::is_intent) < outcomes && begun.elapsed() < self.patience {
            tokio::task::yield_now().await;
            take_waiting(operations, group);
        }
        self.learn(count(group, Operation::is_intent) > intents);
    }

    fn learn(&mut self, gained: bool) {
        self.patience = if gained {
            LONGEST.min(self.patience * 2)
        } else {
            SHORTEST.max(self.patience / 2)
        };
    }
}

/// Takes what is there already.
pub(super) fn take_waiting(
    operations: &mut UnboundedReceiver<Operation>,
    group: &mut Vec<Operation>,
) {
    while group.len() < GROUP
        && let Ok(operation) = operations.try_recv()
    {
        group.push(operation);
    }
}

fn count(group: &[Operation], is_one: impl Fn(&Operation) -> bool) -> usize {
    group.iter().filter(|operation| is_one(operation)).count()
}
