//! How long a group waits for more.
//!
//! Whoever was just answered often comes back at once with its next change. While one half of the
//! workflows is being written, the other half queues up; taken the instant the store is free, the
//! two halves would take turns for ever, at twice the cost. So the writer waits a moment until as
//! many have come back as it has answered. An idle store, and one whose changes are followed by
//! long work, waits for nobody.

use tokio::sync::mpsc;

use crate::store::patience::Patience;

/// Changes that share a transaction at most.
pub(super) const GROUP: usize = 256;

/// Adds to each group those that come back.
#[derive(Debug)]
pub(super) struct Gathering {
    answered: usize,
    patience: Patience,
}

impl Default for Gathering {
    fn default() -> Self {
        Self {
            answered: 0,
            patience: Patience::LONGEST,
        }
    }
}

impl Gathering {
    /// Adds to a group what is about to come.
    pub(super) async fn gather<T>(&mut self, requests: &mut mpsc::Receiver<T>, group: &mut Vec<T>) {
        let begun = group.len();
        let expected = GROUP.min(begun + self.answered);
        // One that is alone waits for nobody.
        if self.answered > 1 || begun > 1 {
            let come = || {
                while group.len() < expected
                    && let Ok(request) = requests.try_recv()
                {
                    group.push(request);
                }
                group.len() >= expected
            };
            self.patience.wait(come).await;
            self.patience.learn(group.len() > begun);
        }
        self.answered = group.len();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn after(answered: usize) -> Gathering {
        Gathering {
            answered,
            ..Gathering::default()
        }
    }

    #[tokio::test]
    async fn those_who_come_back_at_once_share_the_group_of_those_who_waited() {
        let (sender, mut requests) = mpsc::channel(8);
        tokio::spawn(async move {
            for request in 4..8 {
                sender.send(request).await.expect("the writer lives");
            }
            // Whoever is about to come is waited for only while somebody can.
            std::future::pending::<()>().await;
        });
        let mut group = vec![0, 1, 2, 3];
        after(4).gather(&mut requests, &mut group).await;
        assert_eq!(group, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[tokio::test]
    async fn one_alone_waits_for_nobody() {
        let (_sender, mut requests) = mpsc::channel::<u32>(8);
        let mut group = vec![0];
        let mut gathering = after(1);
        assert!(
            gathering
                .gather(&mut requests, &mut group)
                .now_or_never()
                .is_some()
        );
    }

    #[tokio::test]
    async fn patience_is_lost_where_nobody_comes_and_found_again() {
        let (sender, mut requests) = mpsc::channel(8);
        let mut gathering = after(2);
        for _ in 0..4 {
            gathering.answered = 2;
            gathering.gather(&mut requests, &mut vec![0]).await;
        }
        assert_eq!(gathering.patience, Patience::SHORTEST);
        sender.send(1).await.expect("the writer lives");
        gathering.answered = 2;
        gathering.gather(&mut requests, &mut vec![0]).await;
        assert_ne!(gathering.patience, Patience::SHORTEST);
    }
}
