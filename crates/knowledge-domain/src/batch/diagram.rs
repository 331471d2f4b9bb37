//! The state diagram of a batch, drawn from the transition function itself.

use std::{collections::BTreeSet, fmt::Write as _};

use chrono::DateTime;
use strum::IntoEnumIterator;

use super::{BatchFailure, BatchState, BatchTotals, BatchTrigger};
use crate::workflow::WorkflowStage;

/// One of every state, and of `Completed` one clean and one with failed documents, with a label.
pub(super) fn all_states() -> Vec<(&'static str, BatchState)> {
    let since = DateTime::UNIX_EPOCH;
    let totals = totals(0);
    vec![
        ("Pending", BatchState::Pending),
        ("Chunking", BatchState::Chunking { since }),
        (
            "ExtractingMentions",
            BatchState::ExtractingMentions { since },
        ),
        (
            "ExtractingEntities",
            BatchState::ExtractingEntities { since },
        ),
        (
            "ExtractingRelations",
            BatchState::ExtractingRelations { since },
        ),
        ("Assembling", BatchState::Assembling { since }),
        ("Resolving", BatchState::Resolving { since }),
        ("Completed", BatchState::Completed { totals, at: since }),
        (
            "CompletedWithFailures",
            BatchState::Completed {
                totals: self::totals(1),
                at: since,
            },
        ),
        (
            "Failed",
            BatchState::Failed {
                failure: failure(),
                at: since,
            },
        ),
        ("Cancelled", BatchState::Cancelled { totals, at: since }),
    ]
}

/// One of every trigger, and of `Complete` one without a completed document, with a label.
pub(super) fn all_triggers() -> Vec<(&'static str, BatchTrigger)> {
    let mut triggers: Vec<_> = WorkflowStage::iter()
        .map(BatchTrigger::EnterStage)
        .chain([
            BatchTrigger::StartResolution,
            BatchTrigger::Complete { totals: totals(0) },
            BatchTrigger::Fail(failure()),
            BatchTrigger::Cancel { totals: totals(0) },
            BatchTrigger::Retry,
        ])
        .map(|trigger| (trigger.name(), trigger))
        .collect();
    triggers.push((
        "CompleteWithFailures",
        BatchTrigger::Complete { totals: totals(1) },
    ));
    triggers.push((
        "CompleteWithNothing",
        BatchTrigger::Complete {
            totals: BatchTotals::default(),
        },
    ));
    triggers
}

fn totals(failed: u32) -> BatchTotals {
    BatchTotals {
        documents: 2 + failed,
        completed: 2,
        failed,
        skipped: 0,
        entities: 4,
        relations: 3,
        partial: 0,
    }
}

fn failure() -> BatchFailure {
    BatchFailure {
        error: "no document completed".to_owned(),
        totals: BatchTotals::default(),
    }
}

/// The diagram as Mermaid text, one line a transition.
#[must_use]
pub fn state_diagram() -> String {
    let mut lines = BTreeSet::new();
    for (label, state) in all_states() {
        for (trigger_label, trigger) in all_triggers() {
            let with_failures = trigger_label == "CompleteWithFailures";
            if let Ok(next) = state.apply(trigger, DateTime::UNIX_EPOCH) {
                let to = if with_failures {
                    "CompletedWithFailures".to_owned()
                } else {
                    next.state.stage().to_string()
                };
                lines.insert((
                    state.stage(),
                    label,
                    format!("{label} --> {to}: {trigger_label}"),
                ));
            }
        }
    }
    let mut text = String::from("stateDiagram-v2\n    [*] --> Pending: BatchCreated\n");
    for (_, _, line) in lines {
        let _ = writeln!(text, "    {line}");
    }
    for end in ["Completed", "Cancelled"] {
        let _ = writeln!(text, "    {end} --> [*]");
    }
    text
}
