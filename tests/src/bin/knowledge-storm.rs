//! The crash storm as a program; `cargo xtask storm` builds it, gives it a PostgreSQL and runs it.

use clap::Parser;
use knowledge_tests::{
    Backend,
    storm::{Plan, storm},
};

#[derive(Debug, Parser)]
struct Arguments {
    /// Processes to kill on each kind of database
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// The kinds of database
    #[arg(long, value_delimiter = ',', default_values = ["sqlite", "postgres"])]
    on: Vec<Backend>,
    /// Decides the moments and the order of the points
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    for backend in arguments.on {
        let plan = Plan {
            kills: arguments.kills,
            every_point: true,
            seed: arguments.seed,
            verbose: true,
        };
        println!("{}", storm(plan, backend).await);
    }
}
