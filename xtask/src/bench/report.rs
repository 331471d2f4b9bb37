//! The figures as tables.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{case::Figures, plan::Part};

/// The figures of every part that was measured.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Report(BTreeMap<Part, Vec<Figures>>);

impl Report {
    pub(super) fn add(&mut self, part: Part, figures: Vec<Figures>) {
        self.0.insert(part, figures);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (part, figures) in &self.0 {
            let (title, table) = match part {
                Part::A => (
                    "(a) the durable run over the direct pipeline",
                    overhead(figures),
                ),
                Part::B => ("(b) five-step workflows, 1 KiB a step", workflows(figures)),
                Part::C => ("(c) one batch of small documents", batches(figures)),
            };
            writeln!(f, "\n{title}\n\n{table}")?;
        }
        Ok(())
    }
}

fn overhead(all: &[Figures]) -> Table {
    let mut table = Table::new("database|provider|direct ms/document|durable ms/document|ratio");
    for pair in all.chunks_exact(2) {
        let (direct, durable) = (&pair[0], &pair[1]);
        table.row([
            direct.database.to_string(),
            direct.setting.clone(),
            format!("{:.1}", direct.unit_ms()),
            format!("{:.1}", durable.unit_ms()),
            format!("{:.2}", durable.times(direct)),
        ]);
    }
    table
}

fn workflows(all: &[Figures]) -> Table {
    let mut table = Table::new(
        "database|at a time|subject|a second|steps a second|checkpoint p50 ms|p99 ms|\
         workflow p50 ms|p99 ms|CPU s/1,000|MiB|of durare's rate",
    );
    for figures in all {
        if figures.subject == "plain inserts" {
            table.row(plain_inserts(figures));
        } else {
            table.row(engine(figures, all));
        }
    }
    table
}

fn plain_inserts(figures: &Figures) -> [String; 12] {
    let mut row = <[String; 12]>::default();
    row[0] = figures.database.to_string();
    row[1].clone_from(&figures.setting);
    row[2] = format!("{}, rows", figures.subject);
    row[3] = format!("{:.0}", figures.rate());
    row
}

fn engine(figures: &Figures, all: &[Figures]) -> [String; 12] {
    let durare = all.iter().find(|other| {
        other.subject == "durare"
            && other.database == figures.database
            && other.setting == figures.setting
    });
    let ratio = durare.map(|durare| durare.times(figures));
    let ms = |of: fn(&super::sample::Sample) -> f64| format!("{:.1}", figures.median(of));
    [
        figures.database.to_string(),
        figures.setting.clone(),
        figures.subject.to_owned(),
        format!("{:.0}", figures.rate()),
        format!("{:.0}", 5.0 * figures.rate()),
        ms(|sample| sample.checkpoint.p50_ms),
        ms(|sample| sample.checkpoint.p99_ms),
        ms(|sample| sample.workflow.p50_ms),
        ms(|sample| sample.workflow.p99_ms),
        format!("{:.2}", cpu_per_thousand(figures)),
        format!("{:.0}", figures.median(super::sample::Sample::memory_mib)),
        ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
    ]
}

fn cpu_per_thousand(figures: &Figures) -> f64 {
    figures.median(|sample| sample.cpu_seconds) * 1e3 / figures.units as f64
}

fn batches(all: &[Figures]) -> Table {
    let mut table = Table::new(
        "database|documents|subject|ms/document|of the smallest batch's|CPU ms/document|\
         MiB at the start|MiB while it runs",
    );
    for figures in all {
        let smallest = all
            .iter()
            .find(|other| other.database == figures.database && other.subject == figures.subject);
        let ratio = smallest.map_or(1.0, |smallest| figures.times(smallest));
        table.row([
            figures.database.to_string(),
            figures.setting.clone(),
            figures.subject.to_owned(),
            format!("{:.2}", figures.unit_ms()),
            format!("{ratio:.2}"),
            format!("{:.2}", cpu_per_thousand(figures)),
            format!("{:.0}", figures.median(|sample| sample.start_peak_mib)),
            format!("{:.0}", figures.median(|sample| sample.peak_mib)),
        ]);
    }
    table
}

/// A table in Markdown whose columns stand under each other in a terminal too.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(headings: &str) -> Self {
        let headings = headings.split('|').map(str::to_owned).collect();
        Self {
            rows: vec![headings],
        }
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, row) in self.rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                write!(f, "| {cell:<width$} ", width = self.width(column))?;
            }
            writeln!(f, "|")?;
            if position == 0 {
                for column in 0..row.len() {
                    write!(f, "|{:-<width$}", "", width = self.width(column) + 2)?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}
