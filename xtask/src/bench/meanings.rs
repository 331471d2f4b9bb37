//! What comparing meanings costs, beside resolution that does not.

use anyhow::Result;

use super::{database::Databases, measuring};
use crate::process::run as run_program;

const PROGRAM: &str = "knowledge-meanings-bench";

/// How many names are compared, and in which databases.
#[derive(Debug, clap::Args)]
pub(super) struct Meanings {
    /// Names of each measurement
    #[arg(long, value_delimiter = ',', default_values_t = [2_000, 10_000])]
    names: Vec<usize>,
    /// The cosine between names of one class; 0 when they have nothing in common
    #[arg(long, default_value_t = 0.0)]
    alike: f64,
    /// Numbers of a vector
    #[arg(long, default_value_t = 1_536)]
    dimensions: u64,
    /// A URL whose user may create databases, `provision` for a cluster of our own, or `none`
    #[arg(long, default_value = "provision")]
    postgres: String,
}

/// Each measurement has a process and a database of its own; the program prints a row of it.
pub(super) fn run(arguments: &Meanings) -> Result<()> {
    let databases = Databases::provide(&arguments.postgres)?;
    run_program(measuring(PROGRAM)?.arg("--head"))?;
    for kind in databases.kinds() {
        for names in &arguments.names {
            for meanings in [false, true] {
                databases.with_fresh(kind, |url| {
                    let mut measure = measuring(PROGRAM)?;
                    measure
                        .args(["--database", url])
                        .arg(format!("--names={names}"))
                        .arg(format!("--alike={}", arguments.alike))
                        .arg(format!("--dimensions={}", arguments.dimensions));
                    if meanings {
                        measure.arg("--meanings");
                    }
                    run_program(&mut measure)
                })?;
            }
        }
    }
    Ok(())
}
