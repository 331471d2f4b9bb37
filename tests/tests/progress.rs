//! Progress as several servers on one database and slow subscribers see it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use knowledge_tests::{
    Backend, Client, TestDatabase, TestServer,
    client::EventStream,
    documents, each_database,
    events::{assert_event_log, outline},
    run_on,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};

/// What a subscriber sees, with the delay from commit to receipt of each event.
async fn timed(client: &Client, batch: &str) -> Vec<(Value, Duration)> {
    let mut stream = EventStream::new(client.sse(batch, None).await);
    let mut seen = Vec::new();
    while let Some(event) = stream.next().await {
        let committed: DateTime<Utc> = event["timestamp"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .expect("an event has a timestamp");
        let delay = (now() - committed).to_std().unwrap_or_default();
        seen.push((event, delay));
    }
    seen
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock that stamped the events"
)]
fn now() -> DateTime<Utc> {
    Utc::now()
}

fn median(seen: &[(Value, Duration)]) -> Duration {
    let mut delays: Vec<_> = seen.iter().map(|(_, delay)| *delay).collect();
    delays.sort();
    delays[delays.len() / 2]
}

fn events(seen: Vec<(Value, Duration)>) -> Vec<Value> {
    seen.into_iter().map(|(event, _)| event).collect()
}

/// Waits until a server hears what others commit.
async fn hears(server: &TestServer) {
    let metrics = server.client().url("/metrics");
    loop {
        let told = reqwest::get(&metrics).await.expect("the server answers");
        let told = told.text().await.expect("the answer has a body");
        if told.lines().any(|line| line == "knowledge_listening 1") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Who hears others looks by itself after 15 seconds, so that what comes sooner was heard.
fn assert_heard(seen: &[(Value, Duration)]) {
    assert!(median(seen) < Duration::from_secs(5), "{:?}", median(seen));
}

#[test]
fn servers_on_one_postgres_tell_each_other_at_once() {
    run_on(Backend::Postgres, async |db: TestDatabase| {
        let (runs, watches) = (TestServer::start(db.url()), TestServer::start(db.url()));
        hears(&watches).await;
        let batch = runs
            .client()
            .start(&documents::long_documents(12), json!({}))
            .await;
        let seen = timed(watches.client(), &batch).await;
        assert_heard(&seen);
        let seen = events(seen);
        assert_event_log(&seen);
        let log = runs.client().events_over_sse(&batch, None).await;
        assert_eq!(outline(&seen), outline(&log));
    });
}

#[test]
fn a_server_that_loses_its_ear_hears_again_and_misses_nothing() {
    run_on(Backend::Postgres, async |db: TestDatabase| {
        let (runs, watches) = (TestServer::start(db.url()), TestServer::start(db.url()));
        let admin = db.connect().await;
        let deafen = async || {
            let cut = "SELECT count(pg_terminate_backend(pid)) AS cut FROM pg_stat_activity \
                       WHERE datname = current_database() AND query LIKE 'LISTEN%'";
            count(&admin, cut, "cut").await
        };
        let batch = runs
            .client()
            .start(&documents::long_documents(40), json!({ "concurrency": 2 }))
            .await;
        let client = Client::new(watches.client().url(""));
        let id = batch.clone();
        let seen = tokio::spawn(async move { timed(&client, &id).await });
        let mut cut = 0;
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            cut += deafen().await;
        }
        assert!(cut >= 4, "{cut} connections were cut");
        let seen = events(seen.await.unwrap());
        assert_event_log(&seen);
        assert!(watches.log().contains("other servers are not heard"));
        hears(&watches).await;
        let batch = runs
            .client()
            .start(&documents::documents(12), json!({}))
            .await;
        let seen = timed(watches.client(), &batch).await;
        assert_heard(&seen);
    });
}

async fn count(database: &DatabaseConnection, query: &str, column: &str) -> i64 {
    let query = Statement::from_string(DbBackend::Postgres, query);
    let row = database
        .query_one_raw(query)
        .await
        .expect("the database answers");
    let row = row.expect("a count is a row");
    row.try_get("", column).expect("a count is a number")
}

/// Bytes of a process that are in memory.
fn memory_of(server: &TestServer) -> u64 {
    let path = format!("/proc/{}/status", server.id());
    let status = std::fs::read_to_string(path).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.expect("the kernel tells the resident set") * 1024
}

/// Subscribers that read nothing.
const STALLED: u64 = 50;
/// What each may cost: its connection with the kernel's and the server's buffers, not its backlog.
const COST: u64 = 256 * 1024;

each_database! {
    /// A backlog of a thousand documents is some megabytes for each subscriber.
    async fn who_reads_nothing_costs_nothing_and_gets_everything_when_it_reads(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        // What a server needs to run such a batch it has afterwards.
        let (documents, config) = (documents::short_documents(1_000), json!({ "concurrency": 16 }));
        let warm = client.start(&documents, config.clone()).await;
        client.ended(&warm).await;
        let begun = std::time::Instant::now();
        let batch = client.start(&documents, config).await;
        let mut stalled = Vec::new();
        for _ in 0..STALLED {
            stalled.push(client.sse(&batch, None).await);
        }
        let before = memory_of(&server);
        let mut most = before;
        while client.batch(&batch).await["completedAt"].is_null()
            || begun.elapsed() < Duration::from_mins(1)
        {
            most = most.max(memory_of(&server));
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let log = client.events_over_sse(&batch, None).await;
        assert_event_log(&log);
        let backlog: usize = log.iter().map(|event| event.to_string().len()).sum();
        for response in stalled {
            let mut stream = EventStream::new(response);
            let mut seen = Vec::new();
            while let Some(event) = stream.next().await {
                seen.push(event);
            }
            assert_eq!(outline(&seen), outline(&log));
        }
        let grown = most.saturating_sub(before);
        println!(
            "{} events of {backlog} bytes in {:?}: {grown} bytes grown with {STALLED} stalled",
            log.len(),
            begun.elapsed()
        );
        assert!(backlog as u64 > 2 * COST, "the backlog would not be seen: {backlog}");
        assert!(grown < STALLED * COST, "{grown} bytes grown");
    }
}
