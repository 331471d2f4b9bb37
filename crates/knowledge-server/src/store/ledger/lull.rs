//! When graphs have their turn on SQLite, where one writes at a time.
//!
//! A document whose model calls are over hands in its graph, and the next one begins in its place:
//! taken the instant that the writer is free, the graph would make the next document's first
//! checkpoints wait, and its model calls with them. So a graph waits until no checkpoint has come
//! for a moment, while the writer has time for it: no longer than it was idle before. A writer that
//! has always something to write lets no graph wait for this.

use std::time::Duration;

use tokio::time::Instant;

/// How long no checkpoint comes before a graph has its turn. The timer's ticks are as long, so that
/// it is up to twice that.
const QUIET: Duration = Duration::from_millis(1);

/// The longest that graphs wait for a lull.
const LONGEST: Duration = Duration::from_millis(15);

/// What is known of the moment at which the next graph has its turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lull {
    /// When checkpoints were last written.
    stirred: Instant,
    /// When graphs began to wait, or had their last turn.
    since: Instant,
    /// How long they may wait: as long as the writer was idle, and nothing waited for.
    spare: Duration,
}

impl Lull {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            stirred: now,
            since: now,
            spare: Duration::ZERO,
        }
    }

    /// The writer had nothing to write for so long.
    pub(super) fn idled(&mut self, idle: Duration) {
        self.spare = LONGEST.min(self.spare + idle);
    }

    /// Checkpoints were written.
    pub(super) fn stirred(&mut self, now: Instant) {
        self.stirred = now;
    }

    /// Graphs begin to wait for their turn, or for another one.
    pub(super) fn begins(&mut self, now: Instant) {
        self.since = now;
    }

    /// Graphs have their turn.
    pub(super) fn is_over(&mut self, now: Instant) {
        self.spare = self.spare.saturating_sub(now - self.since);
    }

    /// When the next graph has its turn, if nothing else comes.
    pub(super) fn ends(&self) -> Instant {
        let at_last = self.since + self.spare;
        at_last.min(self.stirred + QUIET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_idling(idle: Duration) -> (Lull, Instant) {
        let began = Instant::now();
        let now = began + idle;
        let mut lull = Lull::new(began);
        lull.idled(idle);
        lull.begins(now);
        (lull, now)
    }

    /// For how long graphs wait while checkpoints never cease.
    fn under_load(lull: &mut Lull, begun: Instant) -> Duration {
        let mut now = begun;
        loop {
            lull.stirred(now);
            if lull.ends() <= now {
                return now - begun;
            }
            now += QUIET / 10;
        }
    }

    #[test]
    fn a_graph_waits_until_no_checkpoint_has_come_for_a_moment() {
        let (mut lull, now) = after_idling(LONGEST);
        assert!(lull.ends() <= now, "none has come for long");
        lull.stirred(now);
        assert_eq!(lull.ends(), now + QUIET);
        let later = now + QUIET / 2;
        lull.stirred(later);
        assert_eq!(lull.ends(), later + QUIET);
    }

    #[test]
    fn it_waits_no_longer_than_the_writer_was_idle() {
        for (idle, waits) in [
            (Duration::ZERO, Duration::ZERO),
            (LONGEST / 3, LONGEST / 3),
            (LONGEST * 3, LONGEST),
        ] {
            let (mut lull, now) = after_idling(idle);
            assert_eq!(under_load(&mut lull, now), waits);
        }
    }

    #[test]
    fn what_was_waited_is_not_waited_again() {
        let (mut lull, now) = after_idling(LONGEST);
        let now = now + under_load(&mut lull, now);
        lull.is_over(now);
        lull.begins(now);
        assert_eq!(under_load(&mut lull, now), Duration::ZERO);
        lull.idled(QUIET);
        lull.begins(now);
        assert_eq!(under_load(&mut lull, now), QUIET);
    }
}
