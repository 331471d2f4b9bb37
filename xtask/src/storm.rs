//! The crash storm: built, given a PostgreSQL of its own, and run.

use std::process::Command;

use anyhow::Result;

use crate::{
    postgres::Cluster,
    process::{beside, cargo, run as run_to_end, stop_with_signals},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Servers to kill on each kind of database
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// The kind of database
    #[arg(long, default_value = "both")]
    database: Kind,
    /// Decides the moments and the order of the failure points
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Sqlite,
    Postgres,
    Both,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    stop_with_signals();
    run_to_end(cargo().args(["build", "--quiet", "--workspace", "--bins"]))?;
    if arguments.database != Kind::Postgres {
        let mut storm = storm(arguments, "sqlite")?;
        run_to_end(&mut storm)?;
    }
    if arguments.database != Kind::Sqlite {
        let cluster = Cluster::start()?;
        let mut storm = storm(arguments, "postgres")?;
        run_to_end(storm.env("KNOWLEDGE_TEST_POSTGRES_URL", cluster.url()))?;
    }
    Ok(())
}

/// The program on one kind of database.
fn storm(arguments: &Arguments, database: &str) -> Result<Command> {
    let mut storm = Command::new(beside("knowledge-storm")?);
    storm.args(["--on", database]);
    storm.args(["--kills", &arguments.kills.to_string()]);
    storm.args(["--seed", &arguments.seed.to_string()]);
    storm.env("KNOWLEDGE_TEST_BINARY", beside("knowledge")?);
    Ok(storm)
}
