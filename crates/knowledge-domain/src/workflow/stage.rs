use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::IntoEnumIterator;

/// A stage of the extraction workflow, in the order in which a document passes them.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum WorkflowStage {
    /// Cut the document into chunks: one unit.
    Chunk,
    /// Find mentions: one unit a chunk.
    Mentions,
    /// Type entities: one unit a batch of mentions.
    Entities,
    /// Find relations: one unit a chunk.
    Relations,
    /// Put the document's graph together and store it: one unit.
    Assemble,
}

/// How often and when a failed activity is tried again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Attempts after the first.
    pub max_retries: u32,
    /// The wait before the first retry.
    pub initial_backoff: Duration,
    /// What each wait is multiplied by to give the next.
    pub factor: f64,
    /// The longest wait.
    pub max_backoff: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            initial_backoff: Duration::from_secs(1),
            factor: 2.0,
            max_backoff: Duration::from_mins(1),
        }
    }
}

impl RetryPolicy {
    /// No retry at all: somebody else owns them.
    #[must_use]
    pub fn none() -> Self {
        Self {
            max_retries: 0,
            ..Self::default()
        }
    }

    /// The wait before retry `retry` (1 for the first), spread over its upper half by `jitter` in
    /// `0.0..1.0` so that failures that came together do not return together.
    #[must_use]
    pub fn backoff(&self, retry: u32, jitter: f64) -> Duration {
        let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.initial_backoff.as_secs_f64() * self.factor.powi(exponent);
        let capped = seconds.min(self.max_backoff.as_secs_f64());
        Duration::from_secs_f64(capped * (0.5 + 0.5 * jitter.clamp(0.0, 1.0)))
    }
}

/// What the definition asks of whoever runs a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StagePolicy {
    /// An attempt that takes longer is reported.
    pub soft_timeout: Duration,
    /// An attempt that takes longer fails as retryable.
    pub hard_timeout: Duration,
    /// How many units run at a time within one document.
    pub window: usize,
    /// The stage's share of a document's progress, of 100.
    pub weight: u32,
}

impl WorkflowStage {
    /// The stage after this one.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::iter().find(|stage| *stage > self)
    }

    /// Time-outs, window and weight.
    #[must_use]
    pub fn policy(self) -> StagePolicy {
        let (soft_s, hard_s, window, weight) = match self {
            Self::Chunk => (3, 5, 1, 5),
            Self::Mentions => (45, 60, 4, 35),
            Self::Entities => (45, 60, 2, 20),
            Self::Relations => (45, 60, 4, 30),
            Self::Assemble => (7, 10, 1, 10),
        };
        StagePolicy {
            soft_timeout: Duration::from_secs(soft_s),
            hard_timeout: Duration::from_secs(hard_s),
            window,
            weight,
        }
    }
}

/// What a whole document counts in progress sums; integers, so that sums are exact.
pub const PROGRESS_UNITS: u32 = 1_000_000;

/// How far a document is: its stage and the units done there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentProgress {
    /// The stage that it is in.
    pub stage: WorkflowStage,
    /// Units of the stage that are done.
    pub current: u32,
    /// Units of the stage.
    pub total: u32,
}

impl DocumentProgress {
    /// The stage's share that is done, in `0.0..=1.0`; a stage without units is done.
    #[must_use]
    pub fn stage_fraction(self) -> f64 {
        if self.total == 0 {
            1.0
        } else {
            f64::from(self.current.min(self.total)) / f64::from(self.total)
        }
    }

    /// The document's share that is done, of [`PROGRESS_UNITS`].
    #[must_use]
    pub fn units(self) -> u32 {
        let before: u32 = WorkflowStage::iter()
            .filter(|stage| *stage < self.stage)
            .map(|stage| stage.policy().weight)
            .sum();
        let weight = u64::from(self.stage.policy().weight) * u64::from(PROGRESS_UNITS / 100);
        let within = if self.total == 0 {
            weight
        } else {
            weight * u64::from(self.current.min(self.total)) / u64::from(self.total)
        };
        before * (PROGRESS_UNITS / 100) + u32::try_from(within).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_make_a_whole_document() {
        let sum: u32 = WorkflowStage::iter()
            .map(|stage| stage.policy().weight)
            .sum();
        assert_eq!(sum, 100);
        let done = DocumentProgress {
            stage: WorkflowStage::Assemble,
            current: 1,
            total: 1,
        };
        assert_eq!(done.units(), PROGRESS_UNITS);
    }

    #[test]
    fn backoff_grows_and_is_capped() {
        let policy = RetryPolicy::default();
        let waits: Vec<f64> = (1..=10)
            .map(|retry| policy.backoff(retry, 1.0).as_secs_f64())
            .collect();
        assert_eq!(
            waits,
            [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]
        );
        assert_eq!(policy.backoff(1, 0.0), Duration::from_millis(500));
        assert_eq!(policy.backoff(u32::MAX, 1.0), Duration::from_mins(1));
    }

    #[test]
    fn hard_timeouts_come_after_soft_ones() {
        for stage in WorkflowStage::iter() {
            assert!(stage.policy().soft_timeout < stage.policy().hard_timeout);
        }
    }
}
