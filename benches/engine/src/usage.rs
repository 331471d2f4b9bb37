//! What this process has used, as Linux counts it.

use std::fs;

use anyhow::{Context, Result};

/// Ticks a second of the times in `/proc/self/stat`: the same on every Linux.
const TICKS: f64 = 100.0;
/// What `/proc/self/clear_refs` takes to forget the peak of the memory.
const FORGET_PEAK: &str = "5";

/// Seconds that this process has spent on processors, its system calls included.
pub(crate) fn cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("this needs Linux's /proc")?;
    // The second field is the program's name, which may hold anything but is in parentheses.
    let (_, fields) = stat
        .rsplit_once(')')
        .context("no name in /proc/self/stat")?;
    let ticks = |position: usize| {
        let field = fields.split_whitespace().nth(position);
        field.and_then(|field| field.parse::<f64>().ok())
    };
    let (user, system) = ticks(11)
        .zip(ticks(12))
        .context("no times in /proc/self/stat")?;
    Ok((user + system) / TICKS)
}

/// The most memory that this process has held, in MiB.
pub(crate) fn peak_mib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    let kib: f64 = kib.context("no VmHWM in /proc/self/status")?.parse()?;
    Ok(kib / 1024.0)
}

/// Begins a new peak at what is held now.
pub(crate) fn forget_peak() -> Result<()> {
    fs::write("/proc/self/clear_refs", FORGET_PEAK).context("the memory's peak stays")
}

/// The memory that this process holds now, in MiB.
pub(crate) fn resident_mib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    let kib: f64 = kib.context("no VmRSS in /proc/self/status")?.parse()?;
    Ok(kib / 1024.0)
}

/// Lets this process open as many files as the system allows it.
pub(crate) fn allow_many_files() -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("the limit of open files cannot be raised")
}
