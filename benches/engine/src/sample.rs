//! What one measurement says, printed as one line of JSON.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Serialize;

use crate::usage;

/// A measurement.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Sample {
    /// From the command that starts the work to its end.
    pub(crate) seconds: f64,
    /// Of these, until the work was stored and accepted.
    pub(crate) start_seconds: f64,
    /// Of this process, over the same time.
    pub(crate) cpu_seconds: f64,
    /// The most memory while work was accepted.
    pub(crate) start_peak_mib: f64,
    /// The most memory from then on.
    pub(crate) peak_mib: f64,
    /// From the end of a step's body to the beginning of the next one's in the same workflow.
    pub(crate) checkpoint: Latency,
    /// From a workflow's start to its end.
    pub(crate) workflow: Latency,
    /// Rows of `entity` at the end; two runs over the same documents agree.
    pub(crate) entities: u64,
}

/// A distribution, in milliseconds.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Latency {
    p50_ms: f64,
    p99_ms: f64,
}

impl Latency {
    pub(crate) fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let at = |share: f64| {
            let last = durations.len().saturating_sub(1);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of a position is a position"
            )]
            let position = (last as f64 * share).round() as usize;
            durations.get(position).copied().unwrap_or_default()
        };
        Self {
            p50_ms: at(0.50).as_secs_f64() * 1e3,
            p99_ms: at(0.99).as_secs_f64() * 1e3,
        }
    }
}

/// Durations that many tasks add to.
#[derive(Debug, Default)]
pub(crate) struct Durations(Mutex<Vec<Duration>>);

impl Durations {
    pub(crate) fn add(&self, duration: Duration) {
        self.lock().push(duration);
    }

    pub(crate) fn take(&self) -> Latency {
        Latency::of(std::mem::take(&mut self.lock()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A measurement that has begun.
pub(crate) struct Meter {
    begun: Instant,
    cpu_seconds: f64,
    accepted: Option<(Duration, f64)>,
}

impl Meter {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self {
            cpu_seconds: usage::cpu_seconds()?,
            begun: Instant::now(),
            accepted: None,
        })
    }

    /// The work is accepted; what it needs from here on is counted apart.
    pub(crate) fn accepted(&mut self) -> Result<()> {
        self.accepted = Some((self.begun.elapsed(), usage::peak_mib()?));
        usage::forget_peak()
    }

    pub(crate) fn stop(self) -> Result<Sample> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let (start, start_peak_mib) = self.accepted.unwrap_or_default();
        Ok(Sample {
            seconds,
            start_seconds: start.as_secs_f64(),
            cpu_seconds: usage::cpu_seconds()? - self.cpu_seconds,
            start_peak_mib,
            peak_mib: usage::peak_mib()?,
            ..Sample::default()
        })
    }
}
