use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// How sure an extractor is, in `0.0..=1.0`, kept to four decimals so that it reads back as written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Confidence(f64);

impl Confidence {
    /// Certain.
    pub const ONE: Self = Self(1.0);

    /// Clamps to `0.0..=1.0` and rounds to four decimals; not-a-number becomes 0.
    #[must_use]
    pub fn new(value: f64) -> Self {
        if value.is_nan() {
            return Self(0.0);
        }
        Self((value.clamp(0.0, 1.0) * 10_000.0).round() / 10_000.0)
    }

    /// The value in `0.0..=1.0`.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }

    /// The higher of the two.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        std::cmp::max(self, other)
    }
}

impl From<f64> for Confidence {
    fn from(value: f64) -> Self {
        Self::new(value)
    }
}

impl From<Confidence> for f64 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

impl Eq for Confidence {}

impl PartialOrd for Confidence {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Confidence {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_clamped_and_rounded() {
        let shown: Vec<f64> = [-1.0, f64::NAN, 0.123_456, 2.0]
            .map(|value| Confidence::new(value).value())
            .to_vec();
        assert_eq!(shown, [0.0, 0.0, 0.1235, 1.0]);
    }
}
