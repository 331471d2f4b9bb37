//! The official clients of the protocols, run by Node.js.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::workspace;

/// Set to `1` where tests with Node.js must not be left out.
pub const REQUIRE_NODE: &str = "KNOWLEDGE_REQUIRE_NODE";

/// A script of `tests/clients`, ready to be started; `None`, after a line that says so, where
/// Node.js or the packages are missing and not required.
///
/// # Panics
/// When they are required and missing.
#[must_use]
pub fn script(name: &str, arguments: &[&str]) -> Option<Command> {
    let folder = folder();
    if let Some(missing) = missing() {
        assert!(
            std::env::var(REQUIRE_NODE).is_err(),
            "{missing}, and {REQUIRE_NODE} says that the official clients must be tested"
        );
        eprintln!("SKIPPED with Node.js: {missing}; `cargo xtask test` installs the packages");
        return None;
    }
    let mut command = Command::new("node");
    command.arg(folder.join(name)).args(arguments);
    command.current_dir(folder).stdin(Stdio::null());
    Some(command)
}

/// Runs a script to its end and gives its lines as JSON.
///
/// # Panics
/// When it fails; what it wrote to standard error is in the message.
#[must_use]
pub fn lines(mut script: Command) -> Vec<serde_json::Value> {
    let output = script.output().expect("node can be started");
    let complaints = String::from_utf8_lossy(&output.stderr);
    let status = output.status;
    assert!(
        status.success(),
        "the script failed: {status}: {complaints}"
    );
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let parse = |line| serde_json::from_str(line).expect("each line is JSON");
    text.lines().map(parse).collect()
}

/// Starts a script whose output is read later.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn start(mut script: Command) -> Child {
    script.stdout(Stdio::piped()).stderr(Stdio::piped());
    script.spawn().expect("node can be started")
}

fn folder() -> PathBuf {
    workspace().join("tests/clients")
}

fn missing() -> Option<String> {
    let mut node = Command::new("node");
    node.arg("--version").stdout(Stdio::null());
    if !node.status().is_ok_and(|status| status.success()) {
        return Some("Node.js is missing".to_owned());
    }
    let installed = folder().join("node_modules/.package-lock.json");
    (!installed.is_file())
        .then(|| "the packages are not installed (`npm ci` in tests/clients)".to_owned())
}
