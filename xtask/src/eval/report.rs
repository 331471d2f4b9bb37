//! The figures, as a table and as JSON.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{Tally, data::Layout, score::Score};

/// All figures of one folder.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    layout: &'static str,
    documents: usize,
    chars_per_second: f64,
    /// Strict spans, types not counted.
    mentions: Score,
    /// Strict spans and types.
    typed_mentions: Score,
    typed_by_label: BTreeMap<&'static str, Score>,
    /// Distinct names of each document, without a leading article.
    entity_names: Score,
    /// Relations whose predicates the annotations know.
    relations: Score,
    relations_by_predicate: BTreeMap<&'static str, Score>,
}

impl Report {
    pub(super) fn new(layout: Layout, documents: usize, tally: &Tally, speed: f64) -> Self {
        Self {
            layout: match layout {
                Layout::Wikipedia => "wikipedia",
                Layout::Invented => "invented",
            },
            documents,
            chars_per_second: speed,
            mentions: tally.spans.score(),
            typed_mentions: tally.typed.score(),
            typed_by_label: scores(&tally.by_label),
            entity_names: tally.names.score(),
            relations: tally.relations.all.score(),
            relations_by_predicate: scores(&tally.relations.by_predicate),
        }
    }
}

fn scores(counts: &BTreeMap<&'static str, super::score::Counts>) -> BTreeMap<&'static str, Score> {
    counts
        .iter()
        .map(|(name, counts)| (*name, counts.score()))
        .filter(|(_, score)| score.gold + score.found > 0)
        .collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} documents, {} layout", self.documents, self.layout)?;
        writeln!(
            f,
            "{:.0} characters a second on one core\n",
            self.chars_per_second
        )?;
        writeln!(
            f,
            "{:<28}{:>10}{:>8}{:>8}{:>8}{:>8}",
            "", "precision", "recall", "F1", "gold", "found"
        )?;
        line(f, "mentions, untyped", &self.mentions)?;
        line(f, "mentions, typed", &self.typed_mentions)?;
        for (name, score) in &self.typed_by_label {
            line(f, &format!("  {name}"), score)?;
        }
        line(f, "entity names", &self.entity_names)?;
        line(f, "relations", &self.relations)?;
        for (name, score) in &self.relations_by_predicate {
            line(f, &format!("  {name}"), score)?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, score: &Score) -> fmt::Result {
    writeln!(
        f,
        "{name:<28}{:>10.3}{:>8.3}{:>8.3}{:>8}{:>8}",
        score.precision, score.recall, score.f1, score.gold, score.found
    )
}
