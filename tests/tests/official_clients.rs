//! The official clients of the protocols, over a network that breaks.

use std::{collections::BTreeSet, io::Read};

use knowledge_tests::{
    Client, TestDatabase, TestServer,
    bad_network::BadNetwork,
    documents, each_database,
    events::{assert_event_log, outline},
    node,
};
use serde_json::{Value, json};

/// Times that each client's connection is cut.
const CUTS: u64 = 100;
/// The most bytes that a connection carries before it is cut.
const LONGEST: u64 = 2_000;
/// How soon an `EventSource` is told to reconnect.
const ENVIRONMENT: &[(&str, &str)] = &[("KNOWLEDGE_STREAM_RETRY_MS", "10")];

/// What a client prints of a running batch that it watches through a hundred cuts, and the log.
async fn watched(database: &str, protocol: &str) -> Option<(Vec<Value>, Vec<Value>)> {
    let server = TestServer::start_with(database, ENVIRONMENT);
    let proxy = BadNetwork::start(&server.client().url(""), CUTS, LONGEST, 7).await;
    let documents = documents::documents(80);
    let batch = server.client().start(&documents, json!({})).await;
    let script = node::script("watch.mjs", &[protocol, &proxy.url(), &batch])?;
    let seen = tokio::task::spawn_blocking(move || node::lines(script));
    let seen = seen.await.expect("the client ends");
    assert_eq!(proxy.cuts(), CUTS, "the batch was too short");
    let log = server.client().events_over_sse(&batch, None).await;
    Some((seen, log))
}

async fn sees_everything(db: TestDatabase, protocol: &str) {
    if let Some((seen, log)) = watched(db.url(), protocol).await {
        assert_event_log(&log);
        assert_eq!(outline(&seen), outline(&log));
    }
}

each_database! {
    async fn graphql_ws_sees_every_event_once_and_in_order(db: TestDatabase) {
        sees_everything(db, "websocket").await;
    }

    async fn graphql_sse_sees_every_event_once_and_in_order(db: TestDatabase) {
        sees_everything(db, "graphql-sse").await;
    }

    async fn an_event_source_sees_every_event_once_and_in_order(db: TestDatabase) {
        sees_everything(db, "event-source").await;
    }

    /// What the server is asked is independent of its database, so one kind would do; it is quick.
    async fn graphql_http_audits_the_server_without_a_complaint(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let Some(script) = node::script("audit.mjs", &[&server.client().url("")]) else {
            return;
        };
        let audits = node::lines(script);
        let complaints: Vec<_> = audits
            .iter()
            .filter(|audit| audit["status"] != "ok")
            .collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        assert_eq!(audits.len(), 61);
    }

    /// Servers that die and come back at any moment, under clients that never notice more than a
    /// broken connection.
    async fn every_client_survives_servers_that_are_killed(db: TestDatabase) {
        const PROTOCOLS: [&str; 3] = ["websocket", "graphql-sse", "event-source"];
        let mut server = TestServer::start_with(db.url(), ENVIRONMENT);
        let proxy = BadNetwork::start(&server.client().url(""), 20, 20 * LONGEST, 11).await;
        let documents = documents::long_documents(24);
        let batch = server.client().start(&documents, json!({})).await;
        let mut clients = Vec::new();
        for protocol in PROTOCOLS {
            let Some(script) = node::script("watch.mjs", &[protocol, &proxy.url(), &batch]) else {
                return;
            };
            let mut child = node::start(script);
            clients.push(tokio::task::spawn_blocking(move || {
                let mut text = String::new();
                let mut output = child.stdout.take().expect("it is piped");
                output.read_to_string(&mut text).expect("JSON is UTF-8");
                let ended = child.wait_with_output().expect("it can be waited for");
                let complaints = String::from_utf8_lossy(&ended.stderr).into_owned();
                assert!(ended.status.success(), "{protocol}: {}: {complaints}", ended.status);
                let parse = |line| serde_json::from_str::<Value>(line).expect("a line is JSON");
                text.lines().map(parse).collect::<Vec<_>>()
            }));
        }
        for milliseconds in [700, 150, 1_200, 400, 900] {
            tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
            server.kill9();
            server = TestServer::start_with(db.url(), ENVIRONMENT);
            proxy.move_to(&server.client().url(""));
        }
        server.client().ended(&batch).await;
        let log = Client::new(server.client().url("")).events_over_sse(&batch, None).await;
        assert_event_log(&log);
        let mut lengths = BTreeSet::new();
        for (client, protocol) in clients.into_iter().zip(PROTOCOLS) {
            let seen = client.await.expect("the client ends");
            assert_eq!(outline(&seen), outline(&log), "{protocol}");
            lengths.insert(seen.len());
        }
        assert_eq!(lengths.len(), 1);
    }
}
