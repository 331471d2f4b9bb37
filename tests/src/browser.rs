//! A browser that a script of `tests/clients` drives.

use std::process::Command;

use crate::node;

/// Names the browser that tests use: the path of Chromium. They are left out without it.
pub const BROWSER: &str = "KNOWLEDGE_TEST_BROWSER";

/// A script in a browser, ready to be started; `None`, after a line that says so, where there is no
/// browser, or Node.js or the packages are missing.
///
/// # Panics
/// When Node.js and the packages are required and missing.
#[must_use]
pub fn script(name: &str, arguments: &[&str]) -> Option<Command> {
    let Ok(browser) = std::env::var(BROWSER) else {
        eprintln!("SKIPPED in a browser: {BROWSER} is not set; `cargo xtask test` sets it");
        return None;
    };
    node::script(name, &[&[browser.as_str()], arguments].concat())
}
