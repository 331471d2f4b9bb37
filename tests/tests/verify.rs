//! `knowledge verify`: every promise is checked, and nothing else is called broken.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

#[path = "verify/corruptions.rs"]
mod corruptions;

use std::{
    collections::BTreeSet, fs, os::unix::fs::PermissionsExt, process::Output, time::Duration,
};

use corruptions::{Victim, corruptions};
use knowledge_server::{store::Store, verify};
use knowledge_tests::{
    Backend, Client, TestDatabase, TestServer,
    batches::{every_kind_of_batch, real_batch},
    documents, each_database,
    provider::{Provider, Script},
    server,
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

/// An invariant that no corruption violates could be checked by nothing.
#[test]
fn every_invariant_has_a_corruption() {
    let codes = verify::codes();
    let known: BTreeSet<&str> = codes.iter().map(String::as_str).collect();
    let corruptions = corruptions();
    let violated = corruptions
        .iter()
        .flat_map(|corruption| corruption.violates.iter().copied());
    assert_eq!(known.len(), codes.len(), "codes are unique");
    assert_eq!(violated.collect::<BTreeSet<_>>(), known);
}

each_database! {
    async fn every_corruption_is_found_and_nothing_else(db: TestDatabase) {
        every_kind_of_batch(&db).await;
        let report = knowledge_tests::verify(&db).await;
        assert_eq!((report.batches, report.documents), (8, 24), "{report}");
        assert!(report.events > 100 && report.activities > 50 && report.entities > 20, "{report}");
        let victim = Victim::new(&db).await;
        let store = Store::read_only_current(&db.database_url()).await.unwrap();
        let mut wrong = Vec::new();
        for corruption in corruptions() {
            victim.suffer(&corruption).await;
            let found = violated(&store).await;
            if found != corruption.violates.iter().map(|code| (*code).to_owned()).collect() {
                wrong.push(format!("{corruption:?} gave {found:?}"));
            }
        }
        assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    }

    async fn a_batch_that_runs_breaks_nothing(db: TestDatabase) {
        let provider = Provider::start(Script::default());
        let server = TestServer::start_asking(db.url(), &provider);
        let (mut batches, mut halfway) = (0, 0);
        while halfway < 2 {
            // Until a batch outlasts being looked at.
            let latency = Duration::from_millis(400) * 3_u32.pow(batches);
            assert!(batches < 4, "no batch was seen while it ran, with calls of {latency:?}");
            provider.follow(Script { latency, ..Script::default() });
            halfway += looks_while_a_batch_runs(&db, server.client(), batches).await;
            batches += 1;
        }
        assert!(server.terminate().success());
        assert_eq!(knowledge_tests::verify(&db).await.documents, u64::from(batches) * DOCUMENTS);
    }

    async fn the_command_says_what_is_wrong(db: TestDatabase) {
        let store = db.open().await;
        let (orchestrator, batch) = real_batch(&store, 2, 1).await;
        orchestrator.wait(batch).await;
        store.close().await.unwrap();
        let clean = run(&db, &[]);
        assert_eq!(clean.status.code(), Some(0));
        let summary = String::from_utf8(clean.stdout).unwrap();
        assert!(summary.starts_with("verified 1 batches, 2 documents, "), "{summary}");
        assert!(summary.ends_with(" entities: 0 violations\n"), "{summary}");

        execute(&db, "UPDATE batch_execution SET completed_documents = 3").await;
        let broken = run(&db, &[]);
        assert_eq!(broken.status.code(), Some(1));
        let lines = String::from_utf8(broken.stdout).unwrap();
        let line = format!("counters/completed-documents {batch}: row says 3, documents say 2\n");
        assert!(lines.starts_with(&line), "{lines}");
        assert_eq!(String::from_utf8(broken.stderr).unwrap().lines().count(), 1);

        let report: Value = serde_json::from_slice(&run(&db, &["--json"]).stdout).unwrap();
        assert_eq!(report["batches"], 1);
        assert_eq!(report["violations"][0]["code"], "counters/completed-documents");
        assert_eq!(report["violations"][0]["examples"][0]["subject"], batch.to_string());
    }

    async fn an_older_schema_is_left_as_it_is(db: TestDatabase) {
        db.open().await.close().await.unwrap();
        let last = "(SELECT MAX(version) FROM seaql_migrations)";
        execute(&db, &format!("DELETE FROM seaql_migrations WHERE version = {last}")).await;
        let refused = run(&db, &[]);
        assert_eq!(refused.status.code(), Some(1));
        let complaint = String::from_utf8(refused.stderr).unwrap();
        assert!(complaint.contains("lacks 1 migrations"), "{complaint}");
        execute(&db, "INSERT INTO seaql_migrations VALUES ('m99990101_000000_later', 0)").await;
        let complaint = String::from_utf8(run(&db, &[]).stderr).unwrap();
        assert!(complaint.contains("newer than this release"), "{complaint}");
        let served = server::run(&["serve", "--listen", "127.0.0.1:0", "--database", db.url()]);
        assert_eq!(served.status.code(), Some(1));
        let complaint = String::from_utf8_lossy(&served.stderr);
        assert!(complaint.contains("newer than this release"), "{complaint}");
    }

    async fn a_copy_may_be_read_only(db: TestDatabase) {
        if db.backend() == Backend::Postgres {
            return;
        }
        every_kind_of_batch(&db).await;
        let copy = db.copy();
        let file = copy.folder().join("knowledge.db");
        let before = fs::read(&file).unwrap();
        let mode = |mode| fs::set_permissions(copy.folder(), fs::Permissions::from_mode(mode));
        mode(0o555).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        let verified = run(&copy, &[]);
        mode(0o755).unwrap();
        assert_eq!(verified.status.code(), Some(0), "{verified:?}");
        assert_eq!(fs::read(&file).unwrap(), before, "nothing was written");
    }
}

/// Documents of a batch that is looked at.
const DOCUMENTS: u64 = 24;

/// How often `verify` found a batch in progress. No two batches have a document in common.
async fn looks_while_a_batch_runs(db: &TestDatabase, client: &Client, number: u32) -> u32 {
    let before = knowledge_tests::verify(db).await.events;
    let own = (0..DOCUMENTS).map(|at| usize::try_from(u64::from(number) * DOCUMENTS + at).unwrap());
    let documents: Vec<Value> = own
        .map(|at| json!({ "name": format!("{at}.txt"), "text": documents::text(at, 2) }))
        .collect();
    let id = client
        .start(&documents, json!({ "extractor": "LLM" }))
        .await;
    let client = client.clone();
    let ended = tokio::spawn(async move { client.ended(&id).await });
    let mut halfway = 0;
    while !ended.is_finished() {
        let report = knowledge_tests::verify(db).await;
        halfway += u32::from(report.events > before + 1 && !ended.is_finished());
    }
    assert_eq!(ended.await.unwrap()["stage"], json!("COMPLETED"));
    halfway
}

/// The codes of what the database violates.
async fn violated(store: &Store) -> BTreeSet<String> {
    let report = verify::verify(store).await.unwrap();
    let violations = report.violations.into_iter();
    violations.map(|violation| violation.code).collect()
}

fn run(db: &TestDatabase, flags: &[&str]) -> Output {
    server::run(&[&["verify", "--database", db.url()], flags].concat())
}

async fn execute(db: &TestDatabase, sql: &str) {
    let connection = db.connect().await;
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}
