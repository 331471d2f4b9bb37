//! A model that does as a test says: a real HTTP server on loopback that speaks OpenAI's protocol.
//!
//! It answers every question of the extractor with what a simple reader finds in the text, and
//! misbehaves by rates, by count, or by what a text contains. It runs on a thread and a runtime of
//! its own, so that tests, benchmarks and demos with and without a runtime can use it.

mod answers;
mod script;
mod serve;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

pub use script::{Reply, Report, Script};
use tokio::sync::oneshot;

/// A request as the provider saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `chat/completions` or `embeddings`.
    pub path: &'static str,
    /// The instructions: the first message.
    pub instructions: String,
    /// The question: the last message, or the texts.
    pub question: String,
    /// The model that was asked.
    pub model: String,
    /// The header that carries the key.
    pub authorization: Option<String>,
    /// The form of the answer: `json_schema`, `json_object` or nothing.
    pub format: Option<String>,
    /// When it came.
    pub at: Instant,
    /// When it was answered.
    pub answered: Option<Instant>,
    /// Tokens of the question and of the answer.
    pub tokens: u64,
    /// The status of the answer; none while there is none, or when the client went away before.
    pub status: Option<u16>,
}

#[derive(Default)]
struct State {
    script: Script,
    seen: Vec<Seen>,
    in_flight: usize,
    most_in_flight: usize,
    tokens: u64,
    released: bool,
}

/// A running provider; it ends when dropped.
pub struct Provider {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Provider {
    /// Starts a provider that follows this script.
    ///
    /// # Panics
    /// When no port is to be had.
    #[must_use]
    pub fn start(script: Script) -> Self {
        let state = Arc::new(Mutex::new(State {
            script,
            ..State::default()
        }));
        let (stop, stopped) = oneshot::channel();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a port");
        listener
            .set_nonblocking(true)
            .expect("a socket can be made non-blocking");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || serve::run(listener, shared, stopped));
        Self {
            address,
            state,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// What `OPENAI_BASE_URL` is set to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The environment of a binary that asks this provider, without limits a minute.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("OPENAI_BASE_URL", self.url()),
            ("OPENAI_API_KEY", "sk-test-key".to_owned()),
            ("KNOWLEDGE_LLM_MODEL", "scripted-1".to_owned()),
            ("KNOWLEDGE_LLM_REQUESTS_PER_MINUTE", "0".to_owned()),
            ("KNOWLEDGE_LLM_TOKENS_PER_MINUTE", "0".to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ]
    }

    /// Follows another script from now on.
    pub fn follow(&self, script: Script) {
        lock(&self.state).script = script;
    }

    /// Answers what is held, and holds nothing any more.
    pub fn release(&self) {
        lock(&self.state).released = true;
    }

    /// The requests so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.state).seen.clone()
    }

    /// Requests so far.
    #[must_use]
    pub fn calls(&self) -> usize {
        lock(&self.state).seen.len()
    }

    /// Requests that have no answer yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        lock(&self.state).in_flight
    }

    /// The most requests that were without an answer at one time.
    #[must_use]
    pub fn most_in_flight(&self) -> usize {
        lock(&self.state).most_in_flight
    }

    /// Tokens that it has counted, and reported if its script says so.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        lock(&self.state).tokens
    }

    /// Waits until `condition` holds of it.
    ///
    /// # Panics
    /// When it does not within half a minute.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_mins(2);
        while !condition(self) {
            assert!(Instant::now() < deadline, "{what}: {} calls", self.calls());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
