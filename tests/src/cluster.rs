//! A PostgreSQL cluster that a test may stop, restart and cut off, since nobody else uses it.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::database::REQUIRE_POSTGRES;

/// PostgreSQL refuses to run as root.
const UNPRIVILEGED: &str = "postgres";

/// A running cluster; stopped and removed when dropped.
#[derive(Debug)]
pub struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
}

impl Cluster {
    /// Creates and starts a cluster; `None`, after a line that says so, where PostgreSQL is not
    /// installed and not required.
    ///
    /// # Panics
    /// When it is required and not installed, or does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                env::var(REQUIRE_POSTGRES).is_err(),
                "PostgreSQL is not installed"
            );
            eprintln!("SKIPPED: PostgreSQL is not installed");
            return None;
        };
        let cluster = Self {
            programs,
            folder: folder(),
            port: free_port(),
        };
        let mut initdb = cluster.program("initdb");
        initdb.arg("--pgdata").arg(cluster.data());
        initdb.args(["--username", "knowledge", "--auth", "trust", "--no-sync"]);
        done(initdb.args(["--encoding", "UTF8", "--locale", "C"]));
        cluster.begin();
        Some(cluster)
    }

    /// The port on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where a user answers who may create databases.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://knowledge@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it, or starts it again.
    ///
    /// # Panics
    /// When it does not start.
    pub fn begin(&self) {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=off",
            self.port,
            self.folder.path().display()
        );
        let mut start = self.pg_ctl();
        start.args(["start", "--wait", "--silent", "--log"]);
        start.arg(self.folder.path().join("log"));
        done(start.args(["--options", &options]));
    }

    /// Ends it as a crash would: no connection is closed, nothing is flushed.
    ///
    /// # Panics
    /// When it was not running.
    pub fn crash(&self) {
        done(
            self.pg_ctl()
                .args(["stop", "--mode", "immediate", "--silent"]),
        );
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn pg_ctl(&self) -> Command {
        let mut command = self.program("pg_ctl");
        command.arg("--pgdata").arg(self.data());
        command
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", UNPRIVILEGED, "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = self.pg_ctl();
        stop.args(["stop", "--mode", "immediate", "--silent"]);
        // It may be stopped already.
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// Runs a program that must succeed; what it prints is not read, since a server would inherit the
/// pipe.
fn done(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = status.expect("the program can be started");
    assert!(status.success(), "{command:?}: {status}");
}

/// A port of loopback that nobody listens on.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// A folder that belongs to whoever runs PostgreSQL.
fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("pg").tempdir();
    let folder = folder.expect("a temporary folder can be made");
    if is_root() {
        done(Command::new("chown").arg(UNPRIVILEGED).arg(folder.path()));
    }
    folder
}

/// The folder of PostgreSQL's programs: on the PATH, or the newest of a distribution.
fn programs() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let complete = |folder: &PathBuf| folder.join("initdb").is_file();
    env::split_paths(&path)
        .chain(distribution_folders(Path::new("/usr/lib/postgresql")))
        .find(complete)
}

fn distribution_folders(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut folders: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    folders.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    folders.into_iter().map(|(_, folder)| folder).collect()
}
