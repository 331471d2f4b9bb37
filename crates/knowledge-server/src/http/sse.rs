//! What every stream of server-sent events has in common.

use std::convert::Infallible;

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::{Stream, StreamExt};

use super::AppState;

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A response that sends the events as they come, with heartbeats while none does; it ends early
/// when the server is told to stop.
pub(super) fn response(
    state: &AppState,
    events: impl Stream<Item = Event> + Send + 'static,
) -> Response {
    let events = events
        .map(Ok::<_, Infallible>)
        .take_until(state.shutdown.clone().cancelled_owned());
    let heartbeat = KeepAlive::new()
        .interval(state.limits.heartbeat)
        .text("heartbeat");
    let mut response = Sse::new(events).keep_alive(heartbeat).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies would hold events back until a buffer is full.
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}
