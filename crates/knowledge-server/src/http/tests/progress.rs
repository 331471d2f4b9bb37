//! Progress as plain server-sent events.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::{Request, StatusCode, header},
};
use futures::StreamExt;
use knowledge_domain::{
    batch::{BatchEventKind, BatchStage, StageReport},
    ids::BatchId,
    workflow::{DocumentProgress, StageStatus, SuspendReason, WorkflowStage},
};
use serde_json::{Value, json};

use super::{app, assert_problem, get, header_of, send, text};
use crate::{
    fixture::{Fixture, Place},
    http::{Limits, router},
    progress::EventHub,
};

const BATCHES: &str = "/api/knowledge/extraction/progress";

/// The events of a body as (id, event, data), what else it holds left out.
fn events(body: &str) -> Vec<(String, String, Value)> {
    let field = |block: &str, name: &str| {
        let lines = block.lines();
        let found = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.collect::<Vec<_>>().join("\n")
    };
    body.split("\n\n")
        .filter(|block| block.contains("data:"))
        .map(|block| {
            let data = serde_json::from_str(&field(block, "data")).unwrap();
            (field(block, "id"), field(block, "event"), data)
        })
        .collect()
}

/// A batch of three events that has ended.
async fn ended(fixture: &Fixture) -> BatchId {
    let batch = fixture.batch(1, BatchStage::Cancelled).await;
    let created = BatchEventKind::BatchCreated {};
    fixture.event(batch, 1, created).await;
    let stage = BatchStage::Chunking;
    fixture
        .event(batch, 2, BatchEventKind::BatchStageEntered { stage })
        .await;
    fixture
        .event(batch, 3, BatchEventKind::BatchCancelled {})
        .await;
    batch
}

fn report(place: Place, current: u32, status: StageStatus) -> BatchEventKind {
    let progress = DocumentProgress {
        stage: WorkflowStage::Mentions,
        current,
        total: 2,
    };
    let report = StageReport::new(place.document, place.execution, progress, status);
    BatchEventKind::StageProgress(report)
}

#[tokio::test]
async fn every_event_comes_once_and_in_order() {
    let fixture = Fixture::new().await;
    let batch = ended(&fixture).await;
    let response = get(&app(&fixture), &format!("{BATCHES}/{batch}")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        header_of(&response, header::CACHE_CONTROL),
        "no-cache, no-transform"
    );
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let body = text(response).await;
    assert!(body.starts_with("retry: 2000\n\n"), "{body}");
    let events = events(&body);
    let names: Vec<_> = events
        .iter()
        .map(|(id, event, _)| (id.as_str(), event.as_str()))
        .collect();
    let expected = [
        ("1", "BatchCreated"),
        ("2", "BatchStageEntered"),
        ("3", "BatchCancelled"),
    ];
    assert_eq!(names, expected);
    let (_, _, data) = &events[1];
    let expected = json!({
        "type": "BatchStageEntered",
        "batchId": batch.to_string(),
        "sequence": 2,
        "timestamp": "2026-11-20T08:00:00Z",
        "progress": 0.5,
        "completedDocuments": 1,
        "failedDocuments": 0,
        "totalDocuments": 2,
        "stage": "Chunking",
    });
    assert_eq!(data, &expected);
}

#[tokio::test]
async fn a_client_resumes_after_what_it_saw() {
    let fixture = Fixture::new().await;
    let batch = ended(&fixture).await;
    let app = app(&fixture);
    let path = format!("{BATCHES}/{batch}");
    let by_query = get(&app, &format!("{path}?lastEventId=2")).await;
    assert_eq!(events(&text(by_query).await).len(), 1);

    let by_header = |id: &str| {
        let request = Request::get(&path).header("last-event-id", id);
        send(&app, request.body(Body::empty()).unwrap())
    };
    assert_eq!(events(&text(by_header("1").await).await).len(), 2);
    for seen in ["3", "99"] {
        assert_eq!(by_header(seen).await.status(), StatusCode::NO_CONTENT);
    }
    assert_problem(by_header("x").await, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn unknown_and_malformed_ids_are_problems() {
    let fixture = Fixture::new().await;
    let app = app(&fixture);
    let nobody = "0".repeat(32);
    for (path, status) in [
        (format!("{BATCHES}/batch_{nobody}"), StatusCode::NOT_FOUND),
        (format!("{BATCHES}/exec_{nobody}"), StatusCode::BAD_REQUEST),
        (format!("{BATCHES}/%F0%9F"), StatusCode::BAD_REQUEST),
        (
            format!("/api/workflows/exec_{nobody}/progress"),
            StatusCode::NOT_FOUND,
        ),
        (
            "/api/workflows/x/progress".to_owned(),
            StatusCode::BAD_REQUEST,
        ),
    ] {
        assert_problem(get(&app, &path).await, status).await;
    }
}

#[tokio::test]
async fn a_workflow_shows_its_own_progress_as_a_whole_document() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Completed).await;
    let place = fixture.document(batch, 0, "one").await;
    let other = fixture.document(batch, 1, "two").await;
    let created = BatchEventKind::BatchCreated {};
    fixture.event(batch, 1, created).await;
    fixture
        .event(batch, 2, report(place, 0, StageStatus::Started))
        .await;
    fixture
        .event(batch, 3, report(other, 1, StageStatus::InProgress))
        .await;
    fixture
        .event(batch, 4, report(place, 1, StageStatus::InProgress))
        .await;
    let app = app(&fixture);
    let path = format!("/api/workflows/{}/progress", place.execution);
    let events = events(&text(get(&app, &path).await).await);
    assert_eq!(events.len(), 2);
    let expected = json!({
        "type": "StageProgress",
        "batchId": batch.to_string(),
        "documentId": place.document.to_string(),
        "workflowExecutionId": place.execution.to_string(),
        "stage": "mentions",
        "status": "in_progress",
        // 5 of chunk and half of mentions' 35.
        "progress": 22.5,
        "stageProgress": 50.0,
        "current": 1,
        "total": 2,
        "sequence": 4,
        "timestamp": "2026-11-20T08:00:00Z",
    });
    assert_eq!(
        events[1],
        ("4".to_owned(), "StageProgress".to_owned(), expected)
    );
    let seen = get(&app, &format!("{path}?lastEventId=4")).await;
    assert_eq!(seen.status(), StatusCode::NO_CONTENT);
}

