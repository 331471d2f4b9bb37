//! The crash storm: batches of every policy on servers that are killed at random moments and at
//! named failure points, until each ends as the undisturbed run does.
//!
//! What is compared and counted does not come from the server: bodies are counted in a log beside
//! the database (`bodies.rs`), and events are followed over the wire through every kill
//! (`follower.rs`).

mod bodies;
mod follower;
mod report;
mod requests;
mod run;

use std::{collections::VecDeque, time::Instant};

use knowledge_server::faults::FailurePoint;
use strum::IntoEnumIterator;

pub use bodies::{Bodies, Counted};
pub use report::Report;

use self::run::{Aim, Run};
use crate::{
    Backend, TestDatabase,
    faults::{die_at, needs_a_scenario},
};

/// Kills of one batch at most; then it is left to end.
const KILLS_PER_BATCH: u32 = 12;

/// What a storm does.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Processes that are killed at least.
    pub kills: u32,
    /// Whether every named point is among them.
    pub every_point: bool,
    /// Decides the moments and the order of the points.
    pub seed: u64,
    /// Whether each batch is reported as it ends.
    pub verbose: bool,
}

/// Runs a storm on one kind of database.
///
/// # Panics
/// When something was lost, done twice, or ended otherwise than undisturbed; the message says with
/// which seed.
pub async fn storm(plan: Plan, backend: Backend) -> Report {
    let begun = Instant::now();
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let mut report = Report::new(plan.seed, backend);
    let mut aims = aims(plan, &mut random);
    let requests = requests::all().await;
    for request in requests.iter().cycle() {
        if report.kills() >= plan.kills && aims.is_empty() {
            break;
        }
        let db = TestDatabase::create(backend).expect("the database can be created");
        let most = random.u32(KILLS_PER_BATCH / 3..=KILLS_PER_BATCH);
        if aims.is_empty() {
            aims.push_back(Aim::Random);
        }
        let run = Run::new(&db, request, random.fork());
        report.add(run.storm(&mut aims, most).await);
        if plan.verbose {
            println!("{}", report.line(request.name));
        }
    }
    for point in FailurePoint::iter().filter(|point| plan.every_point && needs_a_scenario(*point)) {
        let db = TestDatabase::create(backend).expect("the database can be created");
        die_at(&db, point).await;
        report.add_scenario(point);
        if plan.verbose {
            println!("{}", report.line(&point.to_string()));
        }
    }
    report.wall = begun.elapsed();
    report
}

/// The kills in reverse order: each point once, between random moments.
fn aims(plan: Plan, random: &mut fastrand::Rng) -> VecDeque<Aim> {
    let points = FailurePoint::iter().filter(|point| plan.every_point && !needs_a_scenario(*point));
    let mut aims: Vec<Aim> = points
        .map(|point| Aim::Point(point, random.u32(1..=3)))
        .collect();
    let at_random = (plan.kills as usize).saturating_sub(aims.len());
    aims.extend(std::iter::repeat_n(Aim::Random, at_random));
    random.shuffle(&mut aims);
    aims.into()
}
