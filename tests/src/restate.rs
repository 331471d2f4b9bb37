//! A Restate server that a test may kill and start again, since nobody else uses it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Client, cluster::free_port, node::REQUIRE_NODE, workspace};

/// Where npm puts it, on the platforms that it is made for.
const PROGRAM: &str =
    "tests/clients/node_modules/@restatedev/restate-server-linux-x64/bin/restate-server";

/// By which it proves who asks: nobody's key but that of tests.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
-----END PRIVATE KEY-----
";

/// How long it may take until it is ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server; stopped and removed when dropped.
#[derive(Debug)]
pub struct Restate {
    folder: TempDir,
    ingress: String,
    admin: String,
    child: Option<Child>,
}

impl Restate {
    /// Starts a server; `None`, after a line that says so, where it is not installed and the packages
    /// of npm are not required.
    ///
    /// # Panics
    /// When it is required and not installed, or does not start.
    pub async fn start() -> Option<Self> {
        if !program().is_file() {
            assert!(
                std::env::var(REQUIRE_NODE).is_err()
                    || !cfg!(all(target_os = "linux", target_arch = "x86_64")),
                "Restate is not installed, and {REQUIRE_NODE} says that npm's packages are"
            );
            eprintln!("SKIPPED: Restate is not installed; `cargo xtask test` does so");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder can be made");
        let [node, ingress, admin] = [free_port(), free_port(), free_port()];
        let key = folder.path().join("key.pem");
        fs::write(&key, KEY).expect("a file can be written");
        let settings = settings(node, ingress, admin, &key);
        fs::write(folder.path().join("restate.toml"), settings).expect("a file can be written");
        let mut restate = Self {
            folder,
            ingress: format!("http://127.0.0.1:{ingress}"),
            admin: format!("http://127.0.0.1:{admin}"),
            child: None,
        };
        restate.begin().await;
        Some(restate)
    }

    /// Starts it again, on what it has stored.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn begin(&mut self) {
        let folder = self.folder.path();
        let log = fs::File::create(folder.join("log")).expect("a file can be made");
        let mut restate = Command::new(program());
        restate
            .arg("--config-file")
            .arg(folder.join("restate.toml"));
        restate.arg("--base-dir").arg(folder.join("data"));
        restate.arg("--no-logo").stdin(Stdio::null());
        restate
            .stdout(log.try_clone().expect("a handle"))
            .stderr(log);
        self.child = Some(restate.spawn().expect("Restate can be started"));
        let begun = Instant::now();
        let client = Client::new("");
        for url in [
            format!("{}/health", self.admin),
            format!("{}/restate/health", self.ingress),
        ] {
            while !client
                .http()
                .get(&url)
                .send()
                .await
                .is_ok_and(|it| it.status().is_success())
            {
                let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
                assert!(
                    begun.elapsed() < PATIENCE,
                    "Restate does not start: {}",
                    log()
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Kills it.
    ///
    /// # Panics
    /// When it was not running.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// Kills every invocation that has not ended, as an operator does in Restate's own page.
    ///
    /// # Panics
    /// When there is none, or it refuses.
    pub async fn kill_invocations(&self) {
        let client = Client::new("");
        let query = "SELECT id FROM sys_invocation WHERE status <> 'completed'";
        let asked = client
            .http()
            .post(format!("{}/query", self.admin))
            .header("accept", "application/json")
            .json(&json!({ "query": query }));
        let answer = asked.send().await.expect("it answers");
        let found: Value = answer.json().await.expect("JSON");
        let rows = found["rows"].as_array().expect("a list");
        assert!(!rows.is_empty(), "nothing runs");
        for row in rows {
            let id = row["id"].as_str().expect("an id");
            let url = format!("{}/invocations/{id}/kill", self.admin);
            let killed = client.http().patch(url).send().await.expect("it answers");
            assert!(killed.status().is_success(), "{}", killed.status());
        }
    }

    /// The public key by which workers know it.
    ///
    /// # Panics
    /// When it does not say so in its log.
    #[must_use]
    pub fn identity(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).expect("it has a log");
        let (_, key) = log.split_once("publickeyv1_").expect("it names its key");
        let key = key.chars().take_while(char::is_ascii_alphanumeric);
        format!("publickeyv1_{}", key.collect::<String>())
    }

    /// The environment of servers and workers that use it.
    #[must_use]
    pub fn environment(&self) -> Vec<(&str, &str)> {
        vec![
            ("KNOWLEDGE_WORKFLOW_MODE", "engine"),
            ("KNOWLEDGE_RESTATE_INGRESS_URL", &self.ingress),
            ("KNOWLEDGE_RESTATE_ADMIN_URL", &self.admin),
            ("NO_PROXY", "127.0.0.1"),
        ]
    }
}

impl Drop for Restate {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn program() -> PathBuf {
    workspace().join(PROGRAM)
}

/// A small server on loopback, which tells nobody that it runs.
fn settings(node: u16, ingress: u16, admin: u16, key: &Path) -> String {
    format!(
        r#"cluster-name = "knowledge-tests"
node-name = "one"
auto-provision = true
default-num-partitions = 4
default-replication = 1
listen-mode = "tcp"
bind-ip = "127.0.0.1"
bind-port = {node}
advertised-host = "127.0.0.1"
disable-telemetry = true
log-filter = "warn,restate_service_client=info"
rocksdb-total-memory-size = "256 MiB"
[admin]
bind-ip = "127.0.0.1"
bind-port = {admin}
disable-web-ui = true
[admin.query-engine]
memory-size = "64 MiB"
[ingress]
bind-ip = "127.0.0.1"
bind-port = {ingress}
[bifrost]
record-cache-memory-size = "32 MiB"
[worker]
data-service-memory-limit = "64 MiB"
[worker.invoker]
memory-limit = "256 MiB"
request-identity-private-key-pem-file = "{key}"
"#,
        key = key.display()
    )
}
