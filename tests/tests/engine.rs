//! The mode `engine`: documents run by workers, through Restate.

use std::time::Duration;

use knowledge_tests::{
    Backend, TestDatabase, TestServer,
    disturbed::{Disturbed, request},
    documents::documents,
    events::kind,
    faults::{FAULTY, faulty_document},
    free_port,
    provider::{Provider, Reply, Script},
    restate::Restate,
    rows::{assert_kept, completed_activities},
    storm::Bodies,
};
use serde_json::json;

/// Units that a worker has in flight at most: it runs four documents, whose last unit may be done and
/// not recorded.
const IN_FLIGHT: usize = 8;

/// Runs a test with a database and a Restate server, where there are both.
fn run(body: impl AsyncFnOnce(TestDatabase, Restate)) {
    let Some(db) = TestDatabase::create(Backend::Postgres) else {
        return;
    };
    knowledge_tests::block_on(async {
        if let Some(restate) = Restate::start().await {
            body(db, restate).await;
        }
    });
}

/// A batch in the mode `engine`, well under way, with the worker that runs it on this port.
async fn begin(
    db: TestDatabase,
    restate: &Restate,
    port: u16,
    documents: usize,
) -> (Disturbed, TestServer) {
    let url = db.url().to_owned();
    let mut worker = None;
    let request = request(documents);
    let disturbed = Disturbed::begin_on(db, &request, |watched| {
        let environment = [watched, &restate.environment()].concat();
        worker = Some(TestServer::start_worker(&url, port, &environment));
        TestServer::start_with(&url, &environment)
    });
    let disturbed = disturbed.await;
    (disturbed, worker.expect("it was started"))
}

/// Another worker where the one before was.
fn another(disturbed: &Disturbed, restate: &Restate, port: u16) -> TestServer {
    let watched = disturbed.bodies.watched(FAULTY);
    let environment = [&watched[..], &restate.environment()].concat();
    TestServer::start_worker(disturbed.db.url(), port, &environment)
}

#[test]
fn a_batch_comes_to_the_same_in_either_engine() {
    run(async |db, restate| {
        let (disturbed, worker) = begin(db, &restate, free_port(), 12).await;
        let mode = "query($id: ID!) { batch(id: $id) { mode } }";
        let client = disturbed.server.client();
        let batch = client.graphql(mode, json!({ "id": disturbed.id })).await;
        assert_eq!(batch["batch"]["mode"], "ENGINE");
        disturbed.end().await;
        assert!(worker.terminate().success());
    });
}

/// The batch ends as if nothing had happened, and what was finished by now is not done again.
async fn ends_well(disturbed: Disturbed, worker: TestServer) -> (TestDatabase, Bodies) {
    let Disturbed {
        db,
        server,
        id,
        expected,
        bodies,
    } = disturbed;
    let before = completed_activities(&db).await;
    expected.check(server.client(), &id).await;
    assert_kept(&before, &completed_activities(&db).await);
    for process in [server, worker] {
        assert!(process.terminate().success());
    }
    expected.check_database(&db, &id).await;
    // The log of the bodies is beside the database.
    (db, bodies)
}

#[test]
fn a_killed_worker_costs_what_was_in_flight() {
    run(async |db, restate| {
        let port = free_port();
        let (mut disturbed, worker) = begin(db, &restate, port, 30).await;
        worker.kill9();
        disturbed.bodies.killed(&disturbed.db).await;
        let worker = another(&disturbed, &restate, port);
        let (_db, bodies) = ends_well(disturbed, worker).await;
        bodies.count();
    });
}

#[test]
fn a_stopped_worker_leaves_its_documents_to_another() {
    run(async |db, restate| {
        let port = free_port();
        let (disturbed, worker) = begin(db, &restate, port, 30).await;
        assert!(worker.terminate().success());
        let worker = another(&disturbed, &restate, port);
        ends_well(disturbed, worker).await;
    });
}

#[test]
fn restate_may_die() {
    run(async |db, mut restate| {
        let (disturbed, worker) = begin(db, &restate, free_port(), 30).await;
        restate.kill9();
        tokio::time::sleep(Duration::from_secs(1)).await;
        restate.begin().await;
        // Its end is no end of the worker: what was in flight runs once more.
        let (_db, bodies) = ends_well(disturbed, worker).await;
        assert!(bodies.completed_again() <= IN_FLIGHT);
    });
}

#[test]
fn the_built_in_engine_goes_on_with_what_was_begun() {
    run(async |db, restate| {
        let (mut disturbed, worker) = begin(db, &restate, free_port(), 30).await;
        disturbed.server.kill9();
        disturbed.bodies.killed(&disturbed.db).await;
        // The worker is alive, and loses its documents to the server.
        let legacy = disturbed.bodies.watched(FAULTY);
        let server = TestServer::start_with(disturbed.db.url(), &legacy);
        let disturbed = Disturbed {
            server,
            ..disturbed
        };
        ends_well(disturbed, worker).await;
    });
}

