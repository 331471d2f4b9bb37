//! Two tables with their true pairs.

use std::{collections::BTreeSet, fmt, fs, path::Path, time::Instant};

use anyhow::{Context as _, Result, bail};
use knowledge_resolution::{Record, link_tables};
use serde::Serialize;

use super::super::score::{Counts, Score};

/// How good the links of two tables are.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    folder: String,
    left: usize,
    right: usize,
    pairs: Score,
    /// Reading and linking.
    seconds: f64,
}

/// Evaluates a folder `LEFT-RIGHT` with `LEFT.tsv`, `RIGHT.tsv` and `gt.tsv`.
pub(super) fn evaluate(folder: &Path) -> Result<Report> {
    let name = folder.file_name().and_then(|name| name.to_str());
    let Some((left, right)) = name.and_then(|name| name.split_once('-')) else {
        bail!("{} is not named LEFT-RIGHT", folder.display());
    };
    let start = Instant::now();
    let left = records(&folder.join(format!("{left}.tsv")))?;
    let right = records(&folder.join(format!("{right}.tsv")))?;
    let links = link_tables(&left, Some(&right));
    let seconds = start.elapsed().as_secs_f64();
    let found: BTreeSet<(String, String)> = links
        .into_iter()
        .map(|link| (link.left, link.right))
        .collect();
    let mut counts = Counts::default();
    let truth = oriented(truth(&folder.join("gt.tsv"))?, &left, &right)?;
    counts.add(&found, &truth);
    Ok(Report {
        folder: folder.display().to_string(),
        left: left.len(),
        right: right.len(),
        pairs: counts.score(),
        seconds,
    })
}

fn records(path: &Path) -> Result<Vec<Record>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let records = text.lines().map(|line| {
        let mut values = line.split('\t').map(str::to_owned);
        Record {
            id: values.next().unwrap_or_default(),
            values: values.collect(),
        }
    });
    Ok(records.collect())
}

fn truth(path: &Path) -> Result<BTreeSet<(String, String)>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(pairs
        .map(|(left, right)| (left.trim().to_owned(), right.trim().to_owned()))
        .collect())
}

/// The pairs with the left table's ids first; the file may have them the other way round.
fn oriented(
    truth: BTreeSet<(String, String)>,
    left: &[Record],
    right: &[Record],
) -> Result<BTreeSet<(String, String)>> {
    let ids = |records: &[Record]| -> BTreeSet<String> {
        records.iter().map(|record| record.id.clone()).collect()
    };
    let (left, right) = (ids(left), ids(right));
    if truth
        .iter()
        .all(|(one, other)| left.contains(one) && right.contains(other))
    {
        return Ok(truth);
    }
    if truth
        .iter()
        .all(|(one, other)| left.contains(other) && right.contains(one))
    {
        return Ok(truth.into_iter().map(|(one, other)| (other, one)).collect());
    }
    bail!("gt.tsv names rows that the tables do not have")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            folder,
            left,
            right,
            pairs,
            seconds,
        } = self;
        writeln!(f, "{folder}: {left} and {right} rows, {seconds:.2} s")?;
        writeln!(
            f,
            "{:<28}{:>10}{:>8}{:>8}{:>8}{:>8}",
            "", "precision", "recall", "F1", "gold", "found"
        )?;
        writeln!(
            f,
            "{:<28}{:>10.3}{:>8.3}{:>8.3}{:>8}{:>8}",
            "pairs", pairs.precision, pairs.recall, pairs.f1, pairs.gold, pairs.found
        )
    }
}
