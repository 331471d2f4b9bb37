//! Development tasks.

mod eval;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Development tasks")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure the offline extractor on annotated documents; build with --release for speed
    Eval {
        /// A folder with documents and gold.jsonl
        #[arg(long)]
        data: PathBuf,
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Eval { data, json } => eval::run(&data, json),
    }
}
