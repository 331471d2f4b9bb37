//! One batch under kills.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use knowledge_server::faults::FailurePoint;
use knowledge_tables::batch_execution;
use sea_orm::EntityTrait;
use serde_json::Value;

use super::{
    bodies::{Bodies, Counted},
    follower::Follower,
    requests::Request,
};
use crate::{
    Client, TestDatabase, TestServer,
    events::outline,
    faults::FAULTY,
    rows::{Done, assert_kept, completed_activities},
};

/// How long a process may run until it is killed, after something has moved; in milliseconds.
const MOMENTS_MS: std::ops::Range<u64> = 0..300;
/// How long a process may take until something moves, or until it comes to its point.
const PATIENCE: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(10);

/// When a process is killed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aim {
    /// At some moment.
    Random,
    /// When it comes to a point for the nth time; at some moment, if it does not.
    Point(FailurePoint, u32),
}

/// What one batch went through.
#[derive(Debug, Default)]
pub(super) struct Survived {
    pub(super) at_random: u32,
    pub(super) at_points: BTreeMap<String, u32>,
    pub(super) bodies: Counted,
    pub(super) events: usize,
}

pub(super) struct Run<'a> {
    db: &'a TestDatabase,
    request: &'a Request,
    random: fastrand::Rng,
    bodies: Bodies,
    follower: Follower,
    done: BTreeMap<sea_orm::prelude::Uuid, Done>,
    survived: Survived,
}

/// How a process ended.
enum End {
    /// The batch has ended, and the process still runs.
    Batch(String, TestServer),
    /// It killed itself, at its point.
    AtPoint,
    /// It was killed.
    Killed,
}

impl<'a> Run<'a> {
    pub(super) fn new(db: &'a TestDatabase, request: &'a Request, random: fastrand::Rng) -> Self {
        Self {
            db,
            request,
            random,
            bodies: Bodies::new(db),
            follower: Follower::default(),
            done: BTreeMap::new(),
            survived: Survived::default(),
        }
    }

    /// Runs the batch on one process after the other until it ends, with at most so many of the
    /// kills. Those that miss their point are left for another batch.
    pub(super) async fn storm(mut self, aims: &mut VecDeque<Aim>, most: u32) -> Survived {
        let mut left = most;
        loop {
            let aim = if left > 0 { self.next(aims) } else { None };
            left = left.saturating_sub(1);
            let end = self.process(aim).await;
            self.follower.collect().await;
            match (end, aim) {
                (End::Batch(id, server), aim) => {
                    put_back(aims, aim);
                    self.compare(&id, server).await;
                    return self.survived;
                }
                (End::AtPoint, Some(Aim::Point(point, _))) => {
                    let count = self.survived.at_points.entry(point.to_string());
                    *count.or_default() += 1;
                }
                (End::AtPoint, _) => panic!("a process ended by itself"),
                (End::Killed, aim) => {
                    self.survived.at_random += 1;
                    put_back(aims, aim);
                }
            }
            self.check_what_is_left().await;
        }
    }

    /// The next kill. Where a point is passed by a second process only, the first is killed first.
    fn next(&self, aims: &mut VecDeque<Aim>) -> Option<Aim> {
        let aim = aims.pop_back();
        match aim {
            Some(Aim::Point(point, _)) if is_of_a_takeover(point) && self.done.is_empty() => {
                aims.extend(aim);
                Some(Aim::Random)
            }
            _ => aim,
        }
    }