/// Reads a body until it holds the text, or fails.
async fn read_until(body: &mut BodyDataStream, wanted: &str) -> String {
    let mut read = String::new();
    let reading = async {
        while !read.contains(wanted) {
            let piece = body.next().await.expect("the stream ended").unwrap();
            read.push_str(std::str::from_utf8(&piece).unwrap());
        }
    };
    tokio::time::timeout(Duration::from_mins(1), reading)
        .await
        .unwrap();
    read
}

#[tokio::test]
async fn a_silent_stream_sends_heartbeats_then_what_is_committed_then_ends() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    let hub = EventHub::default();
    let limits = Limits {
        heartbeat: Duration::from_millis(50),
        ..Limits::default()
    };
    let app = router(fixture.state(hub.clone(), limits));
    let response = get(&app, &format!("{BATCHES}/{batch}")).await;
    let mut body = response.into_body().into_data_stream();
    read_until(&mut body, ": heartbeat").await;

    let created = BatchEventKind::BatchCreated {};
    fixture.event(batch, 1, created).await;
    hub.notify(batch, 1);
    read_until(&mut body, "event: BatchCreated").await;

    // Another process ends the batch: nobody wakes this one, which looks for itself.
    fixture
        .event(batch, 2, BatchEventKind::BatchCancelled {})
        .await;
    fixture.enter(batch, BatchStage::Cancelled).await;
    read_until(&mut body, "event: BatchCancelled").await;
    let rest = tokio::time::timeout(Duration::from_mins(1), body.collect::<Vec<_>>());
    rest.await.expect("the stream does not end");
}

#[tokio::test]
async fn a_server_that_stops_lets_its_watchers_go() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    let shutdown = tokio_util::sync::CancellationToken::new();
    let state = fixture.state(EventHub::default(), Limits::default());
    let app = router(state.with_shutdown(shutdown.clone()));
    let response = get(&app, &format!("{BATCHES}/{batch}")).await;
    shutdown.cancel();
    let body = tokio::time::timeout(Duration::from_mins(1), text(response)).await;
    assert_eq!(body.expect("the stream does not end"), "");
    let ready = get(&app, "/readyz").await;
    assert_problem(ready, StatusCode::SERVICE_UNAVAILABLE).await;
}

#[tokio::test]
async fn stalls_are_told_with_their_reason_and_expected_time() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Cancelled).await;
    let place = fixture.document(batch, 0, "one").await;
    let suspended = BatchEventKind::DocumentSuspended {
        document_id: place.document,
        reason: SuspendReason::BreakerOpen,
        message: "the provider does not answer".to_owned(),
        until: Some(chrono::DateTime::UNIX_EPOCH),
    };
    let resumed = BatchEventKind::DocumentResumed {
        document_id: place.document,
    };
    let quarantined = BatchEventKind::DocumentQuarantined {
        document_id: place.document,
        stage: None,
        error: "it fails again and again".to_owned(),
        attempts: 3,
    };
    fixture.event(batch, 1, suspended).await;
    fixture.event(batch, 2, resumed).await;
    fixture.event(batch, 3, quarantined).await;
    fixture
        .event(batch, 4, BatchEventKind::BatchCancelled {})
        .await;
    let app = app(&fixture);

    let plain = events(&text(get(&app, &format!("{BATCHES}/{batch}")).await).await);
    assert_eq!(plain[0].1, "DocumentSuspended");
    assert_eq!(plain[0].2["message"], "the provider does not answer");
    assert_eq!(plain[0].2["until"], "1970-01-01T00:00:00Z");
    assert!(plain[0].2["reason"].is_string());
    assert_eq!(plain[1].1, "DocumentResumed");
    assert_eq!(plain[1].2["documentId"], place.document.to_string());
    assert_eq!(plain[2].1, "DocumentQuarantined");
    assert_eq!(plain[2].2["attempts"], 3);

    let query = format!(
        "subscription {{ batchProgress(batchId: \"{batch}\") {{ __typename sequence \
         ... on DocumentSuspended {{ documentId reason message until }} \
         ... on DocumentResumed {{ documentId }} \
         ... on DocumentQuarantined {{ documentId error attempts }} }} }}"
    );
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "text/event-stream")
        .body(Body::from(json!({ "query": query }).to_string()));
    let body = text(send(&app, request.unwrap()).await).await;
    for part in [
        "\"__typename\":\"DocumentSuspended\"",
        "\"reason\":\"BREAKER_OPEN\"",
        "\"until\":\"1970-01-01T00:00:00",
        "\"__typename\":\"DocumentResumed\"",
        "\"error\":\"it fails again and again\",\"attempts\":3",
        "event: complete",
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
}
