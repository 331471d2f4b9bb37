//! `knowledge resolve`: resolution on its own, for tables.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context, bail};
use knowledge_resolution::{Link, Record, link_tables};

use super::{Ended, args::Resolve, print};

/// Reads the tables, links their rows and prints a link a line.
pub(super) fn run(command: &Resolve) -> anyhow::Result<Ended> {
    let left = Table::read(&command.left, command.header)?;
    let links = match &command.right {
        Some(path) => {
            let right = Table::read(path, command.header)?.with_columns_of(&left);
            link_tables(&left.records, Some(&right.records))
        }
        None => link_tables(&left.records, None),
    };
    print(&written(&links, command.json)?)?;
    Ok(Ended::Done)
}

fn written(links: &[Link], json: bool) -> anyhow::Result<String> {
    let mut text = String::new();
    for link in links {
        if json {
            let line = serde_json::to_string(link).context("a link cannot be written as JSON")?;
            writeln!(text, "{line}")?;
        } else {
            let Link {
                left,
                right,
                confidence,
                reason,
            } = link;
            writeln!(text, "{left}\t{right}\t{confidence:.4}\t{reason}")?;
        }
    }
    Ok(text)
}

/// A table of tab-separated values, the id first.
struct Table {
    /// The names of the values, with a header.
    names: Option<Vec<String>>,
    records: Vec<Record>,
}

impl Table {
    fn read(path: &Path, header: bool) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let Ok(text) = String::from_utf8(bytes) else {
            bail!("{} is not UTF-8; convert it first", path.display());
        };
        let mut rows = text.strip_prefix('\u{feff}').unwrap_or(&text).lines();
        let names = if header {
            rows.next().map(|row| record(row).values)
        } else {
            None
        };
        let rows = rows.filter(|row| !row.trim().is_empty());
        let records: Vec<Record> = rows.map(record).collect();
        if !records.is_empty() && records.iter().all(|record| record.values.is_empty()) {
            bail!(
                "{} has one column only; separate columns by tabs",
                path.display()
            );
        }
        Ok(Self { names, records })
    }

    /// The values in the order of the other table's columns, where both name them.
    fn with_columns_of(mut self, other: &Self) -> Self {
        let (Some(mine), Some(theirs)) = (&self.names, &other.names) else {
            return self;
        };
        let folded = |name: &String| name.trim().to_lowercase();
        let place = |name: &String| mine.iter().position(|own| folded(own) == folded(name));
        let order: Vec<Option<usize>> = theirs.iter().map(place).collect();
        if order.iter().all(Option::is_none) {
            return self;
        }
        for record in &mut self.records {
            let values = std::mem::take(&mut record.values);
            let value = |place: &Option<usize>| {
                let value = place.and_then(|place| values.get(place));
                value.cloned().unwrap_or_default()
            };
            record.values = order.iter().map(value).collect();
        }
        self
    }
}

fn record(row: &str) -> Record {
    let mut values = row.split('\t').map(str::to_owned);
    Record {
        id: values.next().unwrap_or_default(),
        values: values.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_meet_by_their_names() {
        let table = |names: &str, row: &str| Table {
            names: Some(record(names).values),
            records: vec![record(row)],
        };
        let left = table("id\tname\tcity\tyear", "1\tBrandt\tSelby\t1842");
        let right = table("key\tYear\tName", "9\t1842\tBrandt").with_columns_of(&left);
        assert_eq!(right.records[0].values, ["Brandt", "", "1842"]);
        let strange = table("key\ta\tb", "9\tx\ty").with_columns_of(&left);
        assert_eq!(strange.records[0].values, ["x", "y"]);
    }
}
