//! What an operator wants to know of a process, counted where it happens.
//!
//! Owns the numbers and their form as Prometheus reads them. Owns no server: `/metrics` is in
//! `crate::http`. Numbers that the database has are not counted here but asked for.

mod process;
mod value;

use std::fmt::Write as _;

pub(crate) use value::{Counter, Family, Gauge, Held, Histogram};

/// Transactions of the writer.
pub(crate) static COMMITS: Histogram = Histogram::new(
    "knowledge_commit_seconds",
    "Time that a transaction of the writer took.",
);
/// Changes that those transactions made.
pub(crate) static CHANGES: Counter = Counter::new(
    "knowledge_changes_total",
    "Changes to batches that were committed.",
);
/// Events written.
pub(crate) static EVENTS: Counter = Counter::new(
    "knowledge_events_committed_total",
    "Events that were committed.",
);
/// Reports of progress left out.
pub(crate) static COALESCED: Counter = Counter::new(
    "knowledge_events_coalesced_total",
    "Reports of progress that a later one of the same transaction made needless.",
);
/// Events handed to subscribers.
pub(crate) static DELIVERED: Family = Family::counter(
    "knowledge_events_delivered_total",
    "Events that were handed to subscribers.",
    &["protocol"],
);
/// Open streams.
pub(crate) static STREAMS: Family = Family::gauge(
    "knowledge_streams",
    "Open streams of progress.",
    &["protocol"],
);
/// Open connections.
pub(crate) static CONNECTIONS: Gauge =
    Gauge::new("knowledge_connections", "Open connections of clients.");
/// Watched batches.
pub(crate) static FEEDS: Gauge = Gauge::new("knowledge_feeds", "Batches that somebody watches.");
/// Reads of the log for all who watch a batch.
pub(crate) static FEED_READS: Counter = Counter::new(
    "knowledge_feed_reads_total",
    "Reads of the log for all who watch a batch.",
);
/// Reads of the log for one subscriber.
pub(crate) static CATCH_UP_READS: Counter = Counter::new(
    "knowledge_catch_up_reads_total",
    "Reads of the log for one subscriber that had fallen behind.",
);
/// Whether other servers are heard.
pub(crate) static LISTENING: Gauge = Gauge::new(
    "knowledge_listening",
    "Whether the commits of other servers on the same PostgreSQL are heard.",
);
/// Requests by path and status.
pub(crate) static REQUESTS: Family = Family::counter(
    "knowledge_http_requests_total",
    "Requests that were answered.",
    &["method", "path", "status"],
);
/// The time until the head of an answer.
pub(crate) static REQUEST_SECONDS: Histogram = Histogram::new(
    "knowledge_http_request_seconds",
    "Time from a request to the head of its answer.",
);

/// Everything that this process counts, in Prometheus' text format.
pub(crate) fn text() -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "# HELP knowledge_build_info The release.\n# TYPE knowledge_build_info gauge\n\
         knowledge_build_info{{version=\"{}\"}} 1",
        env!("CARGO_PKG_VERSION")
    );
    for histogram in [&COMMITS, &REQUEST_SECONDS] {
        histogram.write(&mut text);
    }
    for counter in [&CHANGES, &EVENTS, &COALESCED, &FEED_READS, &CATCH_UP_READS] {
        counter.write(&mut text);
    }
    for gauge in [&CONNECTIONS, &FEEDS, &LISTENING] {
        gauge.write(&mut text);
    }
    for family in [&DELIVERED, &STREAMS, &REQUESTS] {
        family.write(&mut text);
    }
    process::write(&mut text);
    text
}

/// A gauge by one label whose values were asked for.
pub(crate) fn asked<'a>(
    text: &mut String,
    (name, help): (&str, &str),
    label: &str,
    values: impl IntoIterator<Item = (&'a str, u64)>,
) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (value, number) in values {
        let _ = writeln!(text, "{name}{{{label}=\"{value}\"}} {number}");
    }
}
