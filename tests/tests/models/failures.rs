//! Each kind of failure has its own treatment.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use knowledge_domain::{
    batch::{BatchOptions, FailurePolicy},
    ids::{BatchId, OrganizationId},
};
use knowledge_server::{orchestrator::StartBatch, progress::batch_events, store::Store};
use knowledge_tests::{
    TestDatabase, each_database,
    events::{assert_event_log, kind},
    provider::{Provider, Reply, Script},
    scripted::{Act, Script as Acts, ScriptedApp, batch_of, die_while_hanging},
};
use serde_json::{Value, json};

use crate::run::{batch, batch_that, corpus, executions, extract, notes, serve};

const ORG: OrganizationId = OrganizationId::DEFAULT;

/// A script that refuses the texts which hold a certain sentence.
fn refusing() -> Script {
    Script {
        refuses: Some("item 1.30 ".to_owned()),
        ..Script::default()
    }
}

/// Runs a batch of three long documents of which the second is without one unit.
async fn partial_batch(
    db: &TestDatabase,
    provider: &Provider,
) -> (knowledge_tests::TestServer, String) {
    let server = serve(db, provider, &[]);
    let config = json!({ "extractor": "LLM", "minimumCoverage": 50 });
    let id = server.client().start(&notes(0, 3, 60), config).await;
    let ended = server.client().ended(&id).await;
    assert_eq!(ended["stage"], "COMPLETED");
    (server, id)
}

fn of_document<'a>(batch: &'a Value, name: &str) -> &'a Value {
    let documents = batch["documents"]["nodes"].as_array().into_iter().flatten();
    let mut named = documents.filter(|document| document["name"] == name);
    named.next().expect("the batch has the document")
}

/// The graph of a batch that a server has ended.
fn evidence(db: &TestDatabase, batch: &str) -> String {
    knowledge_tests::server::export(db.url(), batch)
}

/// The process dies with the workflow that it takes over.
async fn take_over_and_die(db: &TestDatabase, script: &Arc<Acts>) {
    let (url, script) = (db.database_url(), Arc::clone(script));
    let died = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime can be built");
        runtime.block_on(async {
            let store = Store::open(&url).await.expect("the database is there");
            let app = ScriptedApp::new(store, &script);
            app.orchestrator.recover(true).await.expect("it recovers");
            let hangs = script.hanging.notified();
            let hung = tokio::time::timeout(Duration::from_mins(4), hangs);
            hung.await.expect("the unit begins");
        });
        runtime.shutdown_timeout(Duration::from_secs(10));
    });
    died.await.expect("nothing panics");
}

async fn events_to_end(app: &ScriptedApp, batch: BatchId) -> Vec<Value> {
    let stream = batch_events(app.ledger.store(), &app.hub, ORG, batch, 0);
    let events = tokio::time::timeout(Duration::from_mins(4), stream.collect::<Vec<_>>()).await;
    let events: Vec<Value> = events
        .expect("the batch ends")
        .into_iter()
        .map(|event| json!(&**event.expect("events can be read")))
        .collect();
    assert_event_log(&events);
    events
}

