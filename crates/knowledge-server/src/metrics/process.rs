//! What the kernel tells of this process.

use std::{fmt::Write as _, fs};

/// Clock ticks of a second in `/proc`; the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Memory, processor time and open files; nothing where there is no `/proc`.
pub(super) fn write(text: &mut String) {
    for (name, help, kind, value) in [
        (
            "process_resident_memory_bytes",
            "Resident memory.",
            "gauge",
            resident(),
        ),
        (
            "process_cpu_seconds_total",
            "Processor time.",
            "counter",
            processor(),
        ),
        ("process_open_fds", "Open files.", "gauge", files()),
    ] {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
            );
        }
    }
}

fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024.0)
}

/// User and system time; the fields after the program's name, which may hold spaces.
fn processor() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let user: f64 = times.next()?.parse().ok()?;
    let system: f64 = times.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

fn files() -> Option<f64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as f64)
}
