//! Files that are written from the code and never by hand.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use knowledge_domain::batch::state_diagram;

use crate::process::{cargo, output, root};

const SCHEMA: &str = "docs/schema.graphql";
const STATES: &str = "docs/states.md";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail where the file is not what would be written
    #[arg(long)]
    check: bool,
}

pub(crate) fn schema(arguments: &Arguments) -> Result<()> {
    let mut knowledge = cargo();
    knowledge.args(["run", "--quiet", "--bin", "knowledge", "--", "schema"]);
    let text = output(&mut knowledge)?;
    write_or_check(SCHEMA, &text, "schema", arguments.check)
}

pub(crate) fn docs(arguments: &Arguments) -> Result<()> {
    write_or_check(STATES, &states(), "docs", arguments.check)
}

/// The same check for the list of `cargo xtask test`.
pub(crate) fn check() -> Result<()> {
    let arguments = Arguments { check: true };
    docs(&arguments)?;
    schema(&arguments)
}

fn write_or_check(name: &str, text: &str, task: &str, check: bool) -> Result<()> {
    let path = root().join(name);
    if fs::read_to_string(&path).is_ok_and(|current| current == text) {
        println!("{name} is current");
        return Ok(());
    }
    if check {
        bail!("{name} is not current; run `cargo xtask {task}` and commit it");
    }
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    fs::write(&path, text).with_context(|| format!("{name} cannot be written"))?;
    println!("{name} is written");
    Ok(())
}

fn states() -> String {
    format!(
        "# The states of a batch\n\
         Written by `cargo xtask docs` from the transition function in \
         `crates/knowledge-domain/src/batch/state.rs`; a change there shows here.\n\
         Whatever is not drawn is refused with `InvalidStateTransition` and changes nothing.\n\n\
         ```mermaid\n{}```\n",
        state_diagram()
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_drawn_states_are_current() {
        let drawn = std::fs::read_to_string(super::root().join(super::STATES)).unwrap();
        assert_eq!(drawn, super::states(), "run `cargo xtask docs`");
    }
}
