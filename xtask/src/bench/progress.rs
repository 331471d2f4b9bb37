//! Subscribers of a running batch: what they cost, and how late they hear.
//!
//! A server runs a batch at the pace of model calls while so many connections watch it; a bare
//! server that sends the same bytes at the same times, without a database and without a promise,
//! shows what the machine gives at best.

use std::{
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{database::Databases, program::Programs};
use crate::process::stop_with_signals;

/// How many watch, and what.
#[derive(Debug, clap::Args)]
pub(super) struct Progress {
    /// Subscribers of each measurement
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 5_000])]
    subscribers: Vec<usize>,
    /// Documents of the batch
    #[arg(long, default_value_t = 120)]
    documents: usize,
    /// Milliseconds of a unit; a document of twelve units takes about six of them
    #[arg(long, default_value_t = 400)]
    unit_ms: u64,
    /// A URL whose user may create databases, `provision` for a cluster of our own, or `none`
    #[arg(long, default_value = "none")]
    postgres: String,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// What a server says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Server {
    seconds: f64,
    cpu_seconds: f64,
    before_mib: f64,
    connected_mib: f64,
    peak_mib: f64,
}

/// What the subscribers say.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Seen {
    subscribers: usize,
    events: u64,
    disordered: u64,
    broken: u64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_seconds: f64,
}

#[derive(Debug, Serialize)]
struct Row {
    server: &'static str,
    database: String,
    of_server: Server,
    of_subscribers: Seen,
}

pub(super) fn run(progress: &Progress) -> Result<()> {
    stop_with_signals();
    let programs = Programs::build(false)?;
    let databases = Databases::provide(&progress.postgres)?;
    let folder = tempfile::tempdir()?;
    let recording = folder.path().join("events.json");
    let mut rows = Vec::new();
    for kind in databases.kinds() {
        // One subscriber records, and its batch is what others are compared with.
        for count in [1].into_iter().chain(progress.subscribers.iter().copied()) {
            let record = (count == 1).then_some(recording.as_path());
            let row = databases.with_fresh(kind, |url| {
                let mut server = programs.bench();
                server.args(["served", "--database", url]);
                server.args(["--documents", &progress.documents.to_string()]);
                server.args(["--unit-ms", &progress.unit_ms.to_string()]);
                measure(
                    "knowledge",
                    &kind.to_string(),
                    server,
                    count,
                    record,
                    &programs,
                )
            })?;
            tell(&row);
            rows.push(row);
        }
        for count in &progress.subscribers {
            let mut server = programs.bench();
            server.arg("broadcast").arg(&recording);
            let row = measure("bare", "-", server, *count, None, &programs)?;
            tell(&row);
            rows.push(row);
        }
    }
    if progress.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        print(&rows);
    }
    Ok(())
}

fn tell(row: &Row) {
    let subscribers = &row.of_subscribers;
    eprintln!(
        "{} on {}: {} subscribers got {} events",
        row.server, row.database, subscribers.subscribers, subscribers.events
    );
}

/// Runs a server with its subscribers to the end of the batch.
fn measure(
    name: &'static str,
    database: &str,
    server: Command,
    count: usize,
    record: Option<&Path>,
    programs: &Programs,
) -> Result<Row> {
    let mut server = Driven::start(server)?;
    let place: serde_json::Value = serde_json::from_str(&server.line()?)?;
    let text = |field: &str| place[field].as_str().context("the server says no place");
    let mut watch = programs.bench();
    watch.args(["subscribers", "--address", text("address")?]);
    watch.args(["--path", text("path")?, "--count", &count.to_string()]);
    if let Some(record) = record {
        watch.arg("--record").arg(record);
    }
    let mut watch = Driven::start(watch)?;
    ensure!(watch.line()? == "ready", "the subscribers are not ready");
    server.go()?;
    let of_subscribers = serde_json::from_str(&watch.line()?)?;
    server.go()?;
    let of_server = serde_json::from_str(&server.line()?)?;
    Ok(Row {
        server: name,
        database: database.to_owned(),
        of_server,
        of_subscribers,
    })
}

/// A program that says a line and waits for one; killed when dropped.
struct Driven {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Driven {
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("the input is piped")?;
        let output = child.stdout.take().context("the output is piped")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line)?;
        ensure!(read > 0, "a program ended before it had said everything");
        Ok(line.trim().to_owned())
    }

    fn go(&mut self) -> Result<()> {
        Ok(writeln!(self.input, "go")?)
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn print(rows: &[Row]) {
    println!(
        "| server | database | subscribers | events | broken | p50 ms | p99 ms | KiB each | \
         server CPU s | batch s | slowed |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let (server, seen) = (&row.of_server, &row.of_subscribers);
        let alone = rows.iter().find(|other| {
            (other.server, &other.database) == (row.server, &row.database)
                && other.of_subscribers.subscribers == 1
        });
        let slowed = alone.map_or_else(
            || "-".to_owned(),
            |alone| {
                let ratio = server.seconds / alone.of_server.seconds - 1.0;
                format!("{:.1} %", ratio * 100.0)
            },
        );
        let each = (server.connected_mib - server.before_mib) * 1024.0 / seen.subscribers as f64;
        let lost = seen.broken + seen.disordered;
        println!(
            "| {} | {} | {} | {} | {lost} | {:.1} | {:.1} | {each:.1} | {:.2} | {:.1} | {slowed} |",
            row.server,
            row.database,
            seen.subscribers,
            seen.events,
            seen.p50_ms,
            seen.p99_ms,
            server.cpu_seconds,
            server.seconds,
        );
    }
}
