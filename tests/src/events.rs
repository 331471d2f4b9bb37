//! The rules that the log of a batch's events obeys, whichever way it was read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Events that end a run.
const TERMINAL: &[&str] = &["BatchCompleted", "BatchFailed", "BatchCancelled"];
/// The stages of a run in their order, as [`word`] spells them.
const STAGES: &[&str] = &[
    "CHUNKING",
    "EXTRACTINGMENTIONS",
    "EXTRACTINGENTITIES",
    "EXTRACTINGRELATIONS",
    "ASSEMBLING",
    "RESOLVING",
];

/// The name of an event.
#[must_use]
pub fn kind(event: &Value) -> &str {
    event["type"].as_str().unwrap_or_default()
}

/// The sequence of an event, which GraphQL may write as a text.
///
/// # Panics
/// When it has none.
#[must_use]
pub fn sequence(event: &Value) -> u64 {
    long(&event["sequence"]).unwrap_or_else(|| panic!("no sequence in {event}"))
}

/// Whether the event ends a run.
#[must_use]
pub fn is_terminal(event: &Value) -> bool {
    TERMINAL.contains(&kind(event))
}

/// Sequence and name of each event, to compare two ways of reading one log.
#[must_use]
pub fn outline(events: &[Value]) -> Vec<(u64, &str)> {
    events
        .iter()
        .map(|event| (sequence(event), kind(event)))
        .collect()
}

/// How many events of each name a log has: the same over every way to the same end. Progress within
/// a stage is left out, since reports that are written together are told as one.
#[must_use]
pub fn tally(events: &[Value]) -> BTreeMap<String, u32> {
    let mut tally = BTreeMap::new();
    for event in events.iter().filter(|event| kind(event) != "StageProgress") {
        *tally.entry(kind(event).to_owned()).or_default() += 1;
    }
    tally
}

/// Checks a whole log, from the first event to a terminal one; a retry begins another run in it.
///
/// # Panics
/// When a rule is broken.
pub fn assert_event_log(events: &[Value]) {
    assert_sequences(events);
    let created = events.iter().filter(|event| kind(event) == "BatchCreated");
    assert_eq!(created.count(), 1, "BatchCreated comes once");
    assert_eq!(kind(&events[0]), "BatchCreated", "BatchCreated comes first");
    let last = events.last().expect("a log has events");
    assert!(is_terminal(last), "the log ends in {last}");

    let mut runs = events.split_inclusive(is_terminal);
    let first = runs.next().expect("a log has a run");
    assert_run(first);
    assert_stages(first);
    for run in runs {
        assert_eq!(
            kind(&run[0]),
            "BatchStageEntered",
            "a retry starts with {}",
            run[0]
        );
        assert_eq!(
            word(&run[0]["stage"]),
            "PENDING",
            "a retry starts with {}",
            run[0]
        );
        assert_run(run);
    }
}

/// From 1 by one.
fn assert_sequences(events: &[Value]) {
    for (index, event) in events.iter().enumerate() {
        assert_eq!(sequence(event), index as u64 + 1, "a gap before {event}");
    }
}

/// What holds between a start and its terminal event.
fn assert_run(run: &[Value]) {
    assert_documents(run);
    assert_resolution(run);
    assert_aggregates(run);
}

/// A document starts before it ends; whoever was skipped need not have started.
fn assert_documents(run: &[Value]) {
    let mut started = BTreeSet::new();
    for event in run {
        let document = event["documentId"].as_str().unwrap_or_default();
        match kind(event) {
            "DocumentStarted" => {
                started.insert(document);
            }
            "StageProgress" | "DocumentCompleted" | "DocumentFailed" => {
                assert!(started.contains(document), "not started: {event}");
            }
            _ => {}
        }
    }
}

/// Nothing happens to a document once entities are resolved across all of them.
fn assert_resolution(run: &[Value]) {
    let Some(start) = run
        .iter()
        .position(|event| kind(event) == "ResolutionStarted")
    else {
        return;
    };
    for event in &run[start..] {
        let late = kind(event).starts_with("Document") || kind(event) == "StageProgress";
        assert!(!late, "after ResolutionStarted: {event}");
    }
    let again = run[start + 1..]
        .iter()
        .any(|event| kind(event) == "ResolutionStarted");
    assert!(!again, "resolution starts once a run");
}

/// Progress and counters stay in their bounds and never go back.
fn assert_aggregates(run: &[Value]) {
    let mut progress = 0.0;
    let mut completed = 0;
    for event in run {
        let now = event["progress"].as_f64().expect("an event has progress");
        assert!((0.0..=1.0).contains(&now), "out of bounds: {event}");
        assert!(now >= progress, "back from {progress}: {event}");
        progress = now;

        let done = long(&event["completedDocuments"]).expect("an event counts documents");
        let failed = long(&event["failedDocuments"]).expect("an event counts documents");
        let total = long(&event["totalDocuments"]).expect("an event counts documents");
        assert!(
            done >= completed,
            "back from {completed} completed: {event}"
        );
        assert!(done + failed <= total, "more than there are: {event}");
        completed = done;
    }
    let last = run.last().expect("a run has events");
    if kind(last) == "BatchCompleted" {
        assert!((progress - 1.0).abs() < 1e-9, "completed at {progress}");
    }
}

/// The stage moves forward and skips nothing.
fn assert_stages(run: &[Value]) {
    let entered: Vec<_> = run
        .iter()
        .filter(|event| kind(event) == "BatchStageEntered")
        .map(|event| word(&event["stage"]))
        .filter(|stage| stage != "PENDING")
        .collect();
    for (index, stage) in entered.iter().enumerate() {
        assert_eq!(
            Some(&stage.as_str()),
            STAGES.get(index),
            "stages: {entered:?}"
        );
    }
}

fn word(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.replace('_', "").to_uppercase()
}

fn long(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use serde_json::json;

    use super::*;

    fn event(sequence: u64, kind: &str, progress: f64) -> Value {
        json!({
            "sequence": sequence, "type": kind, "progress": progress, "documentId": "d",
            "completedDocuments": 0, "failedDocuments": 0, "totalDocuments": 1,
        })
    }

    fn good() -> Vec<Value> {
        vec![
            event(1, "BatchCreated", 0.0),
            event(2, "DocumentStarted", 0.0),
            event(3, "DocumentCompleted", 0.9),
            event(4, "ResolutionStarted", 0.9),
            event(5, "BatchCompleted", 1.0),
        ]
    }

    fn refused(change: impl Fn(&mut Vec<Value>)) -> bool {
        let mut events = good();
        change(&mut events);
        catch_unwind(|| assert_event_log(&events)).is_err()
    }

    #[test]
    fn a_good_log_passes() {
        assert_event_log(&good());
    }

    #[test]
    fn broken_logs_are_refused() {
        assert!(refused(|events| events.truncate(4)), "no terminal event");
        assert!(refused(|events| events[2]["sequence"] = json!(4)), "a gap");
        assert!(refused(|events| events[3]["progress"] = json!(0.5)), "back");
        assert!(
            refused(|events| events[1]["type"] = json!("X")),
            "not started"
        );
        assert!(
            refused(|events| events[3]["type"] = json!("BatchFailed")),
            "two ends"
        );
        assert!(
            refused(|events| {
                events[2]["type"] = json!("ResolutionStarted");
                events[3]["type"] = json!("DocumentCompleted");
            }),
            "an outcome after resolution"
        );
    }
}
