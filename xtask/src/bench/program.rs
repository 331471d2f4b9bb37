//! The measuring programs: built as the binary is released, one process a measurement.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{
    case::{Case, Program},
    sample::Sample,
};
use crate::process::{cargo, output, root, run};

pub(super) struct Programs {
    release: PathBuf,
}

impl Programs {
    /// Builds what is needed, beside everything else that cargo builds here.
    pub(super) fn build(with_durare: bool) -> Result<Self> {
        let target = target()?;
        build("engine", &target)?;
        if with_durare {
            build("durare", &target)?;
        }
        let release = target.join("release");
        Ok(Self { release })
    }

    /// The program that measures this workspace.
    pub(super) fn bench(&self) -> Command {
        Command::new(self.release.join("knowledge-bench"))
    }

    /// Takes one measurement on an empty database.
    pub(super) fn run(&self, case: &Case, database: &str) -> Result<Sample> {
        let name = match case.program {
            Program::Engine => "knowledge-bench",
            Program::Durare => "durare-bench",
        };
        let mut program = Command::new(self.release.join(name));
        program.args(&case.arguments).args(["--database", database]);
        let printed = output(&mut program)?;
        serde_json::from_str(&printed).with_context(|| format!("{case}: not a measurement"))
    }
}

/// The folder that cargo builds to: this program is in `debug` or `release` of it.
pub(crate) fn target() -> Result<PathBuf> {
    let program = env::current_exe()?;
    let folder = program.parent().and_then(Path::parent);
    Ok(folder.context("not built by cargo")?.to_path_buf())
}

fn build(package: &str, target: &Path) -> Result<()> {
    eprintln!("building benches/{package} (the first time takes some minutes)");
    let manifest = root().join("benches").join(package).join("Cargo.toml");
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "--manifest-path"]);
    build.arg(manifest).env("CARGO_TARGET_DIR", target);
    run(&mut build)
}
