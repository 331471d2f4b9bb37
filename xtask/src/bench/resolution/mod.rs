//! `cargo xtask bench resolution`: time, memory and F1 of the resolver on synthetic entities, beside
//! Splink on the same table, and what it takes to add documents to a database that holds many.

mod splink;
mod stored;

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use self::splink::{Beside, Splink};
use crate::process::cargo;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(super) struct Resolution {
    /// Entities of each measurement in memory; 0 for none
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    entities: Vec<usize>,
    /// Times that each is measured; the least counts, which others disturbed least
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Splink resolves the same entities, one after the other, up to so many; 0 leaves it out
    #[arg(long, value_name = "ENTITIES", default_value_t = 1_000_000)]
    splink_up_to: usize,
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
    /// What Splink takes for the same entities.
    splink: Option<Beside>,
}

/// Each size in a process of its own.
pub(super) fn run(arguments: &Resolution) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let table = |entities: usize| folder.path().join(format!("{entities}.tsv"));
    let sizes = arguments.entities.iter().copied().filter(|it| *it > 0);
    let sizes: Vec<usize> = sizes.collect();
    let fits = |entities: usize| entities <= arguments.splink_up_to;
    let splink = sizes.iter().any(|entities| fits(*entities));
    let splink = splink.then(Splink::provide).flatten();
    let mut all = least(arguments.rounds, &sizes, |entities| {
        measure(entities, &table(entities))
    })?;
    for figures in &mut all {
        let beside = splink.as_ref().filter(|_| fits(figures.entities));
        figures.splink = beside.and_then(|splink| splink.measure(&table(figures.entities)));
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

/// The least that each size takes of several rounds. Sizes take turns, so that a machine that is
/// slower for a while is so for all of them.
fn least(
    rounds: usize,
    sizes: &[usize],
    measure: impl Fn(usize) -> Result<Figures>,
) -> Result<Vec<Figures>> {
    let mut all: Vec<Figures> = Vec::new();
    for round in 0..rounds.max(1) {
        for (at, entities) in sizes.iter().enumerate() {
            let figures = measure(*entities)?;
            let seconds = figures.processor_seconds;
            eprintln!("round {}: {entities} entities: {seconds:.3} s", round + 1);
            match all.get_mut(at) {
                None => all.push(figures),
                Some(least) if seconds < least.processor_seconds => *least = figures,
                Some(_) => {}
            }
        }
    }
    Ok(all)
}

/// Resolves so many entities, and leaves them in a table.
fn measure(entities: usize, table: &Path) -> Result<Figures> {
    let mut command: Command = cargo();
    command.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "knowledge-resolution",
    ]);
    command.args(["--example", "synthetic", "--", &entities.to_string()]);
    command.arg(table);
    let output = command.output().context("cargo cannot be run")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the measurement failed: {complaint}"
    );
    serde_json::from_slice(&output.stdout).context("the measurement says something else")
}

/// How many times the processor time of the row before, and of what takes n log n.
fn growth(before: &Figures, after: &Figures) -> (f64, f64) {
    let n_log_n = |figures: &Figures| figures.entities as f64 * (figures.entities as f64).ln();
    (
        after.processor_seconds / before.processor_seconds,
        n_log_n(after) / n_log_n(before),
    )
}

fn print(all: &[Figures]) {
    if all.is_empty() {
        return;
    }
    println!(
        "{:>10}{:>10}{:>12}{:>10}{:>14}{:>16}{:>10}{:>8}{:>14}{:>10}{:>9}",
        "entities",
        "clusters",
        "pairs each",
        "CPU s",
        "us an entity",
        "before MB",
        "peak MB",
        "F1",
        "adding 1,000",
        "growth",
        "n log n"
    );
    let mut before = None;
    for figures in all {
        let growth = before
            .replace(figures)
            .map(|before| growth(before, figures));
        let growth = growth.map_or_else(String::new, |(times, n_log_n)| {
            format!("{times:>10.1}{n_log_n:>9.1}")
        });
        println!(
            "{:>10}{:>10}{:>12.2}{:>10.3}{:>14.1}{:>16}{:>10}{:>8.4}{:>12.2} s{growth}",
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
    for (figures, splink) in all.iter().filter_map(|it| Some((it, it.splink.as_ref()?))) {
        println!(
            "Splink, {} entities: {:.2} CPU s, {:.2} s, {} MB, F1 {:.4}; {:.0} times the processor \
             time and {:.1} times the memory",
            figures.entities,
            splink.processor_seconds,
            splink.seconds,
            splink.peak_mb,
            splink.f1,
            splink.processor_seconds / figures.processor_seconds,
            splink.peak_mb as f64 / figures.peak_mb as f64,
        );
    }
}
