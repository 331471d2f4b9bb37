//! Adding documents to a database that holds many: the released binary extracts, resolves and
//! stores as it does for users.

mod counts;
mod seed;
mod world;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use self::{
    counts::{Batch, Cost, Counts},
    world::World,
};
use super::super::{database::Databases, program::target};
use crate::process::{cargo, run as run_program};

/// Entities that are added, about.
const ADDED: usize = 1_000;
/// Entities that a batch stores at most before that.
const SEEDED: usize = 100_000;

/// What one database took.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    database: String,
    /// Entities that there are before a thousand are added.
    stored: i64,
    /// The batches that stored some of them; none of those that an earlier run left, and none where
    /// they were stored all at once.
    seeding: Vec<Batch>,
    /// The second and third time there is in memory what the first one reads.
    adding: Vec<Batch>,
}

/// Fills databases up to each number, and adds a thousand entities three times.
pub(super) fn run(stored: &[usize], postgres: &str, into: Option<&str>, json: bool) -> Result<()> {
    if stored.is_empty() {
        return Ok(());
    }
    let binary = built()?;
    let mut rows = Vec::new();
    if let Some(url) = into {
        for entities in stored {
            rows.push(measure(&binary, "given", url, *entities)?);
        }
    } else {
        let databases = Databases::provide(postgres)?;
        for kind in databases.kinds() {
            for entities in stored {
                rows.push(databases.with_fresh(kind, |url| {
                    measure(&binary, &kind.to_string(), url, *entities)
                })?);
            }
        }
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        print(&rows);
    }
    Ok(())
}

fn built() -> Result<PathBuf> {
    let mut build = cargo();
    run_program(build.args(["build", "--quiet", "--release", "--bin", "knowledge"]))?;
    Ok(target()?.join("release/knowledge"))
}

/// A new database is filled at once; one that an earlier run has filled, with batches on top.
fn measure(binary: &Path, database: &str, url: &str, entities: usize) -> Result<Row> {
    let mut world = World::new(11);
    let mut seeding = Vec::new();
    let mut there = Counts::of(url)?;
    world.skip(there.documents);
    if there.entities == 0 {
        // The first batch makes the tables.
        let nothing = serde_json::json!({ "id": "d0", "text": "nothing of note happened" });
        batch(binary, url, &nothing.to_string())?;
        counts::block_on(seed::fill(url, &mut world, entities))?;
        there = Counts::of(url)?;
    }
    while there.entities < entities {
        let missing = (entities - there.entities).min(SEEDED);
        let done = batch(binary, url, &world.documents(missing))?;
        let now = Counts::of(url)?;
        ensure!(now.entities > there.entities, "a batch stored nothing");
        there = now;
        eprintln!("{database}, {} stored: {done}", there.entities);
        seeding.push(done);
    }
    let adding = (0..3)
        .map(|_| batch(binary, url, &world.documents(ADDED)))
        .collect::<Result<Vec<_>>>()?;
    for batch in &adding {
        eprintln!("{database}, {} stored, then: {batch}", there.entities);
    }
    Ok(Row {
        database: database.to_owned(),
        stored: i64::try_from(there.entities)?,
        seeding,
        adding,
    })
}

/// Runs a batch of documents with the released binary.
fn batch(binary: &Path, url: &str, documents: &str) -> Result<Batch> {
    let folder = tempfile::tempdir()?;
    let input = folder.path().join("documents.jsonl");
    fs::write(&input, documents)?;
    let before = Cost::of(url)?;
    let mut extract = Command::new(binary);
    extract.args(["extract", "--concurrency", "4", "--database", url, "--out"]);
    extract.arg(folder.path().join("graph.json")).arg(&input);
    let output = extract.output().context("the binary cannot be run")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the batch failed: {complaint}");
    Batch::last(url, Cost::of(url)?.since(&before))
}

fn print(rows: &[Row]) {
    println!(
        "\n{:<12}{:>10}{:>10}{:>16}{:>10}{:>8}{:>10}{:>14}",
        "database", "stored", "adding", "resolved in", "forms", "units", "CPU s", "rows read"
    );
    for row in rows {
        for batch in &row.adding {
            println!(
                "{:<12}{:>10}{:>10}{:>14.2} s{:>10}{:>8}{:>10.2}{:>14}",
                row.database,
                row.stored,
                batch.entities,
                batch.resolution_seconds,
                batch.forms,
                batch.units,
                batch.cost.cpu_seconds,
                batch
                    .cost
                    .rows
                    .map_or("-".to_owned(), |rows| rows.to_string()),
            );
        }
    }
}