#[test]
fn a_worker_drops_what_is_cancelled() {
    run(async |db, restate| {
        let provider = Provider::start(Script::default().then([Reply::Hang; 8]));
        let of_models = provider.environment();
        let of_models = of_models
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let environment: Vec<_> = restate.environment().into_iter().chain(of_models).collect();
        let worker = TestServer::start_worker(db.url(), free_port(), &environment);
        let server = TestServer::start_with(db.url(), &environment);
        let config = json!({ "extractor": "LLM", "concurrency": 2 });
        let id = server.client().start(&documents(4), config).await;
        let asked = |provider: &Provider| provider.in_flight() >= 2;
        tokio::task::block_in_place(|| provider.wait_until("two documents are asked about", asked));
        assert_eq!(
            server.client().cancel(&id).await["batch"]["stage"],
            "CANCELLED"
        );
        let dropped = |provider: &Provider| provider.in_flight() == 0;
        tokio::task::block_in_place(|| provider.wait_until("the calls are dropped", dropped));
        let next = server
            .client()
            .start(&documents(2), json!({ "extractor": "OFFLINE" }))
            .await;
        assert_eq!(server.client().ended(&next).await["stage"], "COMPLETED");
        drop((server, worker));
    });
}

#[test]
fn a_paused_document_goes_on_when_it_is_told_to() {
    run(async |db, restate| {
        let environment = [FAULTY, &restate.environment()].concat();
        let worker = TestServer::start_worker(db.url(), free_port(), &environment);
        let server = TestServer::start_with(db.url(), &environment);
        let client = server.client();
        let slow = ["mentions/0 slow 500", "entities/0 slow 500"];
        let id = client.start(&[faulty_document(1, &slow)], json!({})).await;
        client
            .wait_for(&id, |event| kind(event) == "StageProgress")
            .await;
        let execution = client.batch(&id).await["documents"]["nodes"][0]["execution"]["id"].take();
        let signal = "mutation($id: ID!, $signal: WorkflowSignal!) {
            signalWorkflow(executionId: $id, signal: $signal) { __typename } }";
        let tell = async |signal_name: &str| {
            let variables = json!({ "id": execution, "signal": signal_name });
            let told = client.graphql(signal, variables).await;
            assert_eq!(
                told["signalWorkflow"]["__typename"], "SignalSuccess",
                "{told}"
            );
        };
        tell("PAUSE").await;
        client
            .wait_for(&id, |event| kind(event) == "DocumentSuspended")
            .await;
        tell("RESUME").await;
        assert_eq!(client.ended(&id).await["stage"], "COMPLETED");
        for process in [server, worker] {
            assert!(process.terminate().success());
        }
        knowledge_tests::verify(&db).await;
    });
}

#[test]
fn a_document_that_ends_workers_is_left_alone() {
    run(async |db, restate| {
        let of_restate = restate.environment();
        let few = [("KNOWLEDGE_QUARANTINE_AFTER", "2")];
        let deadly = [("KNOWLEDGE_FAILPOINT", "checkpoint_before_commit")];
        let (well, port) = ([&few[..], &of_restate].concat(), free_port());
        let server = TestServer::start_with(db.url(), &well);
        let mut worker =
            TestServer::start_worker(db.url(), port, &[&deadly[..], &well[..]].concat());
        let client = server.client();
        let id = client.start(&documents(1), json!({})).await;
        for _ in 0..2 {
            tokio::task::block_in_place(|| worker.wait_until_killed());
            worker = TestServer::start_worker(db.url(), port, &[&deadly[..], &well[..]].concat());
        }
        assert_eq!(client.ended(&id).await["stage"], "FAILED");
        let document = client.batch(&id).await["documents"]["nodes"][0].take();
        assert_eq!(document["status"], "ABANDONED", "{document}");
        let why = document["error"].to_string();
        assert!(why.contains("2 processes ended"), "{why}");
        // The one that found it so is well, and nothing made it commit.
        assert!(!worker.has_ended());
        assert!(worker.terminate().success());
        let worker = TestServer::start_worker(db.url(), port, &well);
        client.retry(&id).await;
        assert_eq!(client.ended(&id).await["stage"], "COMPLETED");
        for process in [server, worker] {
            assert!(process.terminate().success());
        }
        knowledge_tests::verify(&db).await;
    });
}

#[test]
fn what_is_killed_in_restate_has_failed() {
    run(async |db, restate| {
        let provider = Provider::start(Script::default().then([Reply::Hang; 1]));
        let of_models = provider.environment();
        let of_models = of_models
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let environment: Vec<_> = restate.environment().into_iter().chain(of_models).collect();
        let worker = TestServer::start_worker(db.url(), free_port(), &environment);
        let server = TestServer::start_with(db.url(), &environment);
        let client = server.client();
        let id = client
            .start(&documents(1), json!({ "extractor": "LLM" }))
            .await;
        let asked = |provider: &Provider| provider.in_flight() >= 1;
        tokio::task::block_in_place(|| provider.wait_until("the document is asked about", asked));
        restate.kill_invocations().await;
        assert_eq!(client.ended(&id).await["stage"], "FAILED");
        let document = client.batch(&id).await["documents"]["nodes"][0].take();
        let why = document["error"].to_string();
        assert!(
            why.contains("ended in Restate") && why.contains("killed"),
            "{why}"
        );
        client.retry(&id).await;
        assert_eq!(client.ended(&id).await["stage"], "COMPLETED");
        for process in [server, worker] {
            assert!(process.terminate().success());
        }
        knowledge_tests::verify(&db).await;
    });
}

#[test]
fn documents_wait_for_a_worker() {
    run(async |db, restate| {
        let server = TestServer::start_with(db.url(), &restate.environment());
        let id = server.client().start(&documents(3), json!({})).await;
        for _ in 0..500 {
            if server.log().contains("start `knowledge worker`") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(
            server.log().contains("start `knowledge worker`"),
            "it says what is missing"
        );
        let worker = TestServer::start_worker(db.url(), free_port(), &restate.environment());
        assert_eq!(server.client().ended(&id).await["stage"], "COMPLETED");
        drop(worker);
        knowledge_tests::verify(&db).await;
    });
}
