//! `knowledge verify`: every promise is checked, and nothing else is called broken.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

#[path = "verify/corruptions.rs"]
mod corruptions;

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, process::Output};

use corruptions::{Victim, corruptions};
use knowledge_server::{store::Store, verify};
use knowledge_tests::{
    Backend, TestDatabase,
    batches::{every_kind_of_batch, real_batch},
    each_database, server,
};
use sea_orm::ConnectionTrait;
use serde_json::Value;

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
        let store = db.open().await;
        let (mut batches, mut halfway) = (0, 0);
        while halfway < 2 {
            batches += 1;
            assert!(batches <= 50, "no batch was seen while it ran");
            halfway += looks_while_a_batch_runs(&db, &store, 24).await;
        }
        assert_eq!(knowledge_tests::verify(&db).await.documents, batches * 24);
        store.close().await.unwrap();
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

/// How often `verify` found a batch in progress, while one of so many documents ran.
async fn looks_while_a_batch_runs(db: &TestDatabase, store: &Store, documents: usize) -> u32 {
    let before = knowledge_tests::verify(db).await.events;
    let (orchestrator, batch) = real_batch(store, documents, 12).await;
    let ended = tokio::spawn(async move { orchestrator.wait(batch).await });
    let mut halfway = 0;
    while !ended.is_finished() {
        let report = knowledge_tests::verify(db).await;
        halfway += u32::from(report.events > before + 1 && !ended.is_finished());
    }
    ended.await.unwrap();
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
