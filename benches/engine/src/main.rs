//! One measurement of the engine a process, so that its memory is its own.
//!
//! `cargo xtask bench engine` starts this program for every measurement of every round, each with
//! an empty database, and compares what it prints: one line of JSON.

mod batch;
mod commits;
mod corpus;
mod overhead;
mod parts;
mod sample;
mod usage;
mod workflows;

use anyhow::Result;
use clap::{Parser, Subcommand};
use knowledge_server::store::DatabaseUrl;

use crate::sample::Sample;

#[derive(Debug, Parser)]
struct Arguments {
    /// An empty database.
    #[arg(long, global = true, default_value = "sqlite://bench.db")]
    database: String,
    #[command(subcommand)]
    measurement: Measurement,
}

#[derive(Debug, Subcommand)]
enum Measurement {
    /// Documents of the corpus, durably or directly
    Overhead {
        path: overhead::Path,
        provider: overhead::Provider,
        #[arg(long, default_value_t = 64)]
        documents: usize,
        #[arg(long, default_value_t = 8)]
        concurrency: u32,
    },
    /// Five-step workflows of 1 KiB a step
    Workflows {
        #[arg(long, default_value_t = 2000)]
        workflows: usize,
        #[arg(long, default_value_t = 8)]
        concurrency: u32,
    },
    /// Plain inserts of 1 KiB
    Commits {
        #[arg(long, default_value_t = 5000)]
        rows: usize,
        #[arg(long, default_value_t = 1)]
        group: usize,
        #[arg(long, default_value_t = 8)]
        writers: usize,
    },
    /// One batch of small documents
    Batch {
        #[arg(long, default_value_t = 100)]
        documents: usize,
        #[arg(long, default_value_t = 8)]
        concurrency: u32,
        /// With the resolution of entities at its end
        #[arg(long)]
        resolve: bool,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let url = arguments.database.parse()?;
    let sample = measure(&url, arguments.measurement).await?;
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

async fn measure(url: &DatabaseUrl, measurement: Measurement) -> Result<Sample> {
    match measurement {
        Measurement::Overhead {
            path,
            provider,
            documents,
            concurrency,
        } => overhead::measure(url, path, provider, documents, concurrency).await,
        Measurement::Workflows {
            workflows,
            concurrency,
        } => workflows::measure(url, workflows, concurrency).await,
        Measurement::Commits {
            rows,
            group,
            writers,
        } => commits::measure(url, rows, group, writers).await,
        Measurement::Batch {
            documents,
            concurrency,
            resolve,
        } => batch::measure(url, documents, concurrency, resolve).await,
    }
}
