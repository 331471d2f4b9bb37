//! A batch's events, over as many connections as it takes.

use std::time::Duration;

use anyhow::{Context, bail};
use knowledge_domain::{batch::BatchEvent, ids::BatchId};
use reqwest::{Response, StatusCode};

use super::{
    super::{bars::Display, print, tell},
    api::Api,
    sse::{Message, Parser},
};
use crate::text::chain;

/// A connection that brings nothing for so long, not even a heartbeat, is dead.
const SILENCE: Duration = Duration::from_secs(45);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Shows a batch's events until it ends; whenever the connection breaks, it connects again and goes
/// on where it was.
///
/// # Errors
/// The server cannot be reached at first, has no such batch, or refuses.
pub(super) async fn follow(api: &Api, batch: BatchId, json: bool) -> anyhow::Result<()> {
    let mut follower = Follower {
        batch,
        seen: 0,
        wait: FIRST_WAIT,
        display: (!json).then(|| Display::new(batch)),
    };
    let mut response = Some(connect(api, batch, 0).await?);
    loop {
        let ended = match response.take() {
            Some(answer) if answer.status() == StatusCode::NO_CONTENT => break,
            Some(answer) => follower.read(answer).await?,
            None => false,
        };
        if !ended {
            follower.pause().await;
        }
        match connect(api, batch, follower.seen).await {
            Ok(answer) => response = Some(answer),
            Err(error) if is_refusal(&error) => return Err(error),
            Err(error) => follower.lost(&chain(error.as_ref())),
        }
    }
    if let Some(display) = &mut follower.display {
        display.finish();
    }
    Ok(())
}

/// An answer that would be the same however often one asks.
#[derive(Debug, thiserror::Error)]
#[error("the server refused to show {batch}: {reason}")]
struct Refusal {
    batch: BatchId,
    reason: String,
}

fn is_refusal(error: &anyhow::Error) -> bool {
    error.is::<Refusal>()
}

async fn connect(api: &Api, batch: BatchId, after: u64) -> anyhow::Result<Response> {
    let answer = api.events(batch, after).await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body = answer.bytes().await.unwrap_or_default();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let reason = super::api::problem(status, &problem).unwrap_or_else(|| status.to_string());
    if status.is_client_error() {
        return Err(Refusal { batch, reason }.into());
    }
    bail!("the server answers {status}: {reason}")
}

struct Follower {
    batch: BatchId,
    /// The last sequence that was shown.
    seen: u64,
    /// Before the next connection.
    wait: Duration,
    display: Option<Display>,
}

impl Follower {
    /// Shows what a connection brings; whether it ended as the server meant it to.
    async fn read(&mut self, mut answer: Response) -> anyhow::Result<bool> {
        let mut parser = Parser::default();
        loop {
            match tokio::time::timeout(SILENCE, answer.chunk()).await {
                Ok(Ok(Some(bytes))) => {
                    for message in parser.push(&bytes) {
                        self.show(&message)?;
                    }
                }
                Ok(Ok(None)) => return Ok(true),
                Ok(Err(_)) | Err(_) => return Ok(false),
            }
        }
    }

    fn show(&mut self, message: &Message) -> anyhow::Result<()> {
        let sequence: u64 = message
            .id
            .as_deref()
            .and_then(|id| id.parse().ok())
            .context("the server sent an event without its sequence")?;
        if sequence != self.seen + 1 {
            bail!("the server sent event {sequence} after event {}", self.seen);
        }
        self.seen = sequence;
        self.wait = FIRST_WAIT;
        match &mut self.display {
            // A later release may have events that this one does not know.
            Some(display) => {
                if let Ok(event) = serde_json::from_str::<BatchEvent>(&message.data) {
                    display.show(&event);
                }
                Ok(())
            }
            None => print(&format!("{}\n", message.data)),
        }
    }

    fn lost(&self, reason: &str) {
        if self.wait == FIRST_WAIT * 2 {
            tell(&format!(
                "the connection to the server is lost ({reason}); {} goes on, and this waits",
                self.batch
            ));
        }
    }

    /// Waits before the next connection, longer each time in a row.
    async fn pause(&mut self) {
        tokio::time::sleep(self.wait).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }
}
