//! What comparing meanings costs beside resolution without; `cargo xtask bench meanings` builds and
//! runs it.
//!
//! Every name is new and means something of its own, so each has a vector, and none is linked: what
//! is measured is to ask, to keep and to compare.

use std::{
    fmt,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result};
use clap::Parser;
use knowledge_tests::{
    measured::{children_cpu, watch},
    provider::{Provider, Script},
};
use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::json;

/// Names of a document.
const NAMES: usize = 5;

/// Names of the batch that comes last.
const LAST: usize = 100;

#[derive(Debug, Parser)]
struct Arguments {
    /// The binary `knowledge`, as it is released
    #[arg(long)]
    binary: PathBuf,
    /// Print the head of the table, and measure nothing
    #[arg(long)]
    head: bool,
    /// The URL of an empty database
    #[arg(long, required_unless_present = "head")]
    database: Option<String>,
    /// Compare meanings
    #[arg(long)]
    meanings: bool,
    /// Names that are resolved
    #[arg(long, default_value_t = 10_000)]
    names: usize,
    /// The cosine between names of one class; 0 when they have nothing in common
    #[arg(long, default_value_t = 0.0)]
    alike: f64,
    /// Numbers of a vector
    #[arg(long, default_value_t = 1_536)]
    dimensions: u64,
}

/// What a run of the binary took.
struct Figures {
    seconds: f64,
    cpu_seconds: f64,
    peak_mib: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seconds,
            cpu_seconds,
            peak_mib,
        } = self;
        write!(f, "{seconds:.1} | {cpu_seconds:.1} | {peak_mib:.0}")
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let Some(database) = arguments.database.as_deref().filter(|_| !arguments.head) else {
        println!(
            "| database | names | meanings | calls | s | CPU s | MiB | {LAST} more: s | CPU s | MiB | database, MiB |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|---|");
        return Ok(());
    };
    tokio::task::block_in_place(|| report(&arguments, database))?;
    println!(" {} |", size(database).await? / (1 << 20));
    Ok(())
}

fn report(arguments: &Arguments, database: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let names = arguments.names;
    let provider = Provider::start(Script {
        dimensions: Some(arguments.dimensions),
        of_a_class: Some(arguments.alike),
        ..Script::default()
    });
    let run = |begin, end| {
        let corpus = corpus(folder.path(), begin, end)?;
        extract(arguments, &corpus, database, &provider)
    };
    let first = run(0, names)?;
    let calls = provider.calls();
    let last = run(names, names + LAST)?;
    print!(
        "| {} | {names} | {} | {calls} | {first} | {last} |",
        if is_sqlite(database) {
            "SQLite"
        } else {
            "PostgreSQL"
        },
        if arguments.meanings { "yes" } else { "no" },
    );
    Ok(())
}

fn is_sqlite(database: &str) -> bool {
    database.starts_with("sqlite:")
}

/// Bytes of a database.
async fn size(database: &str) -> Result<i64> {
    let connection = Database::connect(database).await?;
    let size = if is_sqlite(database) {
        "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    } else {
        "SELECT pg_database_size(current_database())"
    };
    let statement = Statement::from_string(connection.get_database_backend(), size);
    let row = connection.query_one_raw(statement).await?;
    let size = row.context("it has a size")?.try_get_by_index(0)?;
    connection.close().await?;
    Ok(size)
}

/// Documents with names from one number to another.
fn corpus(folder: &Path, begin: usize, end: usize) -> Result<PathBuf> {
    let corpus = folder.join(format!("{begin}.jsonl"));
    let mut file = File::create(&corpus)?;
    for first in (begin..end).step_by(NAMES) {
        let [person, firm, place, friend, other] = [0, 1, 2, 3, 4].map(|at| name(first + at));
        let text = format!(
            "{person} {friend} was born in {place}. {person} {friend} worked for {firm} Ltd in {place}. \
             {friend} {other} was born in {other}."
        );
        let line = json!({ "name": format!("{first}"), "text": text });
        writeln!(file, "{line}")?;
    }
    Ok(corpus)
}

/// A word for a number that is like no other one.
fn name(number: usize) -> String {
    const ONSETS: [&str; 16] = [
        "b", "br", "d", "dr", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "r", "t", "v",
    ];
    const RIMES: [&str; 16] = [
        "al", "an", "ar", "el", "en", "er", "il", "in", "ir", "ol", "on", "or", "ul", "un", "ur",
        "as",
    ];
    // Neighbouring numbers have nothing in common.
    let mut mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^= mixed >> 29;
    let mut name = String::new();
    for _ in 0..4 {
        let at = (mixed % 256) as usize;
        name += ONSETS[at % 16];
        name += RIMES[at / 16];
        mixed >>= 8;
    }
    name[..1].to_uppercase() + &name[1..]
}

fn extract(
    arguments: &Arguments,
    corpus: &Path,
    database: &str,
    provider: &Provider,
) -> Result<Figures> {
    let before = children_cpu()?;
    let mut command = Command::new(&arguments.binary);
    command
        .args(["extract", "--extractor", "offline", "--database", database])
        .arg("--out")
        .arg(corpus.with_extension("json"))
        .arg(corpus)
        .envs(provider.environment())
        .env("KNOWLEDGE_LOG", "warn")
        .stderr(Stdio::null())
        .stdout(Stdio::null());
    if arguments.meanings {
        command.env("KNOWLEDGE_EMBEDDING_MODEL", "scripted-vectors");
    }
    let begun = Instant::now();
    let mut child = command.spawn().context("the binary cannot be started")?;
    let peak_mib = watch(&mut child)?;
    Ok(Figures {
        seconds: begun.elapsed().as_secs_f64(),
        cpu_seconds: children_cpu()? - before,
        peak_mib,
    })
}