each_database! {
    /// A wrong key ends the batch at once and says what to do; with a good one, a retry does it.
    async fn a_wrong_key_ends_the_batch_at_once(db: TestDatabase) {
        let wrong = Script { key: Some("another".to_owned()), latency: Duration::from_millis(20), ..Script::default() };
        let provider = Provider::start(wrong);
        let server = serve(&db, &provider, &[]);
        let id = server.client().start(&notes(0, 40, 1), json!({ "extractor": "LLM", "concurrency": 2 })).await;
        let ended = batch_that(server.client(), &id, "ended", |it| it["stage"] == "FAILED").await;
        let error = ended["error"].as_str().unwrap();
        assert!(error.contains("401") && error.contains("OPENAI_API_KEY") && error.contains("retry"), "{error}");
        assert!(!server.log().contains("sk-test-key"), "a key was shown");
        let (failed, skipped) = (ended["failedDocuments"].as_u64().unwrap(), ended["skippedDocuments"].as_u64().unwrap());
        assert_eq!((failed, skipped), (1, 39), "{ended}");
        assert!(provider.calls() <= 2, "{} calls with a wrong key", provider.calls());
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;

        provider.follow(Script::default());
        let before = provider.calls();
        let server = serve(&db, &provider, &[]);
        assert_eq!(server.client().retry(&id).await["__typename"], "BatchSuccess");
        let ended = server.client().ended(&id).await;
        assert_eq!(ended["completedDocuments"], json!(40), "{ended}");
        assert_eq!(provider.calls() - before, 40);
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    /// Nor can any document succeed with a model that the endpoint does not have.
    async fn a_model_that_is_not_there_ends_the_batch_at_once(db: TestDatabase) {
        let provider = Provider::start(Script::default().then([Reply::Status(404); 40]));
        let server = serve(&db, &provider, &[]);
        let id = server.client().start(&notes(0, 40, 1), json!({ "extractor": "LLM", "concurrency": 1 })).await;
        let ended = server.client().ended(&id).await;
        let error = ended["error"].as_str().unwrap();
        assert!(error.contains("KNOWLEDGE_LLM_MODEL"), "{error}");
        assert_eq!((&ended["skippedDocuments"], provider.calls()), (&json!(39), 1), "{ended}");
    }

    async fn extract_says_what_to_do_about_a_wrong_key(db: TestDatabase) {
        let provider = Provider::start(Script { key: Some("another".to_owned()), ..Script::default() });
        corpus(&db, 4, 1);
        let run = extract(&db, &provider, &[], &[]);
        run.assert_exit(1);
        assert!(run.complaints().contains("OPENAI_API_KEY"), "{}", run.complaints());
    }

    /// What completed documents are without is asked for again, and nothing else.
    async fn a_retry_asks_only_for_what_is_missing(db: TestDatabase) {
        let provider = Provider::start(refusing());
        let (server, id) = partial_batch(&db, &provider).await;
        let before = batch(server.client(), &id).await;
        assert_eq!(before["partialDocuments"], json!(1), "{before}");
        assert_eq!(of_document(&before, "001")["missingUnits"], json!(1));
        let missing = before["missingUnits"].as_array().unwrap();
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert!(missing[0]["reason"].as_str().unwrap().contains("refuses"), "{missing:?}");
        assert!(!evidence(&db, &id).contains("item 1.30 "), "a refused text is in the graph");
        let calls = provider.calls();

        // Refused again, it stays as it is.
        assert_eq!(server.client().retry(&id).await["__typename"], "BatchSuccess");
        server.client().ended(&id).await;
        let again = batch(server.client(), &id).await;
        assert_eq!((&again["partialDocuments"], provider.calls()), (&json!(1), calls + 1), "{again}");
        assert_eq!(again["relationCount"], before["relationCount"]);

        provider.follow(Script::default());
        assert_eq!(server.client().retry(&id).await["__typename"], "BatchSuccess");
        server.client().ended(&id).await;
        let whole = batch(server.client(), &id).await;
        assert_eq!(provider.calls(), calls + 2, "only the refused unit is asked for");
        assert_eq!((&whole["partialDocuments"], &whole["missingUnits"]), (&json!(0), &json!([])), "{whole}");
        assert!(evidence(&db, &id).contains("item 1.30 "), "the whole document is in the graph");
        assert_eq!(of_document(&whole, "001")["attempt"], json!(3));
        assert_eq!(of_document(&whole, "000")["attempt"], json!(1));
        let refused = server.client().retry(&id).await;
        assert_eq!(refused["__typename"], "InvalidStateTransition", "a clean batch is final");
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;

        // As if it had never been refused.
        let fresh = db.another();
        let server = serve(&fresh, &provider, &[]);
        let other = server.client().start(&notes(0, 3, 60), json!({ "extractor": "LLM" })).await;
        server.client().ended(&other).await;
        let other = batch(server.client(), &other).await;
        for count in ["entityCount", "relationCount"] {
            assert_eq!(whole[count], other[count], "{count}");
        }
    }

    /// A retry that is cancelled leaves a document with what it had.
    async fn a_cancelled_retry_keeps_what_there_was(db: TestDatabase) {
        let provider = Provider::start(refusing());
        let (server, id) = partial_batch(&db, &provider).await;
        let before = batch(server.client(), &id).await;
        provider.follow(Script::default().then([Reply::Hang; 3]));
        server.client().retry(&id).await;
        tokio::task::block_in_place(|| provider.wait_until("asked", |it| it.in_flight() == 1));
        assert_eq!(server.client().cancel(&id).await["__typename"], "BatchSuccess");
        let after = batch(server.client(), &id).await;
        assert_eq!(after["stage"], "CANCELLED");
        assert_eq!(after["completedDocuments"], json!(3), "{after}");
        assert_eq!(after["missingUnits"], before["missingUnits"]);
        assert_eq!(executions(&after, "COMPLETED"), 3, "{after}");
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    /// A provider that does not answer in time is asked again.
    async fn a_call_has_its_time(db: TestDatabase) {
        let provider = Provider::start(Script::default().then([Reply::Hang]));
        corpus(&db, 2, 1);
        let run = extract(&db, &provider, &[("KNOWLEDGE_LLM_TIMEOUT_SECONDS", "5")], &[]);
        run.assert_exit(0);
        assert_eq!(provider.calls(), 3);
    }

    /// A document that ends every process which works on it is left alone, and the rest goes on.
    async fn a_document_that_ends_its_processes_is_quarantined(db: TestDatabase) {
        let script = Arc::new(Acts::new().with("poison", "assemble/0", &[Act::Hang; 5]));
        let command = StartBatch {
            options: BatchOptions {
                failure_policy: Some(FailurePolicy::ContinueOnFailure),
                concurrency: Some(1),
                ..BatchOptions::default()
            },
            ..batch_of(&["first", "poison", "last"])
        };
        let id = die_while_hanging(db.database_url(), &script, command).await;
        for _ in 0..4 {
            take_over_and_die(&db, &script).await;
        }
        let app = ScriptedApp::new(db.open().await, &script);
        app.orchestrator.recover(true).await.unwrap();
        let events = events_to_end(&app, id).await;
        let about = |name: &str| events.iter().filter(|event| kind(event) == name).count();
        assert_eq!((about("DocumentCompleted"), about("DocumentFailed"), about("DocumentQuarantined")), (2, 1, 1));
        let told = events.iter().find(|event| kind(event) == "DocumentQuarantined").unwrap();
        assert!(told["error"].as_str().unwrap().contains("5 processes"), "{told}");
        assert_eq!((&told["stage"], &told["attempts"]), (&json!("assemble"), &json!(1)));

        // A user may want it tried again, all the same.
        app.orchestrator.retry_failed(ORG, id).await.unwrap();
        app.orchestrator.wait(id).await;
        let events = events_to_end(&app, id).await;
        assert_eq!(events.last().unwrap()["completedDocuments"], json!(3));
        knowledge_tests::verify(&db).await;
    }
}
