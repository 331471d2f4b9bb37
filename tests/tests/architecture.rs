//! Dependencies point down only.

use std::collections::{BTreeMap, BTreeSet};

use knowledge_tests::cargo;
use serde_json::Value;

/// What the vocabulary may know.
const DOMAIN: &[&str] = &["chrono", "serde", "strum", "thiserror", "uuid"];

/// The crates of the workspace that each crate may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("knowledge-domain", &[]),
    ("knowledge-web", &[]),
    ("knowledge-migrations", &[]),
    ("knowledge-extraction", &["knowledge-domain"]),
    ("knowledge-resolution", &["knowledge-domain"]),
    ("knowledge-tables", &["knowledge-domain"]),
    (
        "knowledge-server",
        &[
            "knowledge-domain",
            "knowledge-extraction",
            "knowledge-migrations",
            "knowledge-resolution",
            "knowledge-tables",
            "knowledge-web",
        ],
    ),
];

/// The crates that may name the ORM.
const WITH_DATABASE: &[&str] = &[
    "knowledge-migrations",
    "knowledge-server",
    "knowledge-tables",
    "knowledge-tests",
    "xtask",
];

/// Crates by name, each with what it depends on outside of its tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = printed(&[
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
        "--offline",
    ]);
    let metadata: Value = serde_json::from_str(&output).expect("metadata is JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().expect("a list");
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("a list");
            let used = dependencies
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(&dependency["name"]))
                .collect();
            (text(&package["name"]), used)
        })
        .collect()
}

fn printed(arguments: &[&str]) -> String {
    let output = cargo()
        .args(arguments)
        .output()
        .expect("cargo can be started");
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

fn is_database(name: &str) -> bool {
    ["sea-orm", "sea-query", "sqlx", "rusqlite"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

#[test]
fn the_domain_knows_its_vocabulary_only() {
    let domain = &dependencies()["knowledge-domain"];
    let allowed = DOMAIN.iter().map(|name| (*name).to_owned()).collect();
    assert!(domain.is_subset(&allowed), "{domain:?}");
}

#[test]
fn crates_use_those_below_them_only() {
    let dependencies = dependencies();
    for (name, allowed) in ARROWS {
        let used: Vec<_> = dependencies[*name]
            .iter()
            .filter(|used| dependencies.contains_key(*used))
            .collect();
        for used in used {
            assert!(allowed.contains(&used.as_str()), "{name} uses {used}");
        }
    }
}

/// A new crate must be given its place above.
#[test]
fn every_crate_has_its_place() {
    let crates: BTreeSet<_> = dependencies().into_keys().collect();
    let placed = ARROWS.iter().map(|(name, _)| *name);
    let known: BTreeSet<_> = placed
        .chain(["knowledge-tests", "xtask"])
        .map(str::to_owned)
        .collect();
    assert_eq!(crates, known);
}

#[test]
fn only_those_who_may_name_the_database() {
    for (name, used) in dependencies() {
        if !WITH_DATABASE.contains(&name.as_str()) {
            assert!(
                !used.iter().any(|used| is_database(used)),
                "{name}: {used:?}"
            );
        }
    }
}

/// Not through another crate either.
#[test]
fn text_and_resolution_reach_no_database_and_no_web_server() {
    for package in [
        "knowledge-domain",
        "knowledge-extraction",
        "knowledge-resolution",
    ] {
        let arguments = [
            "tree",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--package",
            package,
        ];
        let tree = printed(&arguments);
        let reached = tree
            .lines()
            .filter_map(|line| line.split(' ').next())
            .find(|name| is_database(name) || ["axum", "async-graphql"].contains(name));
        assert_eq!(reached, None, "{package}");
    }
}
