//! The binary as its users meet it: started, killed, asked to stop, started again.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::{Client, cargo, provider::Provider, workspace};

/// Where the binary is, when it is not beside the tests.
pub const BINARY: &str = "KNOWLEDGE_TEST_BINARY";
/// The command of a server, on a port of its own.
const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];
/// SIGKILL.
const KILLED: i32 = 9;
/// How long a server may take until it is ready, or until it has stopped.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct TestServer {
    child: Child,
    client: Client,
    log: Arc<Mutex<String>>,
}

impl TestServer {
    /// Starts the server on this database and waits until it listens.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn start(database: &str) -> Self {
        Self::start_with(database, &[])
    }

    /// As [`TestServer::start`], with environment variables.
    ///
    /// # Panics
    /// When it does not listen in time; its log is in the message.
    #[must_use]
    pub fn start_with(database: &str, environment: &[(&str, &str)]) -> Self {
        let server = Self::try_start(database, environment);
        server.expect("the server is not killed before it listens")
    }

    /// As [`TestServer::start`], with this provider of models.
    ///
    /// # Panics
    /// When it does not listen in time; its log is in the message.
    #[must_use]
    pub fn start_asking(database: &str, provider: &Provider) -> Self {
        let environment = provider.environment();
        let borrowed: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        Self::start_with(database, &borrowed)
    }

    /// Starts a worker of the mode `engine`, which listens on this port of loopback.
    ///
    /// # Panics
    /// When it does not listen in time; its log is in the message.
    #[must_use]
    pub fn start_worker(database: &str, port: u16, environment: &[(&str, &str)]) -> Self {
        let listen = format!("127.0.0.1:{port}");
        let command = ["worker", "--listen", &listen];
        let child = spawn(knowledge(), &command, database, environment);
        let (mut worker, lines) = Self::of_child(child);
        assert!(worker.address(&lines).is_some(), "it was killed");
        worker
    }

    /// As [`TestServer::start_with`]; none when it is killed before it listens.
    ///
    /// # Panics
    /// When it ends otherwise before it listens, or does not listen in time.
    #[must_use]
    pub fn try_start(database: &str, environment: &[(&str, &str)]) -> Option<Self> {
        let (mut server, lines) = Self::of_child(serve(database, environment));
        let Some(address) = server.address(&lines) else {
            server.wait_until_killed();
            return None;
        };
        server.client = Client::new(address);
        Some(server)
    }

    /// As [`TestServer::start_with`], but a file that becomes too large is an error of the write
    /// and not the end of the process; [`TestServer::limit_files`] says how large that is.
    ///
    /// # Panics
    /// As [`TestServer::start_with`].
    #[must_use]
    pub fn start_limited(database: &str, environment: &[(&str, &str)]) -> Self {
        let child = spawn(
            within("sh", "trap '' XFSZ; exec \"$0\" \"$@\""),
            &SERVE,
            database,
            environment,
        );
        let (mut server, lines) = Self::of_child(child);
        let address = server.address(&lines);
        server.client = Client::new(address.expect("the server listens"));
        server
    }

    /// Limits the size of every file that the server writes, in bytes; no limit when absent.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn limit_files(&self, most: Option<u64>) {
        let most = most.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let limited = Command::new("prlimit")
            .args(["--pid", &self.child.id().to_string()])
            // The soft limit alone, which can be raised again.
            .arg(format!("--fsize={most}:"))
            .status()
            .expect("prlimit can be started");
        assert!(limited.success(), "the system refuses a limit");
    }

    /// Starts a server that ends by SIGKILL of its own accord, and waits for that.
    ///
    /// # Panics
    /// When it does not.
    pub fn run_until_killed(database: &str, environment: &[(&str, &str)]) {
        let child = serve(database, environment);
        Self::of_child(child).0.wait_until_killed();
    }

    /// A server whose process runs, with the lines of its standard output.
    fn of_child(mut child: Child) -> (Self, mpsc::Receiver<String>) {
        let log = Arc::default();
        collect(child.stderr.take().expect("standard error is piped"), &log);
        let lines = lines(child.stdout.take().expect("standard output is piped"));
        let client = Client::new("");
        (Self { child, client, log }, lines)
    }

    /// The address of the line `listening on http://…`; none when it ends before.
    fn address(&mut self, lines: &mpsc::Receiver<String>) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            if let Some(address) = line.trim().strip_prefix("listening on ") {
                return Some(address.trim_end_matches('/').to_owned());
            }
        }
        assert!(
            Instant::now() < deadline,
            "the server does not listen:\n{}",
            self.log()
        );
        None
    }

    /// The id of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A client of it.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What it has written to standard error.
    #[must_use]
    pub fn log(&self) -> String {
        let log = self.log.lock();
        log.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Kills it with SIGKILL: nothing is flushed, nothing is said.
    ///
    /// # Panics
    /// When it was gone already.
    pub fn kill9(mut self) {
        assert!(
            matches!(self.child.try_wait(), Ok(None)),
            "the server was gone already:\n{}",
            self.log()
        );
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server can be waited for");
    }

    /// Whether its process has ended.
    ///
    /// # Panics
    /// When the system cannot say.
    pub fn has_ended(&mut self) -> bool {
        let status = self.child.try_wait();
        status.expect("the server can be waited for").is_some()
    }

    /// Waits until it ends by SIGKILL, at a failure point.
    ///
    /// # Panics
    /// When it ends otherwise, or does not end in time.
    pub fn wait_until_killed(mut self) {
        let status = self.wait();
        assert_eq!(
            status.signal(),
            Some(KILLED),
            "ended otherwise:\n{}",
            self.log()
        );
    }

    /// Whether its process is suspended.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        // The state follows the name, which is in parentheses.
        let state = status.unwrap_or_default();
        state
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('T'))
    }

    /// Sends a signal, by its name: `STOP`, `CONT`, `TERM`.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()
            .expect("kill can be started");
        assert!(sent.success(), "the server was gone already");
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    /// When it does not stop in time.
    #[must_use]
    pub fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("the server can be waited for") {
                return status;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the server does not stop:\n{}", self.log());
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the server's log ---\n{}", self.log());
        }
    }
}

