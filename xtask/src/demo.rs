//! The demonstration: a batch over a small corpus, through the real server, as a user would run it.

mod api;
mod follow;
mod report;
mod server;
mod show;

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{
    process::{beside, cargo, root, run as run_to_end, signalled},
    web,
};
use api::Api;
use server::Server;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Keep the server running until Ctrl-C, to look around in the browser
    #[arg(long)]
    keep: bool,
    /// The server's port; a free one when absent
    #[arg(long, default_value_t = 0)]
    port: u16,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    web::build(false)?;
    println!("building the server (the first time takes some minutes)");
    run_to_end(cargo().args(["build", "--quiet", "--bin", "knowledge"]))?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(demonstrate(arguments))
}

async fn demonstrate(arguments: &Arguments) -> Result<()> {
    let database = fresh_database()?;
    let server = Server::start(&database, arguments.port)?;
    let api = Api::new(server.address());
    println!("server at {}, database {database}", server.address());

    tokio::select! {
        result = batch(&api) => result?,
        _ = signalled() => bail!("interrupted; the database stays: {database}"),
    }
    if arguments.keep {
        println!("\nThe server keeps running: Ctrl-C stops it.");
        println!("  dashboard {}/", server.address());
        println!("  explorer  {}/graphiql", server.address());
        signalled().await?;
    }
    server.stop()?;
    print_ways_on(&database)
}

/// Runs the batch and shows what it found.
async fn batch(api: &Api) -> Result<()> {
    let documents = corpus()?;
    let names = names(&documents);
    let started = api.start_batch(documents).await?;
    let mut screen = show::Screen::new(names.len());
    let events = follow::follow(api, &started, |event| screen.event(event, &names)).await;
    screen.finish();
    events?;
    report::print(api, &started).await
}

/// The documents of the corpus in the order of their names.
fn corpus() -> Result<Vec<Value>> {
    let folder = root().join("xtask/demo/corpus");
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .context("the demo corpus is missing")?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Ok(json!({ "name": name, "text": fs::read_to_string(path)? }))
        })
        .collect()
}

fn names(documents: &[Value]) -> Vec<String> {
    documents
        .iter()
        .filter_map(|document| Some(document["name"].as_str()?.to_owned()))
        .collect()
}

/// The URL of a database in a folder of its own, which stays after the demonstration.
fn fresh_database() -> Result<String> {
    let folder = tempfile::Builder::new()
        .prefix("knowledge-demo-")
        .tempdir()?
        .keep();
    Ok(format!(
        "sqlite://{}",
        folder.join("knowledge.db").display()
    ))
}

fn print_ways_on(database: &str) -> Result<()> {
    let binary = beside("knowledge")?;
    let binary = binary.strip_prefix(root()).unwrap_or(&binary).display();
    println!("\nWhere to look next, in the folder of the repository:");
    println!("  {binary} serve --database {database}");
    println!("  {binary} export --out graph.json --database {database}");
    println!(
        "  cargo xtask demo --keep    leaves the server running, with its dashboard and GraphiQL"
    );
    Ok(())
}
