//! What a measuring process prints.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One measurement; the fields are those of `benches/engine/src/sample.rs`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) seconds: f64,
    pub(super) start_seconds: f64,
    pub(super) cpu_seconds: f64,
    pub(super) start_peak_mib: f64,
    pub(super) peak_mib: f64,
    pub(super) checkpoint: Latency,
    pub(super) workflow: Latency,
    pub(super) entities: u64,
}

/// A distribution, in milliseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Latency {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Sample {
    /// The most memory at any time.
    pub(super) fn memory_mib(&self) -> f64 {
        self.peak_mib.max(self.start_peak_mib)
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} s, {:.2} CPU s, {:.0} MiB",
            self.seconds,
            self.cpu_seconds,
            self.memory_mib()
        )
    }
}
