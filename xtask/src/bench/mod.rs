//! `cargo xtask bench`: what the engine costs, beside what it is compared with.
//!
//! Every measurement is a process of its own with an empty database of its own; the cases of a
//! part take turns, so that what disturbs one round disturbs all of them. Only ratios within a
//! round, and medians over rounds, mean anything on a machine that others use.

mod case;
mod database;
mod meanings;
mod plan;
mod program;
mod progress;
mod report;
mod resolution;
mod sample;

use anyhow::Result;
use clap::Subcommand;

pub(crate) use self::program::target;
use self::{
    case::{Case, Figures},
    database::Databases,
    plan::Part,
    program::Programs,
    progress::Progress,
    report::Report,
};
use crate::process::{cargo, run as run_program, stop_with_signals};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure the engine: overhead, workflows a second, cost by size of the batch
    Engine(Engine),
    /// Measure subscribers: what they cost, how late they hear, what a bare server would take
    Progress(Progress),
    /// Measure the resolver on synthetic entities
    Resolution(resolution::Resolution),
    /// Measure extraction with a model, beside the time that the model takes
    Llm(Llm),
    /// Measure resolution that compares meanings, beside resolution that does not
    Meanings(meanings::Meanings),
}

/// What is measured of model calls, and how often.
#[derive(Debug, clap::Args)]
struct Llm {
    /// Documents of 500 words
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
    corpus: Option<std::path::PathBuf>,
    /// Only one way of asking
    #[arg(long, value_parser = ["single", "staged"])]
    strategy: Option<String>,
    /// Only the provider that takes so many milliseconds
    #[arg(long, value_parser = ["50", "1000"])]
    latency: Option<String>,
}

impl Llm {
    /// The same arguments for the program that measures.
    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--documents={}", self.documents),
            format!("--rounds={}", self.rounds),
        ];
        if self.dense {
            arguments.push("--dense".to_owned());
        }
        if let Some(corpus) = &self.corpus {
            arguments.push(format!("--corpus={}", corpus.display()));
        }
        if let Some(strategy) = &self.strategy {
            arguments.push(format!("--strategy={strategy}"));
        }
        if let Some(latency) = &self.latency {
            arguments.push(format!("--latency={latency}"));
        }
        arguments
    }
}

/// What is measured, and how often.
#[derive(Debug, clap::Args)]
struct Engine {
    /// Workflows of each measurement of part b
    #[arg(long, default_value_t = 2000)]
    workflows: usize,
    /// Times that every measurement is taken
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Documents of each measurement of part a
    #[arg(long, default_value_t = 128)]
    corpus: usize,
    /// Documents of the batches of part c
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000])]
    documents: Vec<usize>,
    /// Only one part; all of them when absent
    #[arg(long)]
    only: Option<Part>,
    /// A URL whose user may create databases, `provision` for a cluster of our own, or `none`
    #[arg(long, default_value = "provision")]
    postgres: String,
    /// Leave out what durare takes for the load of part b
    #[arg(long)]
    without_durare: bool,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    stop_with_signals();
    let engine = match &arguments.command {
        Command::Engine(engine) => engine,
        Command::Llm(llm) => {
            return measure_with("knowledge-llm-bench", &llm.arguments());
        }
        Command::Meanings(meanings) => return meanings::run(meanings),
        Command::Progress(progress) => return progress::run(progress),
        Command::Resolution(arguments) => return resolution::run(arguments),
    };
    let programs = Programs::build(!engine.without_durare && engine.wants(Part::B))?;
    let databases = Databases::provide(&engine.postgres)?;
    let mut report = Report::default();
    for part in Part::ALL.into_iter().filter(|part| engine.wants(*part)) {
        let cases = plan::cases(part, engine, &databases);
        report.add(part, measure(&cases, engine.rounds, &programs, &databases)?);
    }
    if engine.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}

/// Builds the binary as it is released and what measures it, and runs that.
fn measure_with(bench: &str, arguments: &[String]) -> Result<()> {
    run_program(measuring(bench)?.args(arguments))
}

/// Builds the binary as it is released and what measures it; how to run that.
fn measuring(bench: &str) -> Result<std::process::Command> {
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "--bin", "knowledge"]);
    run_program(build.args(["--bin", bench]))?;
    let release = program::target()?.join("release");
    let mut measure = std::process::Command::new(release.join(bench));
    measure.arg("--binary").arg(release.join("knowledge"));
    Ok(measure)
}

impl Engine {
    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

/// Takes every measurement once a round, in an order that turns with every round.
fn measure(
    cases: &[Case],
    rounds: usize,
    programs: &Programs,
    databases: &Databases,
) -> Result<Vec<Figures>> {
    let mut figures: Vec<Figures> = cases.iter().map(Figures::of).collect();
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..cases.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for position in order {
            let case = &cases[position];
            let sample = databases.with_fresh(case.database, |url| programs.run(case, url))?;
            eprintln!("round {}: {case}: {sample}", round + 1);
            figures[position].samples.push(sample);
        }
    }
    Ok(figures)
}
