//! Two servers on one PostgreSQL: what one finds out of a provider, the other knows.

use std::time::Duration;

use knowledge_tests::{
    Backend, Client, TestDatabase,
    events::kind,
    provider::{Provider, Reply, Script},
};
use serde_json::{Value, json};

use crate::run::{batch_that, executions, health, notes, serve};

/// A breaker that stays open for a while, and units that are tried until it opens.
const SETTINGS: &[(&str, &str)] = &[
    ("KNOWLEDGE_BREAKER_RECOVERY_SECONDS", "15"),
    ("KNOWLEDGE_ACTIVITY_MAX_RETRIES", "9"),
];

fn llm() -> Value {
    json!({ "extractor": "LLM", "concurrency": 1, "enableEntityResolution": false })
}

async fn breaker(client: &Client) -> Value {
    health(client).await["providers"][0]["breaker"].take()
}

/// Waits until a server says that the breaker is so.
async fn until(client: &Client, state: &str) {
    let begun = std::time::Instant::now();
    while breaker(client).await != state {
        assert!(begun.elapsed() < Duration::from_mins(1), "never {state}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One server meets five failures; neither asks for the recovery time, and both go on after it.
async fn both_leave_it_alone(db: TestDatabase) {
    let provider = Provider::start(Script::default().then([Reply::Status(500); 5]));
    let servers = [
        serve(&db, &provider, SETTINGS),
        serve(&db, &provider, SETTINGS),
    ];
    let clients = servers.each_ref().map(knowledge_tests::TestServer::client);
    let waits = |it: &Value| executions(it, "SUSPENDED") == 1;
    let first = clients[0].start(&notes(0, 1, 1), llm()).await;
    batch_that(clients[0], &first, "left alone", waits).await;
    for client in clients {
        until(client, "OPEN").await;
    }
    // Whoever runs it, nobody asks.
    let mut batches = vec![first];
    for (client, number) in clients.iter().zip([10, 20]) {
        let id = client.start(&notes(number, 1, 1), llm()).await;
        batch_that(client, &id, "left alone", waits).await;
        let event = client
            .wait_for(&id, |event| kind(event) == "DocumentSuspended")
            .await;
        assert_eq!(event["reason"], "breaker_open", "{event}");
        batches.push(id);
    }
    assert_eq!(provider.calls(), 5);

    for id in &batches {
        let ended = clients[0].ended(id).await;
        assert_eq!(ended["completedDocuments"], json!(1), "{ended}");
    }
    for client in clients {
        until(client, "CLOSED").await;
    }
    assert_eq!(
        provider.calls(),
        8,
        "one call each, after the five that failed"
    );
    for server in servers {
        assert!(server.terminate().success());
    }
    knowledge_tests::verify(&db).await;
}

#[test]
fn a_server_hears_of_another_ones_open_breaker() {
    knowledge_tests::run_on(Backend::Postgres, both_leave_it_alone);
}
