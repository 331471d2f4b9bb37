//! What a process took: for benchmarks that run the binary.

use std::{fs, process::Child, thread, time::Duration};

use anyhow::{Context, Result, ensure};

/// Ticks of the kernel's clock in a second, as `/proc` counts them.
const TICKS: f64 = 100.0;

/// Waits for a process; the most memory that it was seen with, in MiB.
///
/// # Errors
/// When it fails.
pub fn watch(child: &mut Child) -> Result<f64> {
    let status = format!("/proc/{}/status", child.id());
    let mut peak: f64 = 0.0;
    loop {
        peak = peak.max(high_water(&status).unwrap_or_default());
        if let Some(ended) = child.try_wait()? {
            ensure!(ended.success(), "the process failed: {ended}");
            return Ok(peak);
        }
        thread::sleep(Duration::from_millis(3));
    }
}

fn high_water(status: &str) -> Option<f64> {
    let status = fs::read_to_string(status).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Seconds of the processor that ended children took: fields 16 and 17 of `stat`.
///
/// # Errors
/// When the kernel does not say.
pub fn children_cpu() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("no such format")?;
    let ticks = fields.split_whitespace().skip(13).take(2);
    let ticks: f64 = ticks
        .map(|ticks| ticks.parse::<f64>().unwrap_or_default())
        .sum();
    Ok(ticks / TICKS)
}