fn serve(database: &str, environment: &[(&str, &str)]) -> Child {
    spawn(knowledge(), &SERVE, database, environment)
}

fn spawn(
    mut knowledge: Command,
    command: &[&str],
    database: &str,
    environment: &[(&str, &str)],
) -> Child {
    knowledge
        .args(command)
        .args(["--database", database])
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started")
}

/// The binary with no setting from outside.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn knowledge() -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars() {
        if name.starts_with("KNOWLEDGE_") || name.starts_with("OPENAI_") {
            command.env_remove(name);
        }
    }
    // A test that kills a server need not wait as long for another as a user would.
    command.env("KNOWLEDGE_LEASE_SECONDS", "2");
    command.current_dir(empty_folder());
    command
}

/// The binary as what a shell's script executes.
fn within(shell: &str, script: &str) -> Command {
    let plain = knowledge();
    let mut command = Command::new(shell);
    command.arg("-c").arg(script).arg(plain.get_program());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(empty_folder());
    command
}

/// Where no `knowledge.toml`, no database and no document lies that has no part in a test.
fn empty_folder() -> PathBuf {
    let folder = std::env::temp_dir().join("knowledge-tests-empty");
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    folder
}

/// Runs the binary to its end.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn run(arguments: &[&str]) -> Output {
    run_with(arguments, &[])
}

/// Runs the binary to its end, with environment variables; a server that does start is stopped.
///
/// # Panics
/// When it cannot be started or does not end in time.
#[must_use]
pub fn run_with(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut child = knowledge()
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    let stdout = drain(child.stdout.take().expect("standard output is piped"));
    let stderr = drain(child.stderr.take().expect("standard error is piped"));
    let status = wait(&mut child, arguments);
    Output {
        status,
        stdout: stdout.join().expect("the reader does not panic"),
        stderr: stderr.join().expect("the reader does not panic"),
    }
}

fn wait(child: &mut Child, arguments: &[&str]) -> ExitStatus {
    let deadline = Instant::now() + 4 * PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("the binary can be waited for") {
            return status;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    panic!("`knowledge {}` does not end", arguments.join(" "));
}

fn drain(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes
    })
}

/// Keeps what comes, so that the pipe never fills.
fn collect(stream: impl Read + Send + 'static, log: &Arc<Mutex<String>>) {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(&line);
            log.push('\n');
        }
    });
}

fn lines(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // The stream is read to its end, whether anybody still listens or not.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// The binary: the named one, or the one beside the tests, built where it is older than its
/// sources.
fn binary() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(path) = std::env::var_os(BINARY) {
            return path.into();
        }
        let tests = std::env::current_exe().expect("the test has a path");
        let folder = tests.parent().and_then(Path::parent);
        let path = folder
            .expect("tests are in target/<profile>/deps")
            .join("knowledge");
        if !is_current(&path) {
            build();
        }
        path
    })
}

fn build() {
    let status = cargo()
        .args(["build", "--workspace", "--bins"])
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "the binary cannot be built");
}

fn is_current(path: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let Some(built) = modified(path) else {
        return false;
    };
    newest(&workspace().join("crates")).max(newest(&workspace().join("migrations"))) <= Some(built)
}

/// When the newest source below the folder was changed.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| !path.ends_with("node_modules"))
        .filter_map(|path| {
            if path.is_dir() {
                return newest(&path);
            }
            path.metadata().ok()?.modified().ok()
        })
        .max()
}

/// The graph of a batch as JSON.
///
/// # Panics
/// When the export fails.
#[must_use]
pub fn export(database: &str, batch: &str) -> String {
    let output = run(&["export", batch, "--format", "json", "--database", database]);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the export fails: {complaints}");
    String::from_utf8(output.stdout).expect("JSON is UTF-8")
}
