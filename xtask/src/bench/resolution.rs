//! `cargo xtask bench resolution`: time, memory and F1 of the resolver on synthetic entities.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::process::cargo;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(super) struct Resolution {
    /// Entities of each measurement
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    entities: Vec<usize>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// What one process says of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    entities: usize,
    clusters: usize,
    /// Everything at once.
    seconds: f64,
    peak_mb: u64,
    precision: f64,
    recall: f64,
    f1: f64,
    /// A thousand more, where the others are indexed.
    adding_seconds: f64,
    /// Forms that were looked at for it.
    adding_reached: usize,
}

/// Each size in a process of its own.
pub(super) fn run(arguments: &Resolution) -> Result<()> {
    let mut all = Vec::new();
    for entities in &arguments.entities {
        let figures = measure(*entities)?;
        eprintln!("{entities} entities: {:.2} s", figures.seconds);
        all.push(figures);
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        print(&all);
    }
    Ok(())
}

fn measure(entities: usize) -> Result<Figures> {
    let mut command: Command = cargo();
    command.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "knowledge-resolution",
    ]);
    command.args(["--example", "synthetic", "--", &entities.to_string()]);
    let output = command.output().context("cargo cannot be run")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the measurement failed: {complaint}"
    );
    serde_json::from_slice(&output.stdout).context("the measurement says something else")
}

fn print(all: &[Figures]) {
    println!(
        "{:>10}{:>10}{:>10}{:>14}{:>10}{:>8}{:>14}",
        "entities", "clusters", "seconds", "us an entity", "peak MB", "F1", "adding 1,000"
    );
    for figures in all {
        println!(
            "{:>10}{:>10}{:>10.2}{:>14.1}{:>10}{:>8.4}{:>12.2} s",
            figures.entities,
            figures.clusters,
            figures.seconds,
            figures.seconds * 1e6 / figures.entities as f64,
            figures.peak_mb,
            figures.f1,
            figures.adding_seconds,
        );
    }
}
