//! A PostgreSQL cluster that lives as long as the tests.
//!
//! Owned by an unprivileged user, since PostgreSQL refuses to run as root; on loopback only, on a
//! port that the system gave, its sockets and data in a temporary folder.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{
    debian,
    process::{answers, output, run},
};

const PROGRAMS: &[&str] = &["initdb", "pg_ctl", "postgres"];
/// Another program may take the port between our asking and PostgreSQL's listening.
const ATTEMPTS: u32 = 3;
const USER: &str = "knowledge";
/// Who runs PostgreSQL where we are root.
const UNPRIVILEGED: &str = "postgres";

/// A running cluster; stopped and removed when dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    as_root: bool,
    port: u16,
}

impl Cluster {
    /// Creates and starts a cluster, installing PostgreSQL first where that is possible.
    pub(crate) fn start() -> Result<Self> {
        let as_root = debian::is_root()?;
        let programs = provided()?;
        let mut cluster = Self {
            programs,
            folder: folder(as_root)?,
            as_root,
            port: 0,
        };
        cluster.initialise()?;
        cluster.listen()?;
        Ok(cluster)
    }

    /// Where a user answers who may create databases.
    pub(crate) fn url(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/postgres", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn initialise(&self) -> Result<()> {
        let mut initdb = self.program("initdb");
        initdb.arg("--pgdata").arg(self.data());
        initdb.args(["--username", USER, "--auth", "trust"]);
        initdb.args(["--encoding", "UTF8", "--locale", "C", "--no-sync"]);
        output(&mut initdb).context("the PostgreSQL cluster cannot be created")?;
        Ok(())
    }

    fn listen(&mut self) -> Result<()> {
        let mut attempt = 1;
        loop {
            self.port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            match self.try_listen() {
                Ok(()) => return Ok(()),
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error).context(self.last_log_lines()),
            }
        }
    }

    fn try_listen(&self) -> Result<()> {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c max_connections=200",
            self.port,
            self.folder.path().display()
        );
        let mut start = self.pg_ctl();
        start.args(["start", "--wait", "--silent", "--log"]);
        start.arg(self.log()).args(["--options", &options]);
        // Captured output would wait for the server, which inherits it.
        start.stdout(Stdio::null());
        run(&mut start)
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn last_log_lines(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let mut last: Vec<_> = log.lines().rev().take(3).collect();
        last.reverse();
        format!("PostgreSQL does not start: {}", last.join("; "))
    }

    fn pg_ctl(&self) -> Command {
        let mut command = self.program("pg_ctl");
        command.arg("--pgdata").arg(self.data());
        command
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if self.as_root {
            let mut command = as_unprivileged();
            command.arg(program);
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
        // Not `run`: this works after an interrupt too, and where the server is gone already.
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

fn as_unprivileged() -> Command {
    let mut command = Command::new("runuser");
    command.args(["-u", UNPRIVILEGED, "--"]);
    command
}

/// The folder of PostgreSQL's programs, installed first where they are missing and may be.
fn provided() -> Result<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    if debian::can_install()? {
        debian::install("postgresql")?;
        if let Some(found) = find() {
            return Ok(found);
        }
    }
    bail!(
        "PostgreSQL is not installed; install its server (`apt-get install postgresql`, \
         `dnf install postgresql-server`, `brew install postgresql`) or put initdb, pg_ctl and \
         postgres on the PATH"
    )
}

/// The first folder of the PATH, or else the newest of a distribution, with all the programs.
fn find() -> Option<PathBuf> {
    let on_path = env::var_os("PATH")?;
    let complete = |folder: &Path| PROGRAMS.iter().all(|name| folder.join(name).is_file());
    env::split_paths(&on_path)
        .chain(distribution_folders())
        .find(|folder| complete(folder))
}

/// `/usr/lib/postgresql/17/bin` and its like, the newest first.
fn distribution_folders() -> Vec<PathBuf> {
    let mut folders: Vec<(u32, PathBuf)> = ["/usr/lib/postgresql", "/usr/local/lib/postgresql"]
        .iter()
        .filter_map(|parent| fs::read_dir(parent).ok())
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .collect();
    folders.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    folders.into_iter().map(|(_, folder)| folder).collect()
}

/// A folder that the user who runs PostgreSQL owns and reaches.
fn folder(as_root: bool) -> Result<TempDir> {
    let parents = [env::temp_dir(), "/tmp".into(), "/var/tmp".into()];
    for parent in parents {
        let Ok(folder) = tempfile::Builder::new().prefix("pg").tempdir_in(&parent) else {
            continue;
        };
        if !as_root || handed_over(folder.path())? {
            return Ok(folder);
        }
    }
    bail!("no temporary folder is open to the user `{UNPRIVILEGED}`")
}

/// Gives the folder to the unprivileged user; `false` where its parents keep that user out.
fn handed_over(folder: &Path) -> Result<bool> {
    if !answers("id", &["-u", UNPRIVILEGED]) {
        bail!(
            "PostgreSQL refuses to run as root, and there is no user `{UNPRIVILEGED}`; create it \
             with `useradd --system {UNPRIVILEGED}` or run this as another user"
        );
    }
    run(Command::new("chown").arg(UNPRIVILEGED).arg(folder))?;
    let mut reaches = as_unprivileged();
    reaches.arg("test").arg("-w").arg(folder).current_dir("/");
    Ok(reaches.status()?.success())
}
