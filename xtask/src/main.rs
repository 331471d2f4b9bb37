//! Development tasks: `cargo xtask --help` lists them.

mod bench;
mod browser;
mod debian;
mod demo;
mod eval;
mod generated;
mod migrate;
mod postgres;
mod process;
mod storm;
mod test;
mod tools;
mod web;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Development tasks of knowledge")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Change or show the schema of a database
    Migrate(migrate::Arguments),
    /// Build the browser pages
    Web(web::Arguments),
    /// Write docs/schema.graphql from the binary
    Schema(generated::Arguments),
    /// Write docs/states.md from the transition function
    Docs(generated::Arguments),
    /// Run a batch over the demo corpus and show what it finds
    Demo(demo::Arguments),
    /// Measure the offline extractor on annotated documents, or the resolver; build with --release
    /// for speed
    Eval(eval::Arguments),
    /// Measure the engine, in release mode
    Bench(bench::Arguments),
    /// Kill servers at random moments and named points, and compare what becomes of their batches
    Storm(storm::Arguments),
    /// Check and test everything, on SQLite and on a PostgreSQL of its own
    Test(test::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Migrate(arguments) => migrate::run(&arguments),
        Task::Web(arguments) => web::run(&arguments),
        Task::Schema(arguments) => generated::schema(&arguments),
        Task::Docs(arguments) => generated::docs(&arguments),
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Eval(arguments) => eval::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Storm(arguments) => storm::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error with its causes, without line breaks that a database put in.
fn one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
