//! Bars on a terminal, plain lines elsewhere; always on standard error.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{IsTerminal, stderr},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use knowledge_domain::{
    batch::{Aggregate, BatchEvent, BatchEventKind},
    ids::{BatchDocumentId, BatchId},
};

const BAR_STEPS: u64 = 1_000;

/// Shows events as they come.
pub(super) enum Display {
    /// A bar for the batch and one for each document in flight.
    Bars(Box<Bars>),
    /// A line for each event that a log should hold.
    Lines,
}

impl Display {
    pub(super) fn new(batch: BatchId) -> Self {
        if stderr().is_terminal() {
            Self::Bars(Box::new(Bars::new(batch)))
        } else {
            Self::Lines
        }
    }

    pub(super) fn show(&mut self, event: &BatchEvent) {
        match self {
            Self::Bars(bars) => bars.show(event),
            Self::Lines => {
                if let Some(line) = line(event) {
                    super::tell(&line);
                }
            }
        }
    }

    pub(super) fn finish(&mut self) {
        if let Self::Bars(bars) = self {
            bars.finish();
        }
    }
}

pub(super) struct Bars {
    all: MultiProgress,
    batch: ProgressBar,
    documents: BTreeMap<BatchDocumentId, ProgressBar>,
}

impl Bars {
    fn new(batch: BatchId) -> Self {
        let all = MultiProgress::new();
        let bar = all.add(ProgressBar::new(BAR_STEPS));
        bar.set_style(style(
            "{prefix:.bold} [{bar:40.cyan/blue}] {percent:>3}% {msg}",
        ));
        bar.set_prefix(batch.to_string());
        Self {
            all,
            batch: bar,
            documents: BTreeMap::new(),
        }
    }

    fn show(&mut self, event: &BatchEvent) {
        let aggregate = &event.aggregate;
        self.batch.set_position(steps(aggregate.progress));
        self.batch.set_message(format!(
            "{}/{} documents, {} failed{}",
            aggregate.completed_documents,
            aggregate.total_documents,
            aggregate.failed_documents,
            estimate(aggregate)
        ));
        match &event.kind {
            BatchEventKind::DocumentStarted {
                document_id,
                document_index,
            } => self.start(*document_id, *document_index),
            BatchEventKind::StageProgress(report) => {
                if let Some(bar) = self.documents.get(&report.document_id) {
                    bar.set_position(steps(report.stage_progress / 100.0));
                    bar.set_message(report.stage.to_string());
                }
            }
            BatchEventKind::DocumentFailed {
                document_id, error, ..
            } => {
                self.end(*document_id);
                // A line that cannot be drawn is lost with the terminal that it was for.
                let _ = self.all.println(format!("{document_id} failed: {error}"));
            }
            BatchEventKind::DocumentQuarantined { .. } => {
                if let Some(line) = line(event) {
                    let _ = self.all.println(line);
                }
            }
            BatchEventKind::DocumentSuspended {
                document_id,
                message,
                ..
            } => {
                if let Some(bar) = self.documents.get(document_id) {
                    bar.set_message(format!("waits: {message}"));
                }
            }
            BatchEventKind::DocumentCompleted { document_id, .. }
            | BatchEventKind::DocumentSkipped { document_id } => self.end(*document_id),
            BatchEventKind::ResolutionStarted {} => self.batch.set_message("resolving entities"),
            _ => {}
        }
    }

    fn start(&mut self, document: BatchDocumentId, index: u32) {
        let bar = self.all.add(ProgressBar::new(BAR_STEPS));
        bar.set_style(style("  {prefix:>12} [{bar:24}] {msg}"));
        bar.set_prefix(format!("document {}", index + 1));
        self.documents.insert(document, bar);
    }

    fn end(&mut self, document: BatchDocumentId) {
        if let Some(bar) = self.documents.remove(&document) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }

    fn finish(&mut self) {
        for bar in self.documents.values() {
            bar.finish_and_clear();
        }
        self.batch.finish();
    }
}

/// Throughput and the time that is left, once there is evidence for them.
fn estimate(aggregate: &Aggregate) -> String {
    let mut text = String::new();
    if let Some(rate) = aggregate.documents_per_minute {
        // Writing to a string cannot fail.
        let _ = write!(text, ", {rate:.0} a minute");
    }
    if let Some(left) = aggregate.remaining_seconds {
        let (low, high) = (span(left.low), span(left.high));
        let _ = if low == high {
            write!(text, ", {low} left")
        } else {
            write!(text, ", {low} to {high} left")
        };
    }
    text
}

