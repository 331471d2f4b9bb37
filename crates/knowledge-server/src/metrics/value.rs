//! Numbers that many tasks change at once.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Upper bounds of a histogram's buckets, in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// A number that only grows.
#[derive(Debug)]
pub(crate) struct Counter {
    name: &'static str,
    help: &'static str,
    value: AtomicU64,
}

impl Counter {
    pub(crate) const fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            value: AtomicU64::new(0),
        }
    }

    pub(crate) fn add(&self, number: usize) {
        self.value.fetch_add(number as u64, Ordering::Relaxed);
    }

    pub(super) fn write(&self, text: &mut String) {
        let value = self.value.load(Ordering::Relaxed);
        head(text, self.name, self.help, "counter");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {value}", self.name);
    }
}

/// A number that goes up and down.
#[derive(Debug)]
pub(crate) struct Gauge {
    name: &'static str,
    help: &'static str,
    value: AtomicI64,
}

impl Gauge {
    pub(crate) const fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            value: AtomicI64::new(0),
        }
    }

    pub(crate) fn set(&self, value: i64) {
        self.value.store(value, Ordering::Relaxed);
    }

    /// One more, until what is returned is dropped.
    #[must_use]
    pub(crate) fn hold(&'static self) -> Held {
        self.value.fetch_add(1, Ordering::Relaxed);
        Held(Holder::Gauge(self))
    }

    pub(super) fn write(&self, text: &mut String) {
        let value = self.value.load(Ordering::Relaxed);
        head(text, self.name, self.help, "gauge");
        let _ = writeln!(text, "{} {value}", self.name);
    }
}

/// One in a gauge; no longer, when dropped.
#[derive(Debug)]
pub(crate) struct Held(Holder);

#[derive(Debug)]
enum Holder {
    Gauge(&'static Gauge),
    Family(&'static Family, &'static str),
}

impl Drop for Held {
    fn drop(&mut self) {
        match self.0 {
            Holder::Gauge(gauge) => {
                gauge.value.fetch_sub(1, Ordering::Relaxed);
            }
            Holder::Family(family, label) => family.change(&[label], -1),
        }
    }
}

/// Numbers by labels, of which there are few.
#[derive(Debug)]
pub(crate) struct Family {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    labels: &'static [&'static str],
    values: Mutex<BTreeMap<Vec<String>, i64>>,
}

impl Family {
    pub(crate) const fn counter(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Self {
        Self::new(name, help, "counter", labels)
    }

    pub(crate) const fn gauge(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Self {
        Self::new(name, help, "gauge", labels)
    }

    const fn new(
        name: &'static str,
        help: &'static str,
        kind: &'static str,
        labels: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            help,
            kind,
            labels,
            values: Mutex::new(BTreeMap::new()),
        }
    }

    /// One more of these labels.
    pub(crate) fn add(&self, labels: &[&str]) {
        self.change(labels, 1);
    }

    /// One more of this label, until what is returned is dropped.
    #[must_use]
    pub(crate) fn hold(&'static self, label: &'static str) -> Held {
        self.change(&[label], 1);
        Held(Holder::Family(self, label))
    }

    fn change(&self, labels: &[&str], by: i64) {
        let mut values = self.lock();
        let known = values
            .iter_mut()
            .find(|(key, _)| key.iter().map(String::as_str).eq(labels.iter().copied()));
        if let Some((_, value)) = known {
            *value += by;
            return;
        }
        let key = labels.iter().map(|label| (*label).to_owned()).collect();
        values.insert(key, by);
    }

    pub(super) fn write(&self, text: &mut String) {
        head(text, self.name, self.help, self.kind);
        for (key, value) in self.lock().iter() {
            let labels = self.labels.iter().zip(key);
            let labels: Vec<_> = labels
                .map(|(name, value)| format!("{name}=\"{value}\""))
                .collect();
            let _ = writeln!(text, "{}{{{}}} {value}", self.name, labels.join(","));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<String>, i64>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Durations by how long they were.
#[derive(Debug)]
pub(crate) struct Histogram {
    name: &'static str,
    help: &'static str,
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    microseconds: AtomicU64,
}

impl Histogram {
    pub(crate) const fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            buckets: [const { AtomicU64::new(0) }; BOUNDS.len()],
            count: AtomicU64::new(0),
            microseconds: AtomicU64::new(0),
        }
    }

    pub(crate) fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        for (bound, bucket) in BOUNDS.iter().zip(&self.buckets) {
            if seconds <= *bound {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    pub(super) fn write(&self, text: &mut String) {
        head(text, self.name, self.help, "histogram");
        let name = self.name;
        for (bound, bucket) in BOUNDS.iter().zip(&self.buckets) {
            let count = bucket.load(Ordering::Relaxed);
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let count = self.count.load(Ordering::Relaxed);
        let seconds = self.microseconds.load(Ordering::Relaxed) as f64 / 1e6;
        let _ = writeln!(
            text,
            "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {seconds}\n{name}_count {count}"
        );
    }
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_prometheus_reads_them() {
        static COUNTER: Counter = Counter::new("a_total", "A.");
        static GAUGE: Gauge = Gauge::new("b", "B.");
        static FAMILY: Family = Family::gauge("c", "C.", &["x"]);
        static HISTOGRAM: Histogram = Histogram::new("d_seconds", "D.");
        COUNTER.add(3);
        let held = [GAUGE.hold(), GAUGE.hold(), FAMILY.hold("one")];
        FAMILY.add(&["two"]);
        HISTOGRAM.observe(Duration::from_millis(2));
        HISTOGRAM.observe(Duration::from_mins(1));
        let mut text = String::new();
        COUNTER.write(&mut text);
        GAUGE.write(&mut text);
        FAMILY.write(&mut text);
        drop(held);
        GAUGE.write(&mut text);
        FAMILY.write(&mut text);
        HISTOGRAM.write(&mut text);
        insta::assert_snapshot!(text);
    }
}
