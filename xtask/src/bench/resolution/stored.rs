//! Adding documents to a database that holds many: the released binary extracts, resolves and
//! stores as it does for users.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use sea_orm_migration::sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, QueryResult, Statement,
};
use serde::Serialize;

use super::super::{database::Databases, program::target};
use crate::process::{cargo, run as run_program};

/// Entities that are added, about.
const ADDED: usize = 1_000;
/// Names in a document.
const NAMES: usize = 100;

/// What one batch took.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    documents: i64,
    entities: i64,
    /// From the first unit of resolution to its last.
    resolution_seconds: f64,
    units: i64,
    /// Forms that were settled, those that were there already among them.
    forms: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    database: String,
    stored: Batch,
    /// The second time: the first one reads what no memory holds yet.
    adding: Vec<Batch>,
}

/// Fills a database for each number, and adds a thousand entities twice.
pub(super) fn run(stored: &[usize], postgres: &str, json: bool) -> Result<()> {
    if stored.is_empty() {
        return Ok(());
    }
    let binary = built()?;
    let databases = Databases::provide(postgres)?;
    let mut rows = Vec::new();
    for kind in databases.kinds() {
        for entities in stored {
            rows.push(databases.with_fresh(kind, |url| {
                measure(&binary, &kind.to_string(), url, *entities)
            })?);
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

fn measure(binary: &Path, database: &str, url: &str, entities: usize) -> Result<Row> {
    let mut world = World::new(11);
    let stored = batch(binary, url, &world.documents(entities))?;
    let adding = (0..2)
        .map(|_| batch(binary, url, &world.documents(ADDED)))
        .collect::<Result<Vec<_>>>()?;
    Ok(Row {
        database: database.to_owned(),
        stored,
        adding,
    })
}

/// Runs a batch of documents with the released binary.
fn batch(binary: &Path, url: &str, documents: &str) -> Result<Batch> {
    let folder = tempfile::tempdir()?;
    let input = folder.path().join("documents.jsonl");
    fs::write(&input, documents)?;
    let mut extract = Command::new(binary);
    extract.args(["extract", "--concurrency", "4", "--database", url, "--out"]);
    extract.arg(folder.path().join("graph.json")).arg(&input);
    let output = extract.output().context("the binary cannot be run")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the batch failed: {complaint}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let connection = Database::connect(url).await?;
        let batch = last(&connection).await?;
        connection.close().await?;
        Ok(batch)
    })
}

/// What the database says of the last batch.
async fn last(connection: &DatabaseConnection) -> Result<Batch> {
    let of = "(SELECT id FROM batch_execution ORDER BY created_at DESC LIMIT 1)";
    let units = rows(
        connection,
        &format!(
            "SELECT CAST(a.output AS text) AS output, a.duration_ms AS took
             FROM workflow_activity a JOIN workflow_execution e ON e.id = a.execution_id
             WHERE e.batch_id = {of}"
        ),
    )
    .await;
    let units = units?;
    let mut forms = 0;
    let mut took = 0_i64;
    for unit in &units {
        took += i64::from(unit.try_get::<i32>("", "took")?);
        let output: Option<String> = unit.try_get("", "output").ok();
        forms += output.map_or(0, |output| settled(&output));
    }
    let counts = rows(
        connection,
        &format!("SELECT CAST(total_documents AS bigint) AS documents FROM batch_execution WHERE id = {of}"),
    )
    .await?;
    let entities = rows(
        connection,
        &format!(
            "SELECT COUNT(*) AS entities FROM entity WHERE extraction_id IN
             (SELECT extraction_id FROM batch_document WHERE batch_id = {of})"
        ),
    )
    .await?;
    Ok(Batch {
        documents: counts[0].try_get("", "documents")?,
        entities: entities[0].try_get("", "entities")?,
        resolution_seconds: took as f64 / 1e3,
        units: i64::try_from(units.len()).unwrap_or(i64::MAX),
        forms,
    })
}

/// The forms that a unit settled; PostgreSQL shows bytes in hexadecimal.
fn settled(output: &str) -> u64 {
    let bytes = output.strip_prefix("\\x").map(|hex| {
        let digits = hex.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).ok();
        digits.filter_map(byte).collect::<Vec<u8>>()
    });
    let bytes = bytes.unwrap_or_else(|| output.as_bytes().to_vec());
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    match value.get("merges") {
        Some(_) => value["forms"].as_u64().unwrap_or_default(),
        None => 0,
    }
}

async fn rows(connection: &DatabaseConnection, sql: &str) -> Result<Vec<QueryResult>> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    Ok(connection.query_all_raw(statement).await?)
}

fn print(rows: &[Row]) {
    println!(
        "\n{:<12}{:>10}{:>14}{:>10}{:>16}{:>14}{:>10}",
        "database", "stored", "resolved in", "adding", "resolved in", "again", "forms"
    );
    for row in rows {
        let [first, second] = row.adding.as_slice() else {
            continue;
        };
        println!(
            "{:<12}{:>10}{:>12.1} s{:>10}{:>14.2} s{:>12.2} s{:>10}",
            row.database,
            row.stored.entities,
            row.stored.resolution_seconds,
            first.entities,
            first.resolution_seconds,
            second.resolution_seconds,
            second.forms,
        );
    }
}

/// Invented people and firms, the same in every run.
struct World {
    state: u64,
    written: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            state: seed,
            written: 0,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state % bound as u64).unwrap_or_default()
    }

    /// Documents with about so many entities, as JSON lines.
    fn documents(&mut self, entities: usize) -> String {
        let mut lines = String::new();
        for _ in 0..entities.div_ceil(NAMES) {
            let text: String = (0..NAMES / 2).map(|_| self.sentence()).collect();
            self.written += 1;
            let line = serde_json::json!({ "id": format!("d{}", self.written), "text": text });
            let _ = writeln!(lines, "{line}");
        }
        lines
    }

    fn sentence(&mut self) -> String {
        let (given, surname) = (self.below(2_000), self.below(60_000));
        let person = format!("{} {}", name(given, 2), name(surname + 2_000, 3));
        let (one, two) = (self.below(40_000), self.below(40_000));
        let firm = format!("{} {}", name(one + 70_000, 3), name(two + 70_000, 3));
        let trade = ["Works", "Shipping", "Railway", "Press"][self.below(4)];
        let said = ["worked for", "joined", "founded"][self.below(3)];
        format!("{person} {said} {firm} {trade} Ltd. ")
    }
}

/// The word of a number: always the same one.
fn name(number: usize, syllables: usize) -> String {
    const BEGIN: &[&str] = &[
        "b", "br", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v", "w",
    ];
    const MIDDLE: &[&str] = &["a", "e", "i", "o", "u", "ai", "ea", "oo"];
    let mut mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995;
    let mut below = |bound: usize| {
        mixed = mixed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        usize::try_from((mixed >> 33) % bound as u64).unwrap_or_default()
    };
    let mut word = String::new();
    for _ in 0..syllables {
        word.push_str(BEGIN[below(BEGIN.len())]);
        word.push_str(MIDDLE[below(MIDDLE.len())]);
    }
    word.push_str(["n", "r", "s", "l"][below(4)]);
    word[..1].to_uppercase() + &word[1..]
}
