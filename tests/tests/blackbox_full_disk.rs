//! A disk that is full costs time and nothing else: the server says so, waits, and goes on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use knowledge_tests::{
    Backend, TestDatabase, TestServer,
    disturbed::{Disturbed, request},
    faults::FAULTY,
    server,
};

fn run(body: impl Future<Output = ()>) {
    knowledge_tests::block_on(body);
}

/// The size of the largest file of the database.
fn largest(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let sizes = entries.flatten().filter_map(|entry| entry.metadata().ok());
    sizes.map(|data| data.len()).max().unwrap_or_default()
}

/// Waits until the server says that it cannot write, and a while longer.
async fn complains(server: &TestServer, words: &str) {
    for _ in 0..600 {
        if server.log().contains(words) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server does not say `{words}`");
}

/// Reads work, and the batch has not ended.
async fn still_answers(disturbed: &Disturbed) {
    let batch = disturbed.server.client().batch(&disturbed.id).await;
    let stage = batch["stage"].as_str().unwrap_or_default();
    assert!(
        !["COMPLETED", "FAILED", "CANCELLED"].contains(&stage),
        "{batch}"
    );
}

#[test]
fn a_batch_outlives_writes_that_fail() {
    run(async {
        let db = TestDatabase::create(Backend::Sqlite).expect("SQLite is always there");
        let (url, folder) = (db.url().to_owned(), db.folder().to_owned());
        let start = |environment: &[(&str, &str)]| TestServer::start_limited(&url, environment);
        let disturbed = Disturbed::begin_on(db, &request(40), start).await;
        disturbed
            .server
            .limit_files(Some(largest(&folder) + 32 * 1024));
        complains(&disturbed.server, "the store is away").await;
        still_answers(&disturbed).await;
        disturbed.server.limit_files(None);
        disturbed.end().await;
    });
}

/// A small file system, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, after a line that says so, where nothing can be mounted.
    fn mount(folder: &Path) -> Option<Self> {
        let place = folder.join("disk");
        fs::create_dir(&place).expect("a folder can be made");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"])
            .arg(&place)
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(place));
        }
        eprintln!("SKIPPED: a file system cannot be mounted here");
        None
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.0.join("knowledge.db").display())
    }

    /// Leaves no byte.
    fn fill(&self) {
        let mut size = 1024 * 1024;
        let mut number = 0;
        while size > 0 {
            let file = self.0.join(format!("filler-{number}"));
            number += 1;
            if fs::write(&file, vec![1_u8; size]).is_err() {
                size /= 2;
            }
        }
    }

    fn make_room(&self) {
        for entry in fs::read_dir(&self.0)
            .expect("the disk can be read")
            .flatten()
        {
            if entry.file_name().to_string_lossy().starts_with("filler") {
                fs::remove_file(entry.path()).expect("a file can be removed");
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_batch_outlives_a_full_disk() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let Some(disk) = SmallDisk::mount(folder.path()) else {
            return;
        };
        let db = TestDatabase::in_file(&disk.url());
        let url = disk.url();
        let disturbed = Disturbed::begin(db, &url, &request(40)).await;
        disk.fill();
        complains(&disturbed.server, "the store is away").await;
        assert!(
            disturbed.server.log().contains("full"),
            "the reason is not named"
        );
        still_answers(&disturbed).await;
        disk.make_room();
        disturbed.end().await;
    });
}

#[test]
fn a_batch_that_a_full_disk_stopped_is_resumed() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let Some(disk) = SmallDisk::mount(folder.path()) else {
            return;
        };
        let url = disk.url();
        let disturbed = Disturbed::begin(TestDatabase::in_file(&url), &url, &request(40)).await;
        disk.fill();
        complains(&disturbed.server, "the store is away").await;
        let Disturbed {
            db,
            server,
            id,
            expected,
            ..
        } = disturbed;
        server.kill9();
        let refused = server::run_with(&["serve", "--database", &url], FAULTY);
        let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{complaint}");
        assert!(
            complaint.contains("full") || complaint.contains("disk"),
            "{complaint}"
        );
        disk.make_room();
        let server = TestServer::start_with(&url, FAULTY);
        expected.check(server.client(), &id).await;
        assert!(server.terminate().success());
        expected.check_database(&db, &id).await;
    });
}
