//! Precision, recall and F1.

use std::collections::BTreeSet;

use serde::Serialize;

/// What was found, what is true, and what both have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) found: usize,
    pub(super) gold: usize,
    pub(super) correct: usize,
}

impl Counts {
    /// Compares two sets of one document.
    pub(super) fn add<T: Ord>(&mut self, found: &BTreeSet<T>, gold: &BTreeSet<T>) {
        self.found += found.len();
        self.gold += gold.len();
        self.correct += found.intersection(gold).count();
    }

    pub(super) fn score(self) -> Score {
        let ratio = |part: usize, whole: usize| {
            if whole == 0 {
                0.0
            } else {
                part as f64 / whole as f64
            }
        };
        let (precision, recall) = (
            ratio(self.correct, self.found),
            ratio(self.correct, self.gold),
        );
        let sum = precision + recall;
        Score {
            precision,
            recall,
            f1: if sum == 0.0 {
                0.0
            } else {
                2.0 * precision * recall / sum
            },
            gold: self.gold,
            found: self.found,
        }
    }
}

/// The shares, in `0.0..=1.0`, and the numbers behind them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Score {
    pub(super) precision: f64,
    pub(super) recall: f64,
    pub(super) f1: f64,
    pub(super) gold: usize,
    pub(super) found: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores() {
        let mut counts = Counts::default();
        counts.add(&BTreeSet::from([1, 2, 3, 4]), &BTreeSet::from([3, 4, 5]));
        let score = counts.score();
        assert!((score.precision - 0.5).abs() < 1e-9);
        assert!((score.recall - 2.0 / 3.0).abs() < 1e-9);
        assert!(Counts::default().score().f1.abs() < 1e-9);
    }
}
