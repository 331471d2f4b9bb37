//! The mode `engine`: documents run by workers, through Restate.

use std::time::Duration;

use knowledge_tables::parity_check;
use knowledge_tests::{
    Backend, Client, TestDatabase, TestServer,
    disturbed::{Disturbed, request},
    documents::documents,
    events::kind,
    faults::{FAULTY, faulty_document},
    free_port,
    provider::{Provider, Reply, Script},
    restate::Restate,
    rows::{assert_kept, completed_activities},
    server,
    storm::Bodies,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
};
use serde_json::{Value, json};

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

const PARITY: &str = "query($id: ID!) { batch(id: $id) { mode parity {
    pending same different unavailable
    checks { nodes { status reason release comparedAt document { name }
        differences { what legacy engine } } } } } }";

/// What is told of a batch's comparisons, once none of them waits.
async fn compared(client: &Client, id: &str) -> Value {
    for _ in 0..600 {
        let mut told = client.graphql(PARITY, json!({ "id": id })).await["batch"].take();
        assert_eq!(told["mode"], "SHADOW");
        if told["parity"]["pending"] == 0 {
            return told["parity"].take();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the comparisons are not made in time");
}

fn counts(parity: &Value) -> [u64; 3] {
    ["same", "different", "unavailable"].map(|name| parity[name].as_u64().expect("a count"))
}

async fn execute(db: &TestDatabase, statement: &str) {
    let done = db.connect().await.execute_unprepared(statement).await;
    assert_eq!(done.expect("it is done").rows_affected(), 1, "{statement}");
}

#[test]
fn a_shadow_is_told_of_every_difference() {
    run(async |db, restate| {
        let shadow = [("KNOWLEDGE_WORKFLOW_MODE", "shadow")];
        let environment = [&restate.environment()[..], &shadow].concat();
        let server = TestServer::start_with(db.url(), &environment);
        let client = server.client();
        // Nobody compares, and nobody waits for that.
        let id = client.start(&documents(6), json!({})).await;
        assert_eq!(client.ended(&id).await["stage"], "COMPLETED");
        let told = client.graphql(PARITY, json!({ "id": id })).await;
        assert_eq!(told["batch"]["parity"]["pending"], 6, "{told}");
        let of = |position: u32| {
            format!("(SELECT execution_id FROM batch_document WHERE position = {position})")
        };
        for statement in [
            // What was served is what another engine would not have come to.
            format!(
                "UPDATE workflow_activity SET output = '{{\"mentions\":[]}}' WHERE activity_name = 'mentions/0' AND execution_id = {}",
                of(1)
            ),
            format!(
                "UPDATE entity SET name = 'Nobody' WHERE position = 0 AND extraction_id = (SELECT extraction_id FROM batch_document WHERE execution_id = {})",
                of(2)
            ),
            format!(
                "UPDATE workflow_activity SET output = NULL, pruned_at = now() WHERE activity_name = 'chunk' AND execution_id = {}",
                of(3)
            ),
            format!(
                "DELETE FROM workflow_activity WHERE activity_name = 'relations/0' AND execution_id = {}",
                of(4)
            ),
        ] {
            execute(&db, &statement).await;
        }

        let before = server::export(db.url(), &id);
        let worker = TestServer::start_worker(db.url(), free_port(), &environment);
        let parity = compared(client, &id).await;
        assert_eq!(counts(&parity), [2, 3, 1], "{parity}");
        let checks = parity["checks"]["nodes"].as_array().expect("a list");
        let what: Vec<Vec<&str>> = checks
            .iter()
            .map(|check| {
                let differences = check["differences"].as_array().expect("a list");
                differences
                    .iter()
                    .filter_map(|it| it["what"].as_str())
                    .collect()
            })
            .collect();
        assert_eq!(
            what,
            [
                vec![],
                vec!["mentions/0"],
                vec!["entities"],
                vec![],
                vec!["relations/0"],
                vec![]
            ]
        );
        assert!(
            checks[3]["reason"]
                .as_str()
                .is_some_and(|it| it.contains("pruned")),
            "{parity}"
        );
        assert!(
            checks
                .iter()
                .all(|it| it["release"].is_string() && it["comparedAt"].is_string())
        );

        let asked = ["batch", "parity", &id, "--server", &client.url("")];
        let printed = server::run(&asked);
        assert_eq!(printed.status.code(), Some(1));
        let report = String::from_utf8_lossy(&printed.stdout).into_owned();
        assert!(
            report.starts_with("2 the same, 3 different, 1 unavailable, 0 pending\n"),
            "{report}"
        );
        assert!(report.contains(": mentions/0: output "), "{report}");
        let complaint = String::from_utf8_lossy(&printed.stderr).into_owned();
        assert!(complaint.contains("3 documents of"), "{complaint}");

        // Nothing that others see has changed by it.
        assert_eq!(server::export(db.url(), &id), before);
        for process in [server, worker] {
            assert!(process.terminate().success());
        }
    });
}

#[test]
fn a_shadow_pays_for_nothing() {
    run(async |db, restate| {
        let provider = Provider::start(Script::default());
        let of_models = provider.environment();
        let of_models = of_models
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let shadow = [("KNOWLEDGE_WORKFLOW_MODE", "shadow")];
        let environment = [&restate.environment()[..], &shadow].concat();
        let environment: Vec<_> = environment.into_iter().chain(of_models).collect();
        let worker = TestServer::start_worker(db.url(), free_port(), &environment);
        let server = TestServer::start_with(db.url(), &environment);
        let client = server.client();
        for strategy in ["SINGLE", "STAGED"] {
            let config = json!({ "extractor": "LLM", "strategy": strategy });
            let id = client.start(&documents(4), config).await;
            assert_eq!(client.ended(&id).await["stage"], "COMPLETED");
            let calls = provider.calls();
            let parity = compared(client, &id).await;
            assert_eq!(counts(&parity), [4, 0, 0], "{strategy}: {parity}");
            assert_eq!(provider.calls(), calls, "{strategy}");
            let asked = ["batch", "parity", &id, "--server", &client.url("")];
            assert_eq!(server::run(&asked).status.code(), Some(0));
        }
        // What is not kept is not asked for again.
        drop(worker);
        let id = client
            .start(&documents(5)[4..], json!({ "extractor": "LLM" }))
            .await;
        assert_eq!(client.ended(&id).await["stage"], "COMPLETED");
        let forgotten = "UPDATE llm_call SET response = NULL, status = 'failed' WHERE batch_id = (SELECT MAX(id::text)::uuid FROM batch_execution)";
        db.connect()
            .await
            .execute_unprepared(forgotten)
            .await
            .expect("it is done");
        let calls = provider.calls();
        let worker = TestServer::start_worker(db.url(), free_port(), &environment);
        let parity = compared(client, &id).await;
        assert_eq!(counts(&parity), [0, 0, 1], "{parity}");
        let reason = parity["checks"]["nodes"][0]["reason"].to_string();
        assert!(reason.contains("answer is not kept"), "{reason}");
        assert_eq!(provider.calls(), calls);
        for process in [server, worker] {
            assert!(process.terminate().success());
        }
    });
}

/// Waits until a worker compares.
async fn begun(db: &TestDatabase) {
    let connection = db.connect().await;
    let begun = || parity_check::Entity::find().filter(parity_check::Column::Attempts.gt(0));
    for _ in 0..1_000 {
        if begun().count(&connection).await.expect("a count") > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("nothing is compared");
}

#[test]
fn a_shadow_outlives_what_dies() {
    run(async |db, mut restate| {
        let shadow = [("KNOWLEDGE_WORKFLOW_MODE", "shadow")];
        restate.kill9();
        let environment = [&restate.environment()[..], &shadow].concat();
        // Restate is away, the server is killed, and a worker that compares dies as well.
        let server = TestServer::start_with(db.url(), &environment);
        let id = server.client().start(&documents(60), json!({})).await;
        assert_eq!(server.client().ended(&id).await["stage"], "COMPLETED");
        server.kill9();
        restate.begin().await;
        let port = free_port();
        let environment = [&restate.environment()[..], &shadow].concat();
        let worker = TestServer::start_worker(db.url(), port, &environment);
        let server = TestServer::start_with(db.url(), &environment);
        begun(&db).await;
        worker.kill9();
        let worker = TestServer::start_worker(db.url(), port, &environment);
        let parity = compared(server.client(), &id).await;
        assert_eq!(counts(&parity), [60, 0, 0], "{parity}");
        for process in [server, worker] {
            assert!(process.terminate().success());
        }
        knowledge_tests::verify(&db).await;
    });
}

#[test]
fn a_worker_serves_its_own_restate_only() {
    run(async |db, restate| {
        let (port, key) = (free_port(), restate.identity());
        let identity = [("KNOWLEDGE_RESTATE_IDENTITY_KEY", key.as_str())];
        let environment = [&restate.environment()[..], &identity].concat();
        let worker = TestServer::start_worker(db.url(), port, &environment);
        let server = TestServer::start_with(db.url(), &restate.environment());
        let id = server.client().start(&documents(2), json!({})).await;
        assert_eq!(server.client().ended(&id).await["stage"], "COMPLETED");
        for path in [
            "discover",
            "invoke/ExtractDocument/run",
            "invoke/CompareDocument/run",
        ] {
            let client = Client::new(format!("http://127.0.0.1:{port}"));
            let answer = client
                .http()
                .post(client.url(&format!("/{path}")))
                .send()
                .await;
            let status = answer.expect("it answers").status();
            assert_eq!(status.as_u16(), 401, "{path}");
        }

        // The key of another one.
        let other = "publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f";
        let identity = [("KNOWLEDGE_RESTATE_IDENTITY_KEY", other)];
        let environment = [&restate.environment()[..], &identity].concat();
        let stranger = TestServer::start_worker(db.url(), free_port(), &environment);
        for _ in 0..200 {
            if stranger.log().contains("401 Unauthorized") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let log = stranger.log();
        assert!(
            log.contains("does not know this worker") && log.contains("401"),
            "{log}"
        );
        drop((server, worker, stranger));
        let no_key = [("KNOWLEDGE_RESTATE_IDENTITY_KEY", "secret")];
        let refused = server::run_with(&["worker", "--database", db.url()], &no_key);
        assert_eq!(refused.status.code(), Some(1));
        let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(complaint.contains("publickeyv1_…"), "{complaint}");
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