/// Seconds as people say them: `40 s`, `3 min`, `2 h`.
fn span(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{:.0} s", (seconds / 5.0).ceil() * 5.0)
    } else if seconds < 5_400.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.0} h", seconds / 3_600.0)
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a thousand steps"
)]
fn steps(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * BAR_STEPS as f64) as u64
}

/// A line for what a log should hold: not every step of every document.
fn line(event: &BatchEvent) -> Option<String> {
    let aggregate = &event.aggregate;
    let what = match &event.kind {
        BatchEventKind::BatchCreated { .. } => event.batch_id.to_string(),
        BatchEventKind::BatchStageEntered { stage } => stage.to_string(),
        BatchEventKind::DocumentCompleted {
            entity_count,
            relation_count,
            ..
        } => format!("document completed: {entity_count} entities, {relation_count} relations"),
        BatchEventKind::DocumentFailed {
            document_id, error, ..
        } => format!("{document_id} failed: {error}"),
        BatchEventKind::DocumentQuarantined {
            document_id,
            attempts,
            ..
        } => format!("{document_id} quarantined after {attempts} attempts"),
        BatchEventKind::DocumentSkipped { document_id } => format!("{document_id} skipped"),
        BatchEventKind::DocumentSuspended {
            document_id,
            message,
            until,
            ..
        } => match until {
            Some(until) => format!("{document_id} waits until {until}: {message}"),
            None => format!("{document_id} waits: {message}"),
        },
        BatchEventKind::DocumentResumed { document_id } => format!("{document_id} goes on"),
        BatchEventKind::ResolutionStarted {} => "resolving entities".to_owned(),
        BatchEventKind::ResolutionCompleted {
            cluster_count,
            merge_count,
            ..
        } => format!("resolved: {cluster_count} entities after {merge_count} merges"),
        BatchEventKind::BatchCompleted { .. } => "completed".to_owned(),
        BatchEventKind::BatchFailed { error } => format!("failed: {error}"),
        BatchEventKind::BatchCancelled {} => "cancelled".to_owned(),
        BatchEventKind::DocumentStarted { .. } | BatchEventKind::StageProgress(_) => return None,
    };
    let estimate = match &event.kind {
        BatchEventKind::DocumentCompleted { .. } => estimate(aggregate),
        _ => String::new(),
    };
    Some(format!(
        "[{:3.0}%] {}/{} {what}{estimate}",
        aggregate.progress * 100.0,
        aggregate.completed_documents,
        aggregate.total_documents
    ))
}

#[cfg(test)]
mod tests {
    use knowledge_domain::batch::Remaining;

    use super::*;

    #[test]
    fn stalls_are_lines_that_say_until_when() {
        use knowledge_domain::workflow::SuspendReason;
        let document_id = BatchDocumentId::from_uuid(uuid::Uuid::from_u128(7));
        let shown = |kind| {
            line(&BatchEvent {
                batch_id: BatchId::from_uuid(uuid::Uuid::from_u128(1)),
                sequence: 1,
                timestamp: chrono::DateTime::UNIX_EPOCH,
                aggregate: Aggregate::default(),
                kind,
            })
            .unwrap_or_default()
        };
        let suspended = |until| BatchEventKind::DocumentSuspended {
            document_id,
            reason: SuspendReason::OverBudget,
            message: "the budget is spent".to_owned(),
            until,
        };
        let told = shown(suspended(Some(chrono::DateTime::UNIX_EPOCH)));
        assert!(told.contains("waits until 1970-01-01"), "{told}");
        assert!(told.ends_with("the budget is spent"), "{told}");
        assert!(!shown(suspended(None)).contains("until"));
        let quarantined = shown(BatchEventKind::DocumentQuarantined {
            document_id,
            stage: None,
            error: "it fails".to_owned(),
            attempts: 3,
        });
        assert!(
            quarantined.contains("quarantined after 3 attempts"),
            "{quarantined}"
        );
        let resumed = shown(BatchEventKind::DocumentResumed { document_id });
        assert!(resumed.contains(&document_id.to_string()), "{resumed}");
    }

    #[test]
    fn estimates_are_said_as_far_as_they_are_known() {
        let mut aggregate = Aggregate::default();
        assert_eq!(estimate(&aggregate), "");
        aggregate.documents_per_minute = Some(41.7);
        aggregate.remaining_seconds = Some(Remaining {
            low: 31.0,
            likely: 60.0,
            high: 200.0,
        });
        assert_eq!(estimate(&aggregate), ", 42 a minute, 35 s to 3 min left");
        aggregate.remaining_seconds = Some(Remaining {
            low: 7_300.0,
            likely: 7_400.0,
            high: 7_500.0,
        });
        assert_eq!(estimate(&aggregate), ", 42 a minute, 2 h left");
    }
}
