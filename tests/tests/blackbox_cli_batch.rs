//! `knowledge batch`: a running server's batches from the command line.

use std::{fs, process::Output};

use knowledge_domain::ids::BatchId;
use knowledge_tables::batch_execution;
use knowledge_tests::{
    TestDatabase, TestServer,
    bad_network::BadNetwork,
    documents::{long_documents, text},
    each_database,
    events::{assert_event_log, is_terminal, outline},
    server,
};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

fn batch(server: &str, arguments: &[&str]) -> Output {
    let arguments = [&["batch"], arguments, &["--server", server]].concat();
    server::run(&arguments)
}

/// The lines of standard output as JSON.
fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).expect("JSON is UTF-8");
    let parse = |line| serde_json::from_str(line).expect("a line is JSON");
    text.lines().map(parse).collect()
}

fn complaints(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn assert_exit(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", complaints(output));
}

/// A folder of documents, one of them empty where `broken` says so.
fn corpus(db: &TestDatabase, count: usize, broken: bool) -> String {
    let folder = db.folder().join(format!("corpus-{count}-{broken}"));
    fs::create_dir_all(&folder).expect("a folder can be made");
    for index in 0..count {
        let path = folder.join(format!("{index:02}.txt"));
        fs::write(path, text(index, 3)).expect("a file can be written");
    }
    if broken {
        fs::write(folder.join("empty.txt"), "").expect("a file can be written");
    }
    folder.to_string_lossy().into_owned()
}

each_database! {
    async fn a_batch_is_started_watched_shown_and_listed(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let url = server.client().url("");
        let folder = corpus(&db, 4, false);

        let output = batch(&url, &["start", &folder, "--watch", "--json", "--idempotency-key", "k"]);
        assert_exit(&output, 0);
        let events = lines(&output);
        assert_event_log(&events);
        let id = events[0]["batchId"].as_str().unwrap().to_owned();

        let again = batch(&url, &["start", &folder, "--json", "--idempotency-key", "k"]);
        assert_exit(&again, 0);
        assert_eq!(lines(&again)[0]["id"], id.as_str());

        let status = batch(&url, &["status", &id, "--json"]);
        assert_exit(&status, 0);
        assert_eq!(lines(&status)[0]["stage"], "COMPLETED");
        assert_eq!(lines(&status)[0]["completedDocuments"], 4);
        let shown = batch(&url, &["status", &id]);
        assert!(String::from_utf8_lossy(&shown.stdout).contains("4 of 4 completed"));

        let listed = batch(&url, &["list", "--json", "--stage", "completed"]);
        assert_eq!(lines(&listed)[0]["id"], id.as_str());
        assert_eq!(lines(&batch(&url, &["list", "--json", "--stage", "failed"])).len(), 0);

        // A batch that has ended is shown once more, and that is all.
        let watched = batch(&url, &["watch", &id, "--json"]);
        assert_exit(&watched, 0);
        assert_eq!(outline(&lines(&watched)), outline(&events));
        let plain = batch(&url, &["watch", &id]);
        assert_exit(&plain, 0);
        assert!(complaints(&plain).contains("[100%] 4/4 completed"), "{}", complaints(&plain));
    }

    async fn a_batch_is_started_with_all_that_can_be_said_of_it(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let url = server.client().url("");
        let folder = corpus(&db, 1, false);
        let said = [
            "start", &folder, "--watch", "--json", "--concurrency", "2",
            "--failure-policy", "retry-failed", "--max-retries", "1", "--no-resolution",
            "--extractor", "offline", "--strategy", "staged", "--gleaning-rounds", "1",
            "--minimum-coverage", "50", "--token-budget", "9",
        ];
        let output = batch(&url, &said);
        assert_exit(&output, 0);
        let id = lines(&output)[0]["batchId"].as_str().unwrap().to_owned();
        let rows = batch_execution::Entity::find_by_id(id.parse::<BatchId>().unwrap().uuid());
        let row = rows.one(&db.connect().await).await.unwrap().expect("the batch is stored");
        assert_eq!(
            row.config,
            json!({
                "concurrency": 2, "failurePolicy": "retry-failed", "maxRetries": 1,
                "enableEntityResolution": false, "extractor": "offline", "strategy": "staged",
                "gleaningRounds": 1, "minimumCoverage": 50, "tokenBudget": 9,
            })
        );
    }

    async fn the_exit_code_says_how_it_ended(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let url = server.client().url("");
        let mixed = corpus(&db, 2, true);
        let output = batch(&url, &["start", &mixed, "--watch", "--json"]);
        assert_exit(&output, 3);
        let id = lines(&output)[0]["batchId"].as_str().unwrap().to_owned();

        assert_exit(&batch(&url, &["retry", &id, "--watch"]), 3);
        let aborted = batch(&url, &["start", &mixed, "--watch", "--failure-policy", "abort-all"]);
        assert_exit(&aborted, 1);
        assert!(complaints(&aborted).contains("failed"), "{}", complaints(&aborted));

        let long = server.client().start(&long_documents(40), json!({})).await;
        let cancelled = batch(&url, &["cancel", &long, "--json"]);
        assert_exit(&cancelled, 0);
        assert_eq!(lines(&cancelled)[0]["stage"], "CANCELLED");
        assert_exit(&batch(&url, &["watch", &long]), 1);
        assert_exit(&batch(&url, &["retry", &long]), 1);

        let nobody = format!("batch_{}", "0".repeat(32));
        for command in ["status", "watch", "cancel", "retry"] {
            let output = batch(&url, &[command, &nobody]);
            assert_exit(&output, 1);
            assert_eq!(complaints(&output).lines().count(), 1, "{}", complaints(&output));
        }
        let gone = batch("http://127.0.0.1:9", &["list"]);
        assert_exit(&gone, 1);
        assert!(complaints(&gone).contains("cannot be reached"), "{}", complaints(&gone));
        assert_exit(&batch("nonsense", &["list"]), 1);
        assert_exit(&batch(&url, &["list", "--limit", "0"]), 2);
    }

    async fn a_larger_budget_of_an_ended_batch_says_what_uses_it(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let url = server.client().url("");
        let mixed = corpus(&db, 1, true);
        let started = ["start", &mixed, "--token-budget", "9", "--watch", "--json"];
        let output = batch(&url, &started);
        assert_exit(&output, 3);
        let id = lines(&output)[0]["batchId"].as_str().unwrap().to_owned();
        let raised = batch(&url, &["raise", &id, "--token-budget", "10", "--json"]);
        assert_exit(&raised, 0);
        assert_eq!(lines(&raised)[0]["stage"], "COMPLETED");
        let advice = format!("{id} has ended; `knowledge batch retry {id}`");
        assert!(complaints(&raised).contains(&advice), "{}", complaints(&raised));
        assert_exit(&batch(&url, &["retry", &id, "--watch"]), 3);
    }

    async fn a_watch_outlives_connections_and_servers(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let proxy = BadNetwork::start(&server.client().url(""), 30, 20_000, 5).await;
        let id = server.client().start(&long_documents(20), json!({})).await;
        let (url, watched) = (proxy.url(), id.clone());
        let watch = tokio::task::spawn_blocking(move || {
            batch(&url, &["watch", &watched, "--json"])
        });
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        server.kill9();
        let server = TestServer::start(db.url());
        proxy.move_to(&server.client().url(""));
        let output = watch.await.unwrap();
        assert_exit(&output, 0);
        let seen = lines(&output);
        assert!(seen.last().is_some_and(is_terminal));
        let log = server.client().events_over_sse(&id, None).await;
        assert_eq!(outline(&seen), outline(&log));
        assert!(proxy.cuts() > 0);
    }
}
