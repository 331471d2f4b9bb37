//! Cargo's extensions that the checks use.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::{answers, cargo, root, run};

const DENY_VERSION: &str = "0.20.2";

/// Whether `cargo nextest` is there.
pub(crate) fn has_nextest() -> bool {
    answers("cargo-nextest", &["nextest", "--version"])
}

/// The program `cargo-deny`, built into `target/tools` where it is not installed.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let installed = PathBuf::from("cargo-deny");
    if answers(&installed, &["--version"]) {
        return Ok(installed);
    }
    let folder = root().join("target/tools");
    let own = folder.join("bin/cargo-deny");
    if !answers(&own, &["--version"]) {
        println!("cargo-deny is not installed; building it once, which takes some minutes");
        let mut install = cargo();
        install.args(["install", "cargo-deny", "--locked", "--quiet"]);
        install
            .args(["--version", DENY_VERSION, "--root"])
            .arg(&folder);
        run(&mut install).context("cargo-deny cannot be installed")?;
    }
    Ok(own)
}
