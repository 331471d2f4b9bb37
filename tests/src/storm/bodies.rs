//! Which bodies ran when, counted in a log beside the database, and which of them may have run.
//!
//! The server appends `begin|completed|failed PID ATTEMPT KEY` around every body; the storm appends
//! `killed` after each kill, when the process is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::Write,
};

use knowledge_domain::ids::ExecutionId;
use knowledge_tables::{batch_document, workflow_activity};
use sea_orm::EntityTrait;

use crate::TestDatabase;

/// The log of a batch's bodies.
#[derive(Debug)]
pub struct Bodies {
    path: String,
    /// What each kill left recorded for good.
    kills: Vec<Recorded>,
}

/// What the database held for good when a process had been killed.
#[derive(Debug, Default)]
struct Recorded {
    completed: BTreeSet<String>,
    /// Units that failed for good, with their document's attempt.
    failed: BTreeSet<(String, u32)>,
}

/// How often bodies ran.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counted {
    /// Runs of a body.
    pub bodies: u32,
    /// Runs that a kill in the run before made necessary.
    pub repeated: u32,
}

#[derive(Default)]
struct Unit {
    running: bool,
    completed: bool,
    /// A kill may have cost the run before.
    killed: bool,
}

impl Bodies {
    /// The log of a database's bodies, beside it.
    #[must_use]
    pub fn new(db: &TestDatabase) -> Self {
        Self {
            path: db.folder().join("bodies.log").display().to_string(),
            kills: Vec::new(),
        }
    }

    /// An environment in which a server writes the log.
    #[must_use]
    pub fn watched<'a>(&'a self, environment: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut watched = environment.to_vec();
        watched.push(("KNOWLEDGE_RUN_LOG", &self.path));
        watched
    }

    /// Notes a kill, with what had been recorded.
    ///
    /// # Panics
    /// When the log cannot be written.
    pub async fn killed(&mut self, db: &TestDatabase) {
        self.kills.push(recorded(db).await);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path);
        let written = log.and_then(|mut log| log.write_all(b"killed\n"));
        written.expect("the log can be written");
    }

    /// Counts the bodies; none have run where there is no log.
    ///
    /// # Panics
    /// When one ran that must not: what was recorded, or what no kill had interrupted.
    pub fn count(&self) -> Counted {
        let log = fs::read_to_string(&self.path).unwrap_or_default();
        let mut units: BTreeMap<&str, Unit> = BTreeMap::new();
        let mut counted = Counted::default();
        let mut kills = 0;
        for line in log.lines() {
            let words: Vec<_> = line.split(' ').collect();
            let (what, attempt, key) = match words[..] {
                [what, _, attempt, key] => (what, attempt, key),
                ["killed"] => {
                    kills += 1;
                    units.values_mut().for_each(Unit::interrupt);
                    continue;
                }
                _ => panic!("not a line of the log: {line}"),
            };
            let unit = units.entry(key).or_default();
            match what {
                "begin" => {
                    self.admit(kills, key, attempt.parse().expect("an attempt is a number"));
                    assert!(!unit.running, "{key} ran twice at a time");
                    assert!(!unit.completed, "{key} ran again without a kill");
                    counted.bodies += 1;
                    counted.repeated += u32::from(unit.killed);
                    *unit = Unit {
                        running: true,
                        ..Unit::default()
                    };
                }
                "completed" => {
                    unit.running = false;
                    unit.completed = true;
                }
                _ => unit.running = false,
            }
        }
        counted
    }

    /// Units whose body came to its end more than once, whoever ran it.
    ///
    /// # Panics
    /// When there is no log.
    #[must_use]
    pub fn completed_again(&self) -> usize {
        let log = fs::read_to_string(&self.path).expect("the log can be read");
        let mut completed: BTreeMap<&str, u32> = BTreeMap::new();
        for line in log.lines().filter(|line| line.starts_with("completed ")) {
            let key = line.rsplit(' ').next().unwrap_or_default();
            *completed.entry(key).or_default() += 1;
        }
        completed.values().filter(|times| **times > 1).count()
    }

    /// Checks that as many attempts of each unit are recorded as bodies ran, where nothing was
    /// killed.
    ///
    /// # Panics
    /// When a record was made twice, or not at all.
    pub async fn check_attempts(&self, db: &TestDatabase) {
        let log = fs::read_to_string(&self.path).expect("the log can be read");
        let mut ran: BTreeMap<String, i32> = BTreeMap::new();
        for line in log.lines().filter(|line| line.starts_with("begin ")) {
            let key = line.rsplit(' ').next().unwrap_or_default();
            *ran.entry(key.to_owned()).or_default() += 1;
        }
        let recorded: BTreeMap<_, _> = activities(db)
            .await
            .into_iter()
            .map(|row| (key_of(&row), row.attempt))
            .filter(|(key, _)| ran.contains_key(key))
            .collect();
        assert_eq!(
            recorded, ran,
            "attempts that are recorded, and bodies that ran"
        );
    }

    /// A unit that was recorded for good when a process died never runs again.
    fn admit(&self, kills: usize, key: &str, attempt: u32) {
        let Some(recorded) = kills.checked_sub(1).and_then(|kill| self.kills.get(kill)) else {
            return;
        };
        assert!(
            !recorded.completed.contains(key),
            "{key} ran after kill {kills}, though it was recorded as completed"
        );
        assert!(
            !recorded.failed.contains(&(key.to_owned(), attempt)),
            "{key} ran after kill {kills}, though it was recorded as failed for good"
        );
    }
}

impl Unit {
    /// What ran, or had run and was perhaps not recorded, may run again.
    fn interrupt(&mut self) {
        self.killed = self.running || self.completed;
        self.running = false;
        self.completed = false;
    }
}

async fn recorded(db: &TestDatabase) -> Recorded {
    let mut recorded = Recorded::default();
    let connection = db.connect().await;
    let documents = batch_document::Entity::find().all(&connection).await;
    let attempts: BTreeMap<_, _> = documents
        .unwrap_or_default()
        .into_iter()
        .filter_map(|row| Some((row.execution_id?, u32::try_from(row.attempt).ok()?)))
        .collect();
    connection.close().await.expect("the connection closes");
    for row in activities(db).await {
        let key = key_of(&row);
        if row.status == "completed" {
            recorded.completed.insert(key);
        } else if row.status == "failed" && row.next_attempt_at.is_none() && row.failure_count > 0 {
            let attempt = attempts.get(&row.execution_id).copied().unwrap_or_default();
            recorded.failed.insert((key, attempt));
        }
    }
    recorded
}

/// All activities; none, where the schema is not there yet.
async fn activities(db: &TestDatabase) -> Vec<workflow_activity::Model> {
    let connection = db.connect().await;
    let activities = workflow_activity::Entity::find().all(&connection).await;
    connection.close().await.expect("the connection closes");
    activities.unwrap_or_default()
}

/// The unit as the log names it.
fn key_of(row: &workflow_activity::Model) -> String {
    let execution = ExecutionId::from_uuid(row.execution_id);
    format!("{execution}/{}/{}", row.activity_name, row.input_hash)
}
