//! Programs of the system, installed from its packages where that is possible.

use std::process::Command;

use anyhow::Result;

use crate::process::{answers, output, run};

/// Whether packages can be installed: by root, with apt.
pub(crate) fn can_install() -> Result<bool> {
    Ok(is_root()? && answers("apt-get", &["--version"]))
}

/// Installs a package and what it needs, without what it only recommends.
pub(crate) fn install(package: &str) -> Result<()> {
    println!("{package} is not installed; installing it with apt-get");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command.args(arguments);
        run(&mut command)
    };
    apt(&["update", "--quiet"])?;
    let install = ["install", "--yes", "--quiet", "--no-install-recommends"];
    apt(&[&install[..], &[package]].concat())
}

pub(crate) fn is_root() -> Result<bool> {
    Ok(output(Command::new("id").arg("-u"))?.trim() == "0")
}
