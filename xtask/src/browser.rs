//! The browser that the dashboard is tested in.

use std::{env, path::PathBuf};

use anyhow::Result;

use crate::{debian, process::answers};

/// What Chromium is called on the PATH.
const NAMES: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

/// A browser, installed first where it is missing and may be; `None`, after a line that says so,
/// where there is none.
pub(crate) fn provided() -> Result<Option<PathBuf>> {
    if let Some(found) = find() {
        return Ok(Some(found));
    }
    if debian::can_install()?
        && let Err(error) = debian::install("chromium")
    {
        println!("chromium could not be installed: {error:#}");
    }
    let found = find();
    if found.is_none() {
        println!(
            "there is no browser: the tests of the dashboard are left out; install Chromium \
             (`apt-get install chromium`)"
        );
    }
    Ok(found)
}

/// The first on the PATH that runs: under a name of Chromium there may be something that tells how
/// to install it.
pub(crate) fn find() -> Option<PathBuf> {
    let on_path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&on_path).collect();
    let programs = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    programs
        .into_iter()
        .find(|program| program.is_file() && answers(program, &["--version"]))
}
