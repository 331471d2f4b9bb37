//! Splink on the same table, where Python and its package registry are at hand.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::process::{answers, output, root};

/// What is installed.
const PACKAGES: [&str; 2] = ["splink==5.0.0", "pandas"];
/// Says what a careful user of Splink would set, and what it took.
const SCRIPT: &str = include_str!("with_splink.py");

/// What Splink says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Beside {
    /// From the table in memory to clusters.
    pub(super) seconds: f64,
    pub(super) processor_seconds: f64,
    pub(super) peak_mb: u64,
    precision: f64,
    recall: f64,
    pub(super) f1: f64,
}

/// A Python that has Splink.
pub(super) struct Splink {
    python: PathBuf,
    script: PathBuf,
}

impl Splink {
    /// Finds it, or installs it below `target/tools`; where that cannot be, it says so and there is
    /// none.
    pub(super) fn provide() -> Option<Self> {
        let folder = root().join("target/tools/splink");
        match install(&folder) {
            Ok(splink) => Some(splink),
            Err(error) => {
                eprintln!("without Splink, which cannot be installed: {error:#}");
                None
            }
        }
    }

    /// Resolves a table as the synthetic example writes it; nothing where Splink fails, which it
    /// says.
    pub(super) fn measure(&self, table: &Path) -> Option<Beside> {
        let printed = output(Command::new(&self.python).arg(&self.script).arg(table));
        let figures =
            printed.and_then(|it| serde_json::from_str(&it).context("Splink says something else"));
        figures
            .inspect_err(|error| eprintln!("Splink failed: {error:#}"))
            .ok()
    }
}

fn install(folder: &Path) -> Result<Splink> {
    let python = folder.join("bin/python");
    if !answers(&python, &["-c", "import splink, pandas"]) {
        eprintln!("installing Splink once, which takes a minute");
        output(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        output(
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet"])
                .args(PACKAGES),
        )?;
    }
    let script = folder.join("with_splink.py");
    fs::write(&script, SCRIPT)?;
    Ok(Splink { python, script })
}
