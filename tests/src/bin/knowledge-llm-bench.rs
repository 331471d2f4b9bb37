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

/// Paragraphs of a document of 500 words with some 60 names, and of one with 140.
const PROSE: usize = 6;
const DENSE: usize = 14;

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
    /// Documents in which every fourth word is of a name
    #[arg(long)]
    dense: bool,
    /// Take the `.txt` and `.md` files of this folder, again and again, instead of our own
    #[arg(long, conflicts_with = "dense")]
    corpus: Option<PathBuf>,
    /// Only one way of asking
    #[arg(long, value_parser = ["single", "staged"])]
    strategy: Option<String>,
    /// Only the provider that takes so many milliseconds
    #[arg(long, value_parser = ["50", "1000"])]
    latency: Option<String>,
}

impl Arguments {
    fn wants(&self, case: Case) -> bool {
        let (strategy, latency) = (self.strategy.as_deref(), self.latency.as_deref());
        strategy.is_none_or(|only| only == case.strategy)
            && latency.is_none_or(|only| only == case.latency_ms.to_string())
    }
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
    /// Seconds before the first call, and after the last answer.
    around: (f64, f64),
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let corpus = corpus(folder.path(), &arguments)?;
    println!(
        "| strategy | provider | calls at a time | calls a document | seconds | of the floor | of whole rounds of calls | before the first call, s | after the last answer, s | from memory, s | the same command, s | CPU s a document | MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (latency_ms, concurrency) in [(50, 4), (1_000, 16)] {
        for strategy in ["single", "staged"] {
            let case = Case {
                strategy,
                latency_ms,
                concurrency,
            };
            if arguments.wants(case) {
                report(&arguments, case, &corpus)?;
            }
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
        "| {} | {} ms | {} | {:.2} | {seconds:.2} | {:.2} | {:.2} | {:.3} | {:.3} | {:.2} | {:.2} | {:.4} | {:.0} |",
        case.strategy,
        case.latency_ms,
        case.concurrency,
        calls / documents,
        seconds / floor,
        seconds / least,
        median(&first, |it| it.around.0),
        median(&first, |it| it.around.1),
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

/// The documents, no two of which are the same.
fn corpus(folder: &Path, arguments: &Arguments) -> Result<PathBuf> {
    let corpus = folder.join("corpus");
    fs::create_dir(&corpus)?;
    let given = arguments.corpus.as_deref().map(files).transpose()?;
    for index in 0..arguments.documents {
        let text = match &given {
            Some(files) => {
                let text = fs::read_to_string(&files[index % files.len()])?;
                format!("No. {index}\n\n{text}")
            }
            None if arguments.dense => documents::text(index, DENSE),
            None => documents::prose(index, PROSE),
        };
        fs::write(corpus.join(format!("{index:04}.txt")), text)?;
    }
    Ok(corpus)
}

/// The texts of a folder, at least one, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()));
    let mut files = Vec::new();
    for entry in entries? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|ending| ending == "txt" || ending == "md")
        {
            files.push(path);
        }
    }
    files.sort();
    ensure!(
        !files.is_empty(),
        "{} has no .txt and no .md file",
        folder.display()
    );
    Ok(files)
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
    let ended = Instant::now();
    let calls = &provider.seen()[before.0..];
    let first = calls.iter().map(|call| call.at).min().unwrap_or(ended);
    let last = calls.iter().filter_map(|call| call.answered).max();
    Ok(Figures {
        seconds: (ended - begun).as_secs_f64(),
        cpu_seconds: children_cpu()? - before.1,
        peak_mib,
        calls: calls.len(),
        around: (
            (first - begun).as_secs_f64(),
            (ended - last.unwrap_or(ended)).as_secs_f64(),
        ),
    })
}
