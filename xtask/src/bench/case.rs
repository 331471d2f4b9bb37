//! One thing that is measured, and its measurements.

use std::fmt;

use serde::Serialize;

use super::{database::Kind, sample::Sample};

/// Which program measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// `benches/engine`.
    Engine,
    /// `benches/durare`.
    Durare,
}

/// One thing that is measured.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) program: Program,
    pub(super) database: Kind,
    /// What is measured: `direct`, `knowledge`, `durare`.
    pub(super) subject: &'static str,
    /// Under which circumstances: a provider, a concurrency, a number of documents.
    pub(super) setting: String,
    /// Documents, workflows or rows of one measurement.
    pub(super) units: usize,
    pub(super) arguments: Vec<String>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.database, self.setting, self.subject)
    }
}

/// A case with its measurements, one a round.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) database: Kind,
    pub(super) subject: &'static str,
    pub(super) setting: String,
    pub(super) units: usize,
    pub(super) samples: Vec<Sample>,
}

impl Figures {
    pub(super) fn of(case: &Case) -> Self {
        Self {
            database: case.database,
            subject: case.subject,
            setting: case.setting.clone(),
            units: case.units,
            samples: Vec::new(),
        }
    }

    /// The median over the rounds of something.
    pub(super) fn median(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(of).collect())
    }

    /// Units a second.
    pub(super) fn rate(&self) -> f64 {
        self.units as f64 / self.median(|sample| sample.seconds)
    }

    /// Milliseconds a unit.
    pub(super) fn unit_ms(&self) -> f64 {
        self.median(|sample| sample.seconds) * 1e3 / self.units as f64
    }

    /// The median over the rounds of this one's time a unit in terms of the other's.
    pub(super) fn times(&self, other: &Self) -> f64 {
        let pairs = self.samples.iter().zip(&other.samples);
        let size = other.units as f64 / self.units as f64;
        median(
            pairs
                .map(|(one, other)| size * one.seconds / other.seconds)
                .collect(),
        )
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    match values.get(upper) {
        None => f64::NAN,
        Some(middle) if values.len() % 2 == 1 => *middle,
        Some(middle) => f64::midpoint(values[upper - 1], *middle),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers() {
        assert!((median(vec![9.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 2.0, 9.0]) - 3.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
    }
}
