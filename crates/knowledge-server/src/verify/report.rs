//! What a verification found.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::calls::UncertainCall;

/// Examples that are kept of each violated invariant.
pub(super) const EXAMPLES: usize = 10;

/// What was looked at, and what was found wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Batches.
    pub batches: u64,
    /// Documents in batches.
    pub documents: u64,
    /// Events.
    pub events: u64,
    /// Activities in the journals.
    pub activities: u64,
    /// Entities.
    pub entities: u64,
    /// Calls of models that may be paid for twice; they violate nothing.
    #[serde(rename = "uncertainCalls")]
    pub uncertain_calls: Vec<UncertainCall>,
    /// Invariants that do not hold, by code.
    pub violations: Vec<Violation>,
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The invariant: `counters/completed-documents`.
    pub code: String,
    /// How often it does not hold.
    pub count: u64,
    /// Where, ten times at most.
    pub examples: Vec<Example>,
}

/// One place where an invariant does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The row: `batch_0190a5…`.
    pub subject: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Report {
    /// Whether every invariant holds.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

/// One line an example, then the summary.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for call in &self.uncertain_calls {
            writeln!(f, "{call}")?;
        }
        for violation in &self.violations {
            for Example { subject, detail } in &violation.examples {
                writeln!(f, "{} {subject}: {detail}", violation.code)?;
            }
            let more = violation.count - violation.examples.len() as u64;
            if more > 0 {
                writeln!(f, "{}: {more} more", violation.code)?;
            }
        }
        write!(
            f,
            "verified {} batches, {} documents, {} events, {} activities, {} entities: {} violations",
            self.batches,
            self.documents,
            self.events,
            self.activities,
            self.entities,
            self.violations
                .iter()
                .map(|violation| violation.count)
                .sum::<u64>(),
        )
    }
}

/// A report in the making.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) report: Report,
    violations: BTreeMap<String, Violation>,
}

impl Findings {
    /// Notes one place where an invariant does not hold.
    pub(super) fn add(&mut self, code: &str, subject: impl fmt::Display, detail: String) {
        let example = Example {
            subject: subject.to_string(),
            detail,
        };
        self.add_all(code, 1, vec![example]);
    }

    /// Notes `count` places, some of them as examples.
    pub(super) fn add_all(&mut self, code: &str, count: u64, examples: Vec<Example>) {
        if count == 0 {
            return;
        }
        let entry = self.violations.entry(code.to_owned());
        let violation = entry.or_insert_with(|| Violation {
            code: code.to_owned(),
            count: 0,
            examples: Vec::new(),
        });
        violation.count += count;
        let room = EXAMPLES.saturating_sub(violation.examples.len());
        violation.examples.extend(examples.into_iter().take(room));
    }

    /// Notes a difference between what a row says and what the rows that it counts say.
    pub(super) fn compare(
        &mut self,
        code: &str,
        subject: impl fmt::Display,
        said: i64,
        what: &str,
        found: i64,
    ) {
        if said != found {
            let detail = format!("row says {said}, {what} say {found}");
            self.add(code, subject, detail);
        }
    }

    /// The report.
    pub(super) fn finish(mut self) -> Report {
        self.report.violations = self.violations.into_values().collect();
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_bounded_and_all_are_counted() {
        let mut findings = Findings::default();
        for row in 0..25 {
            findings.compare("counters/x", format!("row_{row}"), 3, "documents", 2);
        }
        findings.compare("counters/y", "row_1", 2, "documents", 2);
        let report = findings.finish();
        assert_eq!(report.violations.len(), 1);
        let text = report.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), EXAMPLES + 2);
        assert_eq!(lines[0], "counters/x row_0: row says 3, documents say 2");
        assert_eq!(lines[EXAMPLES], "counters/x: 15 more");
        assert!(lines[EXAMPLES + 1].ends_with("0 entities: 25 violations"));
    }
}
