//! The server of the demonstration; stopped when dropped.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::process::{beside, terminate};

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts the server and waits until it listens; its log goes beside the database.
    pub(crate) fn start(database: &str, port: u16) -> Result<Self> {
        let log = format!("{}.log", database.trim_start_matches("sqlite://"));
        let mut child = Command::new(beside("knowledge")?)
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .args(["--database", database])
            .env_remove("KNOWLEDGE_EXTRACTOR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .context("the server cannot be started")?;
        let lines = lines(&mut child);
        let mut server = Self {
            child,
            address: String::new(),
        };
        server.address = listening(&lines)
            .with_context(|| format!("the server does not listen; {}", last_line(&log)))?;
        Ok(server)
    }

    /// `http://host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        terminate(self.child.id());
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the server ended with {status}"),
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
        bail!("the server does not stop")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines of standard output, read to its end so that the pipe never fills.
fn lines(child: &mut Child) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
    }
    receiver
}

fn listening(lines: &mpsc::Receiver<String>) -> Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = lines.recv_timeout(left)?;
        if let Some(address) = line.trim().strip_prefix("listening on ") {
            return Ok(address.trim_end_matches('/').to_owned());
        }
    }
}

fn last_line(log: &str) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().last().unwrap_or_default().to_owned()
}
