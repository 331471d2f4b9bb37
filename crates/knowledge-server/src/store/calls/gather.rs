//! How long what is to be recorded waits for what follows from it.
//!
//! The outcome of a call frees its place, and the intent of the call that takes it comes at once:
//! recorded together, the two cost one flush to disk instead of two.

use tokio::sync::mpsc::UnboundedReceiver;

use super::writer::{GROUP, Operation};
use crate::store::patience::Patience;

/// Adds to a group what is about to come.
pub(super) struct Gathering {
    patience: Patience,
}

impl Default for Gathering {
    fn default() -> Self {
        Self {
            patience: Patience::LONGEST,
        }
    }
}

impl Gathering {
    /// Waits a moment for as many intents as the group has outcomes.
    pub(super) async fn gather(
        &mut self,
        operations: &mut UnboundedReceiver<Operation>,
        group: &mut Vec<Operation>,
    ) {
        take_waiting(operations, group);
        let intents = count(group, Operation::is_intent);
        let outcomes = count(group, Operation::is_outcome);
        if intents >= outcomes {
            return;
        }
        let come = || {
            take_waiting(operations, group);
            count(group, Operation::is_intent) >= outcomes
        };
        self.patience.wait(come).await;
        self.patience
            .learn(count(group, Operation::is_intent) > intents);
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
