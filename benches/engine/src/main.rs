//! One measurement of the engine a process, so that its memory is its own.
//!
//! `cargo xtask bench engine` starts this program for every measurement of every round, each with
//! an empty database, and compares what it prints: one line of JSON.

mod batch;
mod broadcast;
mod commits;
mod corpus;
mod overhead;
mod parts;
mod record;
mod sample;
mod served;
mod subscribers;
mod usage;
mod workflows;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use knowledge_server::store::DatabaseUrl;

use crate::sample::Sample;

/// As the binary that is released.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

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
    /// A server with a batch at the pace of model calls; driven by its input
    Served(served::Load),
    /// A bare server that sends what was recorded; driven by its input
    Broadcast { recording: PathBuf },
    /// Subscribers of one batch
    Subscribers(subscribers::Arguments),
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let url = arguments.database.parse()?;
    let sample = match arguments.measurement {
        Measurement::Served(load) => return served::run(&url, load).await,
        Measurement::Broadcast { recording } => return broadcast::run(&recording).await,
        Measurement::Subscribers(arguments) => return subscribers::run(arguments).await,
        measurement => measure(&url, measurement).await?,
    };
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
        Measurement::Served(_) | Measurement::Broadcast { .. } | Measurement::Subscribers(_) => {
            bail!("not a measurement of the engine")
        }
    }
}
