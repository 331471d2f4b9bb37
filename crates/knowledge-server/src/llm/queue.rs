//! A queue that is fair between organisations, and between the batches of each.
//!
//! Within a batch the document that began first goes first: documents end one after another, and
//! their places are free for others, instead of all of them ending at the end.

use std::collections::{BTreeMap, VecDeque};

use knowledge_domain::ids::{BatchId, ExecutionId, OrganizationId};

/// For whom a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The tenant.
    pub organization: OrganizationId,
    /// The batch; none for what belongs to no batch.
    pub batch: Option<BatchId>,
    /// The workflow; ids of later ones are greater.
    pub execution: Option<ExecutionId>,
}

/// The callers of a batch, by their workflows and by when they came.
type Callers<T> = BTreeMap<(Option<ExecutionId>, u64), T>;

/// The batches of an organisation that wait, each with its callers.
type Batches<T> = VecDeque<(Option<BatchId>, Callers<T>)>;

/// Waiting callers: organisations take turns, within each its batches, within each the workflow that
/// began first, within each who came first.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    turns: VecDeque<(OrganizationId, Batches<T>)>,
    length: usize,
    /// Callers that ever came.
    came: u64,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            turns: VecDeque::new(),
            length: 0,
            came: 0,
        }
    }
}

impl<T> FairQueue<T> {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push(&mut self, caller: Caller, item: T) {
        self.length += 1;
        self.came += 1;
        let place = (caller.execution, self.came);
        let of = caller.organization;
        let known = self.turns.iter().position(|(turn, _)| *turn == of);
        let position = known.unwrap_or_else(|| {
            self.turns.push_back((of, VecDeque::new()));
            self.turns.len() - 1
        });
        let batches = &mut self.turns[position].1;
        match batches.iter_mut().find(|(batch, _)| *batch == caller.batch) {
            Some((_, items)) => {
                items.insert(place, item);
            }
            None => batches.push_back((caller.batch, BTreeMap::from([(place, item)]))),
        }
    }

    /// Whose turn it is.
    pub(super) fn front(&self) -> Option<&T> {
        let (_, batches) = self.turns.front()?;
        Some(batches.front()?.1.first_key_value()?.1)
    }

    /// Takes whose turn it is; its batch and its organisation go to the end of their queues.
    pub(super) fn pop(&mut self) -> Option<T> {
        let (organization, mut batches) = self.turns.pop_front()?;
        let (batch, mut items) = batches.pop_front()?;
        let (_, item) = items.pop_first()?;
        self.length -= 1;
        if !items.is_empty() {
            batches.push_back((batch, items));
        }
        if !batches.is_empty() {
            self.turns.push_back((organization, batches));
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn caller(organization: u128, batch: u128) -> Caller {
        Caller {
            organization: OrganizationId::from_uuid(Uuid::from_u128(organization)),
            batch: Some(BatchId::from_uuid(Uuid::from_u128(batch))),
            execution: None,
        }
    }

    #[test]
    fn the_document_that_began_first_goes_first() {
        let mut queue = FairQueue::default();
        for (document, name) in [
            (2, "second"),
            (1, "first"),
            (2, "second again"),
            (1, "first again"),
        ] {
            let execution = Some(ExecutionId::from_uuid(Uuid::from_u128(document)));
            queue.push(
                Caller {
                    execution,
                    ..caller(1, 1)
                },
                name,
            );
        }
        let order: Vec<&str> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, ["first", "first again", "second", "second again"]);
    }

    #[test]
    fn a_long_batch_delays_no_other_and_an_organisation_counts_once() {
        let mut queue = FairQueue::default();
        for number in 0..4 {
            queue.push(caller(1, 1), format!("a{number}"));
        }
        queue.push(caller(1, 2), "b0".to_owned());
        for number in 0..3 {
            queue.push(caller(2, 3), format!("c{number}"));
        }
        assert_eq!(queue.len(), 8);
        assert_eq!(queue.front().map(String::as_str), Some("a0"));
        let order: Vec<String> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, ["a0", "c0", "b0", "c1", "a1", "c2", "a2", "a3"]);
        assert_eq!(queue.len(), 0);
    }
}
