//! What extraction with a model costs beside the model; `cargo xtask bench llm` builds and runs it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use knowledge_tests::{
    documents,
    measured::{children_cpu, watch},
    provider::{Provider, Script},
};

/// Paragraphs of a document; 500 words.
const PARAGRAPHS: usize = 14;

/// Documents at a time for each call at a time: while some wait for the model, others are read,
/// checked and stored.
const DOCUMENTS_A_CALL: usize = 3;

#[derive(Debug, Parser)]
struct Arguments {
    /// The binary `knowledge`, as it is released
    #[arg(long)]
    binary: PathBuf,
    /// Documents
    #[arg(long, default_value_t = 50)]
    documents: usize,
    /// Times that every measurement is taken
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// One way of asking one provider.
#[derive(Debug, Clone, Copy)]
struct Case {
    strategy: &'static str,
    latency_ms: u64,
    /// Calls at a time.
    concurrency: usize,
}

impl Case {
    fn latency(self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }

    fn documents_at_a_time(self) -> usize {
        self.concurrency * DOCUMENTS_A_CALL
    }
}

struct Figures {
    seconds: f64,
    cpu_seconds: f64,
    peak_mib: f64,
    calls: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let corpus = corpus(folder.path(), arguments.documents)?;
    println!(
        "| strategy | provider | calls at a time | calls a document | seconds | of the floor | of whole rounds of calls | from memory, s | the same command, s | CPU s a document | MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for (latency_ms, concurrency) in [(50, 4), (1_000, 16)] {
        for strategy in ["single", "staged"] {
            let case = Case {
                strategy,
                latency_ms,
                concurrency,
            };
            report(&arguments, case, &corpus)?;
        }
    }
    Ok(())
}

/// The medians of a case's rounds, as a line of the table.
fn report(arguments: &Arguments, case: Case, corpus: &Path) -> Result<()> {
    let (mut first, mut again, mut same) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let folder = tempfile::tempdir()?;
        let database = format!("sqlite://{}", folder.path().join("knowledge.db").display());
        let provider = Provider::start(Script::answering(case.latency()));
        prepare(arguments, folder.path(), &database)?;
        let documents = case.documents_at_a_time();
        first.push(measure(
            arguments, case, corpus, &database, &provider, documents,
        )?);
        // Another batch of the same documents: everything is remembered. Then the first command.
        let calls = provider.calls();
        again.push(measure(
            arguments,
            case,
            corpus,
            &database,
            &provider,
            documents + 1,
        )?);
        same.push(measure(
            arguments, case, corpus, &database, &provider, documents,
        )?);
        ensure!(provider.calls() == calls, "an answer was asked for twice");
    }
    let documents = arguments.documents as f64;
    let seconds = median(&first, |it| it.seconds);
    let calls = median(&first, |it| it.calls as f64);
    let rounds = calls / case.concurrency as f64;
    let floor = rounds * case.latency().as_secs_f64();
    let least = rounds.ceil() * case.latency().as_secs_f64();
    println!(
        "| {} | {} ms | {} | {:.2} | {seconds:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.4} | {:.0} |",
        case.strategy,
        case.latency_ms,
        case.concurrency,
        calls / documents,
        seconds / floor,
        seconds / least,
        median(&again, |it| it.seconds),
        median(&same, |it| it.seconds),
        median(&first, |it| it.cpu_seconds) / documents,
        median(&first, |it| it.peak_mib),
    );
    Ok(())
}

fn median(figures: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = figures.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn corpus(folder: &Path, count: usize) -> Result<PathBuf> {
    let corpus = folder.join("corpus");
    fs::create_dir(&corpus)?;
    for index in 0..count {
        let text = documents::text(index, PARAGRAPHS);
        fs::write(corpus.join(format!("{index:04}.txt")), text)?;
    }
    Ok(corpus)
}

/// Makes the database, as the first command of a user does.
fn prepare(arguments: &Arguments, folder: &Path, database: &str) -> Result<()> {
    let note = folder.join("first.txt");
    fs::write(&note, "Ilse Varga founded Calder Instruments.")?;
    let mut command = Command::new(&arguments.binary);
    command.args([
        "extract",
        "--extractor",
        "offline",
        "--database",
        database,
        "--out",
    ]);
    let prepared = command.arg(folder.join("first.json")).arg(&note);
    let ended = prepared.stderr(Stdio::null()).status()?;
    ensure!(ended.success(), "the database cannot be made: {ended}");
    Ok(())
}

fn measure(
    arguments: &Arguments,
    case: Case,
    corpus: &Path,
    database: &str,
    provider: &Provider,
    concurrency: usize,
) -> Result<Figures> {
    let before = (provider.calls(), children_cpu()?);
    let out = corpus.with_file_name("graph.json");
    let mut command = Command::new(&arguments.binary);
    command
        .args([
            "extract",
            "--extractor",
            "llm",
            "--strategy",
            case.strategy,
            "--database",
            database,
        ])
        .args(["--concurrency", &concurrency.to_string(), "--out"])
        .arg(&out)
        .arg(corpus)
        .envs(provider.environment())
        .env("KNOWLEDGE_LLM_MAX_CONCURRENT", case.concurrency.to_string())
        .env("KNOWLEDGE_LOG", "error")
        .stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn().context("the binary cannot be started")?;
    let peak_mib = watch(&mut child)?;
    Ok(Figures {
        seconds: begun.elapsed().as_secs_f64(),
        cpu_seconds: children_cpu()? - before.1,
        peak_mib,
        calls: provider.calls() - before.0,
    })
}
