//! How far the estimates of tokens are from what providers report.
//!
//! A budget is kept by reserving what a call may take before it is sent. Where a provider counts
//! more than the tokenizer does, five calls that all fit would take more than there is. So what is
//! reserved is raised by the most that any call was underestimated by, and as long as none has come
//! back, one call reserves everything.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most that a call was underestimated by: 1 when none was.
#[derive(Debug, Default)]
pub(super) struct Calibration(Mutex<Option<f64>>);

impl Calibration {
    /// Learns from a call that was estimated at so many tokens and took so many.
    pub(super) fn learn(&self, estimated: u64, reported: u64) {
        // A provider that reports nothing says nothing.
        if estimated == 0 || reported == 0 {
            return;
        }
        let factor = (reported as f64 / estimated as f64).max(1.0);
        let mut most = self.lock();
        *most = Some(most.map_or(factor, |most| most.max(factor)));
    }

    /// What a call reserves of a budget that is estimated at so many tokens.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float to integer cast saturates"
    )]
    pub(super) fn reserve(&self, estimated: u64, budget: u64) -> u64 {
        match *self.lock() {
            Some(factor) => (estimated as f64 * factor).ceil() as u64,
            None => estimated.max(budget),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<f64>> {
        // A number is put in whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_call_reserves_everything_and_later_ones_what_the_worst_took() {
        let calibration = Calibration::default();
        assert_eq!(calibration.reserve(100, 10_000), 10_000);
        calibration.learn(100, 0);
        assert_eq!(
            calibration.reserve(100, 10_000),
            10_000,
            "nothing was reported"
        );
        calibration.learn(100, 40);
        assert_eq!(calibration.reserve(100, 10_000), 100);
        calibration.learn(100, 150);
        calibration.learn(100, 120);
        assert_eq!(calibration.reserve(100, 10_000), 150);
    }
}
