//! Reading a body up to its limit.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, header},
};
use bytes::BytesMut;
use futures::StreamExt;

use super::Problem;

/// What `Content-Length` says, when it says a number.
pub(super) fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// The whole body; one that grows over the limit is left unread from there on, and so is one that
/// stays away for longer than `patience`.
pub(super) async fn read(body: Body, limit: usize, patience: Duration) -> Result<Bytes, Problem> {
    let mut parts = body.into_data_stream();
    let mut whole = BytesMut::new();
    loop {
        let part = tokio::time::timeout(patience, parts.next()).await;
        let part = match part.map_err(|_| Problem::too_slow(patience))? {
            None => return Ok(whole.freeze()),
            Some(Err(_)) => {
                let ended = "the body ended before it was complete";
                return Err(Problem::bad_request(ended));
            }
            Some(Ok(part)) => part,
        };
        if part.len() > limit - whole.len() {
            return Err(Problem::too_large(limit));
        }
        whole.extend_from_slice(&part);
    }
}
