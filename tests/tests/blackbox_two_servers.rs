//! Two servers on one PostgreSQL: what one leaves, the other finishes, and nobody does it twice.

use std::time::Duration;

use knowledge_tests::{
    Backend, TestDatabase, TestServer,
    disturbed::{Disturbed, request},
    faults::FAULTY,
};

/// Longer than PostgreSQL lets a transaction be idle.
const BEYOND_A_TRANSACTION: Duration = Duration::from_secs(12);

/// Units that a server has in flight at most: it runs four documents, whose last unit may be done and
/// not recorded.
const IN_FLIGHT: usize = 8;

/// What a server says of a write that came too late, or of work that it drops before it writes.
const REFUSED: [&str; 2] = ["a change was refused", "a batch that has ended is dropped"];

fn run(body: impl AsyncFnOnce(TestDatabase)) {
    let Some(db) = TestDatabase::create(Backend::Postgres) else {
        return;
    };
    knowledge_tests::block_on(body(db));
}

/// A batch on one server, beside another.
async fn beside_another(db: TestDatabase, settings: &[(&str, &str)]) -> (Disturbed, TestServer) {
    let url = db.url().to_owned();
    let start = |environment: &[(&str, &str)]| {
        let mut environment = environment.to_vec();
        environment.extend(settings);
        TestServer::start_with(&url, &environment)
    };
    let disturbed = Disturbed::begin_on(db, &request(40), start).await;
    let log = disturbed.bodies.watched(FAULTY);
    let other = TestServer::start_with(disturbed.db.url(), &log);
    (disturbed, other)
}

#[test]
fn the_other_finishes_what_a_killed_one_left() {
    run(async |db| {
        // Nobody takes anything from it before it is killed.
        let settings = [("KNOWLEDGE_LEASE_SECONDS", "5")];
        let (disturbed, other) = beside_another(db, &settings).await;
        let Disturbed {
            db,
            server,
            id,
            expected,
            mut bodies,
        } = disturbed;
        server.kill9();
        bodies.killed(&db).await;
        expected.check(other.client(), &id).await;
        assert!(other.terminate().success());
        expected.check_database(&db, &id).await;
        bodies.count();
    });
}

#[test]
fn one_that_was_suspended_writes_nothing_more() {
    run(async |db| {
        let settings = [("KNOWLEDGE_LOG", "debug,sqlx=warn")];
        let (disturbed, other) = beside_another(db, &settings).await;
        let Disturbed {
            db,
            server,
            id,
            expected,
            bodies,
        } = disturbed;
        server.signal("STOP");
        expected.check(other.client(), &id).await;
        server.signal("CONT");
        expected.check(server.client(), &id).await;
        refused(&server).await;
        assert!(server.terminate().success());
        assert!(other.terminate().success());
        expected.check_database(&db, &id).await;
        assert!(bodies.completed_again() <= IN_FLIGHT);
    });
}

#[test]
fn one_that_was_suspended_in_a_transaction_holds_nobody_up() {
    run(async |db| {
        let settings = [
            ("KNOWLEDGE_LOG", "debug,sqlx=warn"),
            ("KNOWLEDGE_FAILPOINT", "group_before_commit:40"),
            ("KNOWLEDGE_FAILPOINT_ACTION", "stop"),
        ];
        let (disturbed, other) = beside_another(db, &settings).await;
        let Disturbed {
            db,
            server,
            id,
            expected,
            bodies,
        } = disturbed;
        suspended(&server).await;
        expected.check(other.client(), &id).await;
        server.signal("CONT");
        expected.check(server.client(), &id).await;
        refused(&server).await;
        assert!(server.terminate().success());
        assert!(other.terminate().success());
        expected.check_database(&db, &id).await;
        assert!(bodies.completed_again() <= IN_FLIGHT);
    });
}

/// Waits until the server has suspended itself.
async fn suspended(server: &TestServer) {
    tokio::time::timeout(BEYOND_A_TRANSACTION, async {
        while !server.is_suspended() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the server comes to its point");
}

/// Waits until the server has said that a write of its was refused, or work dropped.
async fn refused(server: &TestServer) {
    for _ in 0..200 {
        if REFUSED.iter().any(|line| server.log().contains(line)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no write was refused");
}
