//! What a storm came to.

use std::{collections::BTreeMap, fmt, time::Duration};

use knowledge_server::faults::FailurePoint;

use super::run::Survived;
use crate::Backend;

/// Kills, what they cost, and how long it took.
#[derive(Debug)]
pub struct Report {
    seed: u64,
    backend: Backend,
    batches: u32,
    at_random: u32,
    at_points: BTreeMap<String, u32>,
    bodies: u32,
    repeated: u32,
    events: usize,
    pub(super) wall: Duration,
}

impl Report {
    pub(super) fn new(seed: u64, backend: Backend) -> Self {
        Self {
            seed,
            backend,
            batches: 0,
            at_random: 0,
            at_points: BTreeMap::new(),
            bodies: 0,
            repeated: 0,
            events: 0,
            wall: Duration::ZERO,
        }
    }

    /// Processes that were killed.
    #[must_use]
    pub fn kills(&self) -> u32 {
        self.at_random + self.at_points.values().sum::<u32>()
    }

    /// Named points at which a process was killed.
    #[must_use]
    pub fn points(&self) -> usize {
        self.at_points.len()
    }

    pub(super) fn add(&mut self, survived: Survived) {
        self.batches += 1;
        self.at_random += survived.at_random;
        for (point, count) in survived.at_points {
            *self.at_points.entry(point).or_default() += count;
        }
        self.bodies += survived.bodies.bodies;
        self.repeated += survived.bodies.repeated;
        self.events += survived.events;
    }

    /// A point that has a scenario of its own.
    pub(super) fn add_scenario(&mut self, point: FailurePoint) {
        self.batches += 1;
        *self.at_points.entry(point.to_string()).or_default() += 1;
    }

    /// How far the storm is.
    pub(super) fn line(&self, last: &str) -> String {
        format!(
            "{:?}: {} kills, {} batches, {} of {} bodies repeated; last {last}",
            self.backend,
            self.kills(),
            self.batches,
            self.repeated,
            self.bodies
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points: u32 = self.at_points.values().sum();
        writeln!(f, "crash storm on {:?}, seed {}", self.backend, self.seed)?;
        writeln!(f, "  kills             {:>6}", self.kills())?;
        writeln!(f, "    at random       {:>6}", self.at_random)?;
        writeln!(f, "    at named points {points:>6}")?;
        writeln!(f, "  points            {:>6}", self.points())?;
        writeln!(f, "  batches           {:>6}", self.batches)?;
        writeln!(f, "  events            {:>6}", self.events)?;
        writeln!(f, "  bodies            {:>6}", self.bodies)?;
        writeln!(f, "    repeated        {:>6}", self.repeated)?;
        writeln!(f, "  wall              {:>6.0} s", self.wall.as_secs_f64())?;
        write!(
            f,
            "  every batch ended as the undisturbed one: outcome, graph, events, activities"
        )
    }
}
