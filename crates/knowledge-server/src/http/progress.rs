//! Progress as plain server-sent events, resumed by `Last-Event-ID`.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt, future, stream};
use knowledge_domain::{
    batch::{BatchEvent, BatchEventKind, StageReport},
    ids::{BatchId, ExecutionId},
    workflow::{DocumentProgress, PROGRESS_UNITS},
};
use serde::{Deserialize, Serialize};

use super::{
    AppState, Problem,
    access::Called,
    segment::Segment,
    sse::{self, Frame},
};
use crate::{
    progress::{SharedEvent, batch_events, workflow_events},
    store::StoreError,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resume {
    last_event_id: Option<String>,
}

/// `GET /api/knowledge/extraction/progress/{batchId}`.
pub(super) async fn batch(
    State(state): State<AppState>,
    Called(caller): Called,
    Segment(id): Segment,
    headers: HeaderMap,
    query: Result<Query<Resume>, QueryRejection>,
) -> Result<Response, Problem> {
    let after = last_event_id(&headers, query)?;
    let id: BatchId = id
        .parse()
        .map_err(|error| Problem::bad_request(format!("{error}")))?;
    let reads = state.store.reads(caller.organization);
    let head = reads.batch_head(id).await.map_err(|error| failed(&error))?;
    let head = head.ok_or_else(|| Problem::not_found("there is no such batch"))?;
    if head.stage.is_terminal() && after >= head.last_sequence {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let events = batch_events(&state.store, &state.hub, caller.organization, id, after);
    Ok(sse::response(
        &state,
        caller,
        "sse",
        shown(state.limits.retry, events, batch_event),
    ))
}

/// `GET /api/workflows/{executionId}/progress`.
pub(super) async fn workflow(
    State(state): State<AppState>,
    Called(caller): Called,
    Segment(id): Segment,
    headers: HeaderMap,
    query: Result<Query<Resume>, QueryRejection>,
) -> Result<Response, Problem> {
    let after = last_event_id(&headers, query)?;
    let id: ExecutionId = id
        .parse()
        .map_err(|error| Problem::bad_request(format!("{error}")))?;
    let reads = state.store.reads(caller.organization);
    let head = reads
        .workflow_head(id)
        .await
        .map_err(|error| failed(&error))?;
    let head = head.ok_or_else(|| Problem::not_found("there is no such workflow"))?;
    let mut events = workflow_events(
        &state.store,
        &state.hub,
        caller.organization,
        id,
        head,
        after,
    )
    .boxed();
    if !head.ended {
        return Ok(sse::response(
            &state,
            caller,
            "sse",
            shown(state.limits.retry, events, workflow_event),
        ));
    }
    // Whether the client has seen everything, only the log can tell.
    let Some(first) = events.next().await else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let events = stream::iter([first]).chain(events);
    Ok(sse::response(
        &state,
        caller,
        "sse",
        shown(state.limits.retry, events, workflow_event),
    ))
}

/// The last sequence that the client saw; 0 when it has seen none.
fn last_event_id(
    headers: &HeaderMap,
    query: Result<Query<Resume>, QueryRejection>,
) -> Result<u64, Problem> {
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let header = headers
        .get("last-event-id")
        .map(|value| value.to_str().unwrap_or("?").to_owned());
    let given = header.or(query.last_event_id).unwrap_or_default();
    if given.is_empty() {
        return Ok(0);
    }
    given.parse().map_err(|_| {
        Problem::bad_request("the last event id is no sequence; send the `id` of an event")
    })
}

fn failed(error: &StoreError) -> Problem {
    crate::log::failed_request(error);
    Problem::internal()
}

/// The events as they are sent, after a hint of when to reconnect. An error ends the stream; the
/// client reconnects and resumes.
fn shown(
    retry: Duration,
    events: impl Stream<Item = Result<Arc<SharedEvent>, StoreError>> + Send + 'static,
    show: fn(&SharedEvent) -> Option<Frame>,
) -> impl Stream<Item = Frame> + Send + 'static {
    let hint = Frame::retry(retry);
    let events = events
        .map(|event| event.inspect_err(crate::log::failed_request).ok())
        .take_while(|event| future::ready(event.is_some()))
        .filter_map(move |event| future::ready(event.as_deref().and_then(show)));
    stream::iter([hint]).chain(events)
}

/// The event as every subscriber of its batch is sent it.
#[expect(
    clippy::unnecessary_wraps,
    reason = "events of a workflow are shown by a function of this form, and not all are"
)]
fn batch_event(event: &SharedEvent) -> Option<Frame> {
    Some(Frame::shared(event, |event| {
        Frame::json(Some(event.sequence), event.kind.name(), event)
    }))
}

fn workflow_event(event: &SharedEvent) -> Option<Frame> {
    let BatchEventKind::StageProgress(report) = &event.kind else {
        return None;
    };
    let progress = WorkflowProgress::new(event, report);
    Frame::json(Some(event.sequence), event.kind.name(), &progress)
}

/// One document's progress on the wire.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WorkflowProgress<'a> {
    r#type: &'static str,
    batch_id: BatchId,
    sequence: u64,
    timestamp: DateTime<Utc>,
    /// The document's share that is done, from 0 to 100.
    progress: f64,
    #[serde(flatten)]
    report: &'a StageReport,
}

impl<'a> WorkflowProgress<'a> {
    fn new(event: &BatchEvent, report: &'a StageReport) -> Self {
        let document = DocumentProgress {
            stage: report.stage,
            current: report.current,
            total: report.total,
        };
        Self {
            r#type: "StageProgress",
            batch_id: event.batch_id,
            sequence: event.sequence,
            timestamp: event.timestamp,
            progress: f64::from(document.units()) / f64::from(PROGRESS_UNITS / 100),
            report,
        }
    }
}