    /// What one process does until it or the batch ends.
    async fn process(&mut self, aim: Option<Aim>) -> End {
        let mut environment = self.bodies.watched(FAULTY);
        // The documents have no part in the kills.
        environment.push(("KNOWLEDGE_QUARANTINE_AFTER", "0"));
        let point = match aim {
            Some(Aim::Point(point, nth)) => format!("{point}:{nth}"),
            _ => String::new(),
        };
        if !point.is_empty() {
            environment.push(("KNOWLEDGE_FAILPOINT", &point));
        }
        let before = self.sequence().await;
        let Some(mut server) = TestServer::try_start(self.db.url(), &environment) else {
            return End::AtPoint;
        };
        let client = server.client().clone();
        let started = client.try_start_batch(self.request.input.clone()).await;
        let id = started
            .as_ref()
            .and_then(|payload| payload["batch"]["id"].as_str());
        let Some(id) = id else {
            server.wait_until_killed();
            return End::AtPoint;
        };
        self.follower.follow(&client, id);
        let moment = self.moment(aim, before);
        let ended = tokio::select! {
            ended = self.until_it_ends(&client, id) => ended,
            () = moment => false,
        };
        if ended {
            return End::Batch(id.to_owned(), server);
        }
        // A connection may break a little before its process is gone.
        for _ in 0..20 {
            if matches!(aim, Some(Aim::Random)) || server.has_ended() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        if server.has_ended() {
            server.wait_until_killed();
            return End::AtPoint;
        }
        server.kill9();
        End::Killed
    }

    /// Waits for the moment of the kill: some time after the process has begun to work.
    fn moment(&mut self, aim: Option<Aim>, before: i64) -> impl Future<Output = ()> + use<> {
        let wait = Duration::from_millis(self.random.u64(MOMENTS_MS));
        let url = self.db.url().to_owned();
        async move {
            match aim {
                None => std::future::pending().await,
                Some(Aim::Point(..)) => tokio::time::sleep(PATIENCE).await,
                Some(Aim::Random) => {
                    moved(&url, before).await;
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Follows the batch to its end, with the retry that it needs; whether it came to it.
    async fn until_it_ends(&self, client: &Client, id: &str) -> bool {
        loop {
            let Some(batch) = client.try_batch(id).await else {
                return false;
            };
            let stage = batch["stage"].as_str().unwrap_or_default();
            if ["COMPLETED", "FAILED", "CANCELLED"].contains(&stage) {
                if !self.wants_retry(&batch) {
                    return true;
                }
                client.try_steer("retryFailedDocuments", id).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn wants_retry(&self, batch: &Value) -> bool {
        let documents = batch["documents"]["nodes"].as_array();
        self.request.retried.is_some_and(|name| {
            let mut documents = documents.into_iter().flatten();
            documents.any(|document| document["name"] == name && document["attempt"] == 1)
        })
    }

    /// What must hold whenever a process has been killed.
    async fn check_what_is_left(&mut self) {
        if self.sequence().await > 0 {
            crate::verify(self.db).await;
            let done = completed_activities(self.db).await;
            assert_kept(&self.done, &done);
            self.done = done;
        }
        self.bodies.killed(self.db).await;
    }

    /// Compares an ended batch with the undisturbed one.
    async fn compare(&mut self, id: &str, server: TestServer) {
        let expected = &self.request.expected;
        expected.check(server.client(), id).await;
        let log = server.client().events_over_sse(id, None).await;
        self.follower.follow(server.client(), id);
        self.follower.collect().await;
        assert_eq!(outline(self.follower.events()), outline(&log));
        assert!(server.terminate().success());
        assert_kept(&self.done, &completed_activities(self.db).await);
        expected.check_database(self.db, id).await;
        self.survived.bodies = self.bodies.count();
        self.survived.events = log.len();
    }

    async fn sequence(&self) -> i64 {
        last_sequence(self.db.url()).await
    }
}

/// Whether a process passes the point only when another has died before.
fn is_of_a_takeover(point: FailurePoint) -> bool {
    use FailurePoint as At;
    matches!(
        point,
        At::TakeoverBeforeCommit
            | At::TakeoverAfterCommit
            | At::ResumeBeforeCommit
            | At::ResumeAfterCommit
    )
}

/// A point that was missed is tried in another batch, the first time that it is passed.
fn put_back(aims: &mut VecDeque<Aim>, aim: Option<Aim>) {
    if let Some(Aim::Point(point, _)) = aim {
        aims.push_front(Aim::Point(point, 1));
    }
}

/// Waits until the batch's log has grown, for a while.
async fn moved(url: &str, before: i64) {
    let grown = async {
        while last_sequence(url).await <= before {
            tokio::time::sleep(PAUSE).await;
        }
    };
    // A process that has nothing left to do is killed all the same.
    let _ = tokio::time::timeout(PATIENCE, grown).await;
}

/// The last sequence of the only batch; 0 where there is none yet.
async fn last_sequence(url: &str) -> i64 {
    let Ok(connection) = sea_orm::Database::connect(url).await else {
        return 0;
    };
    let batch = batch_execution::Entity::find().one(&connection).await;
    let _ = connection.close().await;
    batch.ok().flatten().map_or(0, |batch| batch.last_sequence)
}
