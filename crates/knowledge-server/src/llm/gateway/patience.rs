//! How long a provider that asks for patience is waited for.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// How often a provider may ask for patience before the document is suspended.
const WAITS: u32 = 20;

/// Rate limits in a row after which nobody calls before the provider's time.
const STORM: u32 = 3;

/// The first wait for a provider that does not say for how long, halved.
const UNSAID: Duration = Duration::from_millis(500);

/// What providers have asked for lately.
pub(super) struct Patience {
    /// A provider that asks to wait for longer suspends the document.
    longest: Duration,
    /// Rate limits since the last answer.
    in_a_row: AtomicU32,
}

/// What follows from one rate limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Limited {
    /// How long whoever asked waits.
    pub(super) after: Duration,
    /// How long nobody asks, where the provider asks everybody to wait.
    pub(super) pause: Option<Duration>,
}

impl Patience {
    pub(super) fn new(longest: Duration) -> Self {
        Self {
            longest,
            in_a_row: AtomicU32::new(0),
        }
    }

    /// Whether a wait, the `waits`th of its question, is short enough to be made here.
    pub(super) fn allows(&self, after: Duration, waits: u32) -> bool {
        waits <= WAITS && after <= self.longest
    }

    /// The provider asks to wait for so long, or does not say for how long.
    pub(super) fn limited(&self, after: Option<Duration>) -> Limited {
        let in_a_row = self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        let unsaid = UNSAID * 2_u32.saturating_pow(in_a_row.min(6));
        let after = after.unwrap_or(unsaid.min(self.longest));
        Limited {
            after,
            pause: (in_a_row >= STORM).then(|| after.min(self.longest)),
        }
    }

    /// The provider has answered.
    pub(super) fn answered(&self) {
        self.in_a_row.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_rate_limit_in_a_row_is_everybodys() {
        let patience = Patience::new(Duration::from_secs(5));
        let said = Some(Duration::from_mins(1));
        assert_eq!(patience.limited(said).pause, None);
        assert_eq!(patience.limited(None).after, Duration::from_secs(2));
        let third = patience.limited(said);
        assert_eq!(third.after, Duration::from_mins(1));
        assert_eq!(
            third.pause,
            Some(Duration::from_secs(5)),
            "and not for ever"
        );
        patience.answered();
        let first = patience.limited(None);
        assert_eq!((first.after, first.pause), (Duration::from_secs(1), None));
    }

    #[test]
    fn a_wait_that_is_long_or_one_of_many_is_not_made_here() {
        let patience = Patience::new(Duration::from_secs(5));
        assert!(patience.allows(Duration::from_secs(5), WAITS));
        assert!(!patience.allows(Duration::from_secs(6), 1));
        assert!(!patience.allows(Duration::from_secs(1), WAITS + 1));
    }
}
