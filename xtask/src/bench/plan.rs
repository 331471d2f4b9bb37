//! What each part measures.

use serde::Serialize;

use super::{
    Engine,
    case::{Case, Program},
    database::{Databases, Kind},
};

/// Documents or workflows at a time, where a part has one value.
const CONCURRENCY: usize = 8;
/// Workflows at a time in part b.
const CONCURRENCIES: [usize; 2] = [8, 64];
/// Rows of a transaction in the second measurement of the raw commit rate.
const GROUP: usize = 64;
/// Transactions of a measurement of the raw commit rate.
const TRANSACTIONS: usize = 3_000;

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Part {
    /// The durable run over the direct pipeline.
    A,
    /// Five-step workflows.
    B,
    /// The cost of a document by the size of its batch.
    C,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::A, Self::B, Self::C];
}

/// The cases of a part, in the order in which they take turns.
pub(super) fn cases(part: Part, engine: &Engine, databases: &Databases) -> Vec<Case> {
    let kinds = databases.kinds().into_iter();
    match part {
        Part::A => kinds.flat_map(|kind| overhead(engine, kind)).collect(),
        Part::B => kinds.flat_map(|kind| workflows(engine, kind)).collect(),
        Part::C => kinds.flat_map(|kind| batches(engine, kind)).collect(),
    }
}

fn overhead(engine: &Engine, database: Kind) -> Vec<Case> {
    let mut cases = Vec::new();
    for provider in ["paced", "offline"] {
        for path in ["direct", "durable"] {
            let arguments = format!(
                "overhead {path} {provider} --documents {} --concurrency {CONCURRENCY}",
                engine.corpus
            );
            cases.push(case(
                database,
                path,
                provider.to_owned(),
                engine.corpus,
                &arguments,
            ));
        }
    }
    cases
}

fn workflows(engine: &Engine, database: Kind) -> Vec<Case> {
    let mut cases = Vec::new();
    for concurrency in CONCURRENCIES {
        let load = format!(
            "--workflows {} --concurrency {concurrency}",
            engine.workflows
        );
        let of = |subject, arguments: &str| {
            case(
                database,
                subject,
                concurrency.to_string(),
                engine.workflows,
                arguments,
            )
        };
        cases.push(of("knowledge", &format!("workflows {load}")));
        if !engine.without_durare {
            cases.push(Case {
                program: Program::Durare,
                ..of("durare", &load)
            });
        }
    }
    for group in [1, GROUP] {
        let rows = TRANSACTIONS * group;
        let arguments = format!("commits --rows {rows} --group {group}");
        let setting = format!("{group} a commit");
        cases.push(case(database, "plain inserts", setting, rows, &arguments));
    }
    cases
}

fn batches(engine: &Engine, database: Kind) -> Vec<Case> {
    let mut cases = Vec::new();
    for documents in &engine.documents {
        for (subject, flag) in [("without resolution", ""), ("with resolution", "--resolve")] {
            let arguments =
                format!("batch --documents {documents} --concurrency {CONCURRENCY} {flag}");
            cases.push(case(
                database,
                subject,
                documents.to_string(),
                *documents,
                &arguments,
            ));
        }
    }
    cases
}

fn case(
    database: Kind,
    subject: &'static str,
    setting: String,
    units: usize,
    arguments: &str,
) -> Case {
    Case {
        program: Program::Engine,
        database,
        subject,
        setting,
        units,
        arguments: arguments.split_whitespace().map(str::to_owned).collect(),
    }
}
