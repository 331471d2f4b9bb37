//! `cargo xtask bench resolution`: time, memory and F1 of the resolver on synthetic entities, and
//! what it takes to add documents to a database that holds many.

mod stored;

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::process::cargo;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(super) struct Resolution {
    /// Entities of each measurement in memory; 0 for none
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    entities: Vec<usize>,
    /// About so many entities are in a database before a thousand are added; nothing is measured
    /// when left out
    #[arg(long, value_delimiter = ',')]
    stored: Vec<usize>,
    /// Where databases are: a URL whose user may create some, `provision` for a cluster of our
    /// own, or `none` for SQLite alone
    #[arg(long, default_value = "none")]
    postgres: String,
    /// A database to fill up to the stored number and to add to, instead of fresh ones; it is kept,
    /// and a later run goes on with it
    #[arg(long, value_name = "URL", requires = "stored")]
    into: Option<String>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// What one process says of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    entities: usize,
    forms: usize,
    /// Pairs of forms that were compared.
    pairs: usize,
    clusters: usize,
    /// Everything at once.
    seconds: f64,
    /// The same, as the processor counts it: what others do meanwhile adds nothing.
    processor_seconds: f64,
    /// Memory before resolution: the entities themselves.
    entities_mb: u64,
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
    for entities in arguments.entities.iter().filter(|it| **it > 0) {
        let figures = measure(*entities)?;
        eprintln!("{entities} entities: {:.2} s", figures.processor_seconds);
        all.push(figures);
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        print(&all);
    }
    stored::run(
        &arguments.stored,
        &arguments.postgres,
        arguments.into.as_deref(),
        arguments.json,
    )
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
    if all.is_empty() {
        return;
    }
    println!(
        "{:>10}{:>10}{:>12}{:>10}{:>14}{:>16}{:>10}{:>8}{:>14}",
        "entities",
        "clusters",
        "pairs each",
        "CPU s",
        "us an entity",
        "before MB",
        "peak MB",
        "F1",
        "adding 1,000"
    );
    for figures in all {
        println!(
            "{:>10}{:>10}{:>12.2}{:>10.2}{:>14.1}{:>16}{:>10}{:>8.4}{:>12.2} s",
            figures.entities,
            figures.clusters,
            figures.pairs as f64 / figures.entities as f64,
            figures.processor_seconds,
            figures.processor_seconds * 1e6 / figures.entities as f64,
            figures.entities_mb,
            figures.peak_mb,
            figures.f1,
            figures.adding_seconds,
        );
    }
}
