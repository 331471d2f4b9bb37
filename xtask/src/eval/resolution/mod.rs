//! `cargo xtask eval resolution`: how well the resolver tells what is the same, on annotated
//! documents and on tables with known pairs. The same settings for all.

mod bcubed;
mod documents;
mod tables;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

/// What one folder gave.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum Report {
    Documents(documents::Report),
    Tables(tables::Report),
}

/// Evaluates a folder, or every folder within it, and prints tables or JSON.
pub(super) fn run(data: &Path, json: bool) -> Result<()> {
    let mut reports = Vec::new();
    for folder in folders(data)? {
        reports.push(evaluate(&folder)?);
    }
    ensure!(
        !reports.is_empty(),
        "no gold.jsonl and no gt.tsv in {}",
        data.display()
    );
    if json {
        println!("{}", serde_json::to_string_pretty(&reports)?);
        return Ok(());
    }
    for report in &reports {
        match report {
            Report::Documents(report) => println!("{report}"),
            Report::Tables(report) => println!("{report}"),
        }
    }
    Ok(())
}

fn evaluate(folder: &Path) -> Result<Report> {
    if is_tables(folder) {
        return tables::evaluate(folder).map(Report::Tables);
    }
    documents::evaluate(folder).map(Report::Documents)
}

fn is_tables(folder: &Path) -> bool {
    folder.join("gt.tsv").is_file()
}

fn folders(data: &Path) -> Result<Vec<PathBuf>> {
    let known = |folder: &Path| is_tables(folder) || folder.join("gold.jsonl").is_file();
    if known(data) {
        return Ok(vec![data.to_owned()]);
    }
    let entries = fs::read_dir(data).with_context(|| data.display().to_string())?;
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    folders.retain(|folder| known(folder));
    folders.sort();
    Ok(folders)
}
