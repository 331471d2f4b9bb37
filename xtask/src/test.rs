//! Every check of the workspace, the cheap ones first, and the tests on both kinds of database.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, Result};

use crate::{
    bench::target,
    browser, generated,
    postgres::Cluster,
    process::{beside, cargo, output, root, run as run_to_end, stop_with_signals},
    tools, web,
};

/// The official clients that the tests run.
const CLIENTS: &str = "tests/clients";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only the tests that match, without the other checks; passed to the test runner
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    filter: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    stop_with_signals();
    let begun = Instant::now();
    if arguments.filter.is_empty() {
        step("format", || {
            run_to_end(cargo().args(["fmt", "--all", "--check"]))
        })?;
        step("browser pages", || web::build(false))?;
        step("the pages' own tests", web::check)?;
        step("clippy", clippy)?;
        step("benchmarks", benchmarks)?;
        step("documentation", documentation)?;
        step("dependencies", dependencies)?;
    }
    step("official clients", clients)?;
    if !arguments.filter.is_empty() {
        step("browser pages", || web::build(false))?;
    }
    step("build", build)?;
    if arguments.filter.is_empty() {
        step("generated files", generated::check)?;
        step("examples in the documentation", doc_tests)?;
    }
    let cluster = step("PostgreSQL cluster", Cluster::start)?;
    if arguments.filter.is_empty() {
        step("the server's own tests on PostgreSQL", || {
            unit_tests_on_postgres(&cluster)
        })?;
    }
    let browser = if arguments.filter.is_empty() {
        step("browser", browser::provided)?
    } else {
        browser::find()
    };
    step("tests", || {
        tests(&cluster, browser.as_deref(), &arguments.filter)
    })?;
    drop(cluster);
    println!("all passed in {}", seconds(begun));
    Ok(())
}

/// Runs a step between a line that names it and a line with its duration.
fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("==> {name}");
    let begun = Instant::now();
    let done = work().with_context(|| format!("{name} failed after {}", seconds(begun)))?;
    println!("    {name}: {}", seconds(begun));
    Ok(done)
}

fn seconds(begun: Instant) -> String {
    format!("{:.1} s", begun.elapsed().as_secs_f64())
}

fn clippy() -> Result<()> {
    let mut clippy = cargo();
    clippy.args(["clippy", "--quiet", "--workspace", "--all-targets"]);
    run_to_end(clippy.args(["--", "-D", "warnings"]))?;
    // Without the engine for clusters.
    let mut small = cargo();
    small.args(["clippy", "--quiet", "--package", "knowledge-server"]);
    small.args(["--no-default-features", "--lib", "--bins"]);
    run_to_end(small.args(["--", "-D", "warnings"]))
}

/// The benchmark of the engine is a workspace of its own: it is built beside this one, with its
/// dependencies shared, and its tests are run, so that it follows the engine.
fn benchmarks() -> Result<()> {
    let manifest = root().join("benches/engine/Cargo.toml");
    let mut tests = cargo();
    tests.args(["test", "--quiet", "--manifest-path"]);
    run_to_end(tests.arg(manifest).env("CARGO_TARGET_DIR", target()?))
}

fn documentation() -> Result<()> {
    let mut doc = cargo();
    doc.args(["doc", "--quiet", "--workspace", "--no-deps"]);
    run_to_end(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

fn dependencies() -> Result<()> {
    println!("bans, licenses and sources; advisories need the network and are not checked");
    let mut deny = Command::new(tools::cargo_deny()?);
    deny.arg("--metadata-path").arg(metadata()?);
    deny.args(["--log-level", "error", "check"]);
    deny.args(["bans", "licenses", "sources"]);
    run_to_end(deny.current_dir(root()))
}

/// The dependencies of this platform: what other platforms need is not downloaded for a build, and
/// the check works without a network.
fn metadata() -> Result<PathBuf> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version", "1", "--filter-platform"]);
    metadata.arg(host.context("rustc names no host")?);
    let path = beside("metadata.json")?;
    fs::write(&path, output(&mut metadata)?)?;
    Ok(path)
}

/// The official clients from npm, in the versions of the lock file.
fn clients() -> Result<()> {
    web::install(&root().join(CLIENTS))
        .context("the protocols are tested with their official clients")
}

/// The binaries that the tests start.
fn build() -> Result<()> {
    run_to_end(cargo().args(["build", "--quiet", "--workspace", "--bins"]))
}

fn doc_tests() -> Result<()> {
    run_to_end(cargo().args(["test", "--quiet", "--workspace", "--doc"]))
}

/// The unit tests of the server run on one kind of database at a time: on SQLite with all others.
fn unit_tests_on_postgres(cluster: &Cluster) -> Result<()> {
    let mut tests = runner(&["--package", "knowledge-server", "--lib"]);
    tests.env("KNOWLEDGE_TEST_POSTGRES_URL", cluster.url());
    tests.env("KNOWLEDGE_TEST_STORE", "postgres");
    run_to_end(&mut tests)
}

/// The test runner over what is selected.
fn runner(selection: &[&str]) -> Command {
    let mut tests = cargo();
    if tools::has_nextest() {
        tests.args(["nextest", "run", "--no-fail-fast"]);
        tests.args(selection);
    } else {
        println!("cargo-nextest is not installed; `cargo test` runs the tests instead");
        tests.args(["test", "--no-fail-fast"]).args(selection);
    }
    tests
}

fn tests(cluster: &Cluster, browser: Option<&Path>, filter: &[String]) -> Result<()> {
    let mut tests = runner(&["--workspace", "--lib", "--bins", "--tests"]);
    tests.args(filter);
    tests.env("KNOWLEDGE_TEST_POSTGRES_URL", cluster.url());
    tests.env("KNOWLEDGE_REQUIRE_POSTGRES", "1");
    tests.env("KNOWLEDGE_REQUIRE_NODE", "1");
    // A snapshot that differs is a failure and no new file.
    tests.env("INSTA_UPDATE", "no");
    tests.env("KNOWLEDGE_TEST_BINARY", beside("knowledge")?);
    if let Some(browser) = browser {
        tests.env("KNOWLEDGE_TEST_BROWSER", browser);
    }
    run_to_end(&mut tests)
}
