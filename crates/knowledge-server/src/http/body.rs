//! Reading a body up to its limit.

use std::error::Error;

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, header},
};

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

/// The whole body; one that grows over the limit is left unread from there on.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    to_bytes(body, limit).await.map_err(|error| {
        if over_limit(&error) {
            Problem::too_large(limit)
        } else {
            Problem::bad_request("the body ended before it was complete")
        }
    })
}

fn over_limit(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
