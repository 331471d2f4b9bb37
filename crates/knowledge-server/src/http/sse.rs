//! Server-sent events: how they are written, and what every stream of them has in common.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt, stream};
use knowledge_domain::{Caller, batch::BatchEvent};
use serde::Serialize;
use tokio::time::timeout;

use super::AppState;
use crate::{
    metrics::{DELIVERED, STREAMS},
    progress::SharedEvent,
};

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

const HEARTBEAT: &[u8] = b": heartbeat\n\n";

/// One event as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame(Bytes);

impl Frame {
    /// Tells the client how long to wait before it reconnects; no event by itself.
    pub(super) fn retry(after: Duration) -> Self {
        Self(format!("retry: {}\n\n", after.as_millis()).into())
    }

    /// What `render` makes of an event, once for all its subscribers.
    pub(super) fn shared(
        event: &SharedEvent,
        render: impl FnOnce(&BatchEvent) -> Option<Self>,
    ) -> Self {
        // An event that is no JSON cannot be: it was read from JSON.
        Self(event.frame(|event| render(event).map_or_else(Bytes::new, |frame| frame.0)))
    }

    /// An event without data; its line is there, for browsers drop an event that has none.
    pub(super) fn empty(event: &'static str) -> Self {
        Self(format!("event: {event}\ndata:\n\n").into())
    }

    /// An event with data; `None` when the data is no JSON.
    pub(super) fn json(
        id: Option<u64>,
        event: &'static str,
        data: &impl Serialize,
    ) -> Option<Self> {
        // JSON on one line: it has no line breaks outside strings and escapes those within.
        let data = serde_json::to_string(data).ok()?;
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        Some(Self(format!("{id}event: {event}\ndata: {data}\n\n").into()))
    }
}

/// A response that sends the events as they come, with heartbeats while none does; it ends early
/// when the server is told to stop or the caller's key does not hold any more.
pub(super) fn response(
    state: &AppState,
    caller: Caller,
    protocol: &'static str,
    events: impl Stream<Item = Frame> + Send + 'static,
) -> Response {
    let open = STREAMS.hold(protocol);
    let events = events.inspect(move |_| {
        let _held = &open;
        DELIVERED.add(&[protocol]);
    });
    let access = state.access.clone();
    let withdrawn = access.withdrawn(caller, state.limits.heartbeat);
    let events = events
        .take_until(state.shutdown.clone().cancelled_owned())
        .take_until(withdrawn);
    let body = with_heartbeats(events.boxed(), state.limits.heartbeat);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        ),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-cache, no-transform"),
        ),
        // Proxies would hold events back until a buffer is full.
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(body)).into_response()
}

fn with_heartbeats(
    events: stream::BoxStream<'static, Frame>,
    every: Duration,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    stream::unfold(events, move |mut events| async move {
        let piece = match timeout(every, events.next()).await {
            Ok(Some(frame)) => frame.0,
            Ok(None) => return None,
            Err(_) => Bytes::from_static(HEARTBEAT),
        };
        Some((Ok(piece), events))
    })
}
