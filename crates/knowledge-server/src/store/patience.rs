//! How long a group that is about to be written waits for more.

use std::time::Duration;

use tokio::time::Instant;

/// The longest wait.
const LONGEST: Duration = Duration::from_micros(200);

/// The shortest, which finds out whether waiting is of use again.
const SHORTEST: Duration = Duration::from_micros(25);

/// How long the next group waits: longer where waiting was of use, shorter where it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience(Duration);

impl Patience {
    pub(super) const LONGEST: Self = Self(LONGEST);
    #[cfg(test)]
    pub(super) const SHORTEST: Self = Self(SHORTEST);

    /// Lets others run until `enough`, which is asked after each turn, or until it ends. The timer's
    /// ticks are longer than the wait.
    pub(super) async fn wait(self, mut enough: impl FnMut() -> bool) {
        let begun = Instant::now();
        while begun.elapsed() < self.0 {
            tokio::task::yield_now().await;
            // Who writes on a thread of its own leaves the processor to those it waits for.
            std::thread::yield_now();
            if enough() {
                return;
            }
        }
    }

    /// Whether somebody came while it lasted.
    pub(super) fn learn(&mut self, gained: bool) {
        self.0 = if gained {
            LONGEST.min(self.0 * 2)
        } else {
            SHORTEST.max(self.0 / 2)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_lost_where_nobody_comes_and_found_again() {
        let mut patience = Patience::LONGEST;
        for _ in 0..9 {
            patience.learn(false);
        }
        assert_eq!(patience, Patience::SHORTEST);
        patience.learn(true);
        assert_eq!(patience, Patience(SHORTEST * 2));
        for _ in 0..9 {
            patience.learn(true);
        }
        assert_eq!(patience, Patience::LONGEST);
    }
}
