//! The browser pages: built by npm into the folder that the server embeds.

use std::{fs, path::Path, process::Command, time::SystemTime};

use anyhow::{Result, bail};

use crate::process::{self, answers, root};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Fail where Node.js or the pages' sources are missing
    #[arg(long)]
    required: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    build(arguments.required)
}

/// Builds the pages unless they are up to date, or unless something is missing that is not
/// required.
pub(crate) fn build(required: bool) -> Result<()> {
    let folder = root().join("crates/knowledge-web");
    if let Some(reason) = missing(&folder) {
        if required {
            bail!("the browser pages cannot be built: {reason}");
        }
        println!("the browser pages are not built: {reason}");
        return Ok(());
    }
    if is_current(&folder) {
        println!("the browser pages are up to date");
        return Ok(());
    }
    process::run(npm(&folder).args(["ci", "--no-audit", "--no-fund"]))?;
    process::run(npm(&folder).args(["run", "build"]))
}

/// Checks the types of the pages' sources and runs their tests, where Node.js is.
pub(crate) fn check() -> Result<()> {
    let folder = root().join("crates/knowledge-web");
    if let Some(reason) = missing(&folder) {
        println!("the browser pages are not checked: {reason}");
        return Ok(());
    }
    install(&folder)?;
    process::run(npm(&folder).args(["run", "--silent", "check"]))?;
    process::run(npm(&folder).args(["run", "--silent", "test"]))
}

/// Installs the packages of a folder as its lock file has them, unless they are.
pub(crate) fn install(folder: &Path) -> Result<()> {
    if let Some(program) = absent() {
        bail!("`{program}` is missing; install Node.js 20 or later");
    }
    let changed = |name: &str| fs::metadata(folder.join(name)).and_then(|data| data.modified());
    // npm writes this file last.
    if let (Ok(installed), Ok(locked)) = (
        changed("node_modules/.package-lock.json"),
        changed("package-lock.json"),
    ) && installed > locked
    {
        println!("the packages are up to date");
        return Ok(());
    }
    process::run(npm(folder).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]))
}

/// The program of Node.js that is not there.
fn absent() -> Option<&'static str> {
    ["node", "npm"]
        .into_iter()
        .find(|program| !answers(program, &["--version"]))
}

fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(folder);
    command
}

fn missing(folder: &Path) -> Option<String> {
    if !folder.join("package.json").is_file() {
        return Some("there is no crates/knowledge-web/package.json".to_owned());
    }
    let absent = absent()?;
    Some(format!(
        "`{absent}` is missing; install Node.js 20 or later and run `cargo xtask web`"
    ))
}

/// Whether the last build came after the last change.
fn is_current(folder: &Path) -> bool {
    let built = times(&folder.join("dist"), &[]);
    let sources = times(folder, &["dist", "node_modules"]);
    match (built.iter().max(), sources.iter().max()) {
        (Some(last_built), Some(last_changed)) => last_built > last_changed,
        _ => false,
    }
}

/// When each file below the folder was changed, without the named folders.
fn times(folder: &Path, without: &[&str]) -> Vec<SystemTime> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| !without.iter().any(|name| entry.file_name() == **name))
        .flat_map(|entry| {
            let path = entry.path();
            if path.is_dir() {
                return times(&path, without);
            }
            let modified = entry.metadata().and_then(|data| data.modified());
            modified.into_iter().collect()
        })
        .collect()
}
