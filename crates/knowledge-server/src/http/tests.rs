//! The faces as clients meet them: requests through the router, sockets over the loopback.

mod access;
mod bodies;
mod graphql;
mod hosts;
mod progress;
mod websocket;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
    response::Response,
};
use serde_json::Value;
use tower::ServiceExt;

use super::{Limits, router};
use crate::{fixture::Fixture, progress::EventHub};

fn app(fixture: &Fixture) -> Router {
    router(fixture.state(EventHub::default(), Limits::default()))
}

async fn send(app: &Router, request: Request<Body>) -> Response {
    app.clone().oneshot(request).await.unwrap()
}

async fn get(app: &Router, path: &str) -> Response {
    send(app, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn text(response: Response) -> String {
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn json(response: Response) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

fn header_of(response: &Response, name: header::HeaderName) -> &str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

/// Checks that a response is a problem of this status.
async fn assert_problem(response: Response, status: StatusCode) -> Value {
    assert_eq!(response.status(), status);
    let media_type = header_of(&response, header::CONTENT_TYPE);
    assert_eq!(media_type, "application/problem+json");
    let problem = json(response).await;
    assert_eq!(problem["status"], status.as_u16());
    assert!(problem["title"].is_string() && problem["detail"].is_string());
    problem
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_problems() {
    let fixture = Fixture::new().await;
    let app = app(&fixture);
    assert_problem(get(&app, "/nowhere").await, StatusCode::NOT_FOUND).await;
    assert_problem(
        get(&app, "/assets/../Cargo.toml").await,
        StatusCode::NOT_FOUND,
    )
    .await;
    let delete = Request::delete("/livez").body(Body::empty()).unwrap();
    let response = send(&app, delete).await;
    assert!(header_of(&response, header::ALLOW).contains("GET"));
    assert_problem(response, StatusCode::METHOD_NOT_ALLOWED).await;
}

#[tokio::test]
async fn health_tells_life_from_readiness() {
    let fixture = Fixture::new().await;
    let app = app(&fixture);
    assert_eq!(get(&app, "/readyz").await.status(), StatusCode::OK);
    fixture.store.clone().close().await.unwrap();
    assert_eq!(get(&app, "/livez").await.status(), StatusCode::OK);
    let problem = assert_problem(get(&app, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(problem["detail"], "the database does not answer");
}

#[tokio::test]
async fn pages_allow_nothing_from_elsewhere() {
    let fixture = Fixture::new().await;
    let app = app(&fixture);
    for path in ["/", "/graphiql"] {
        let response = get(&app, path).await;
        assert_eq!(response.status(), StatusCode::OK);
        let policy = header_of(&response, header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(!policy.contains("http"), "{policy}");
        let page = text(response).await;
        assert!(page.starts_with("<!doctype html>"), "{page}");
        assert!(
            !page.contains("//cdn") && !page.contains("https://"),
            "{page}"
        );
    }
}

#[tokio::test]
async fn a_panic_is_a_problem() {
    async fn panics() {
        panic!("on purpose");
    }
    let app = Router::new()
        .route("/", axum::routing::get(panics))
        .layer(axum::middleware::from_fn(super::survive));
    assert_problem(get(&app, "/").await, StatusCode::INTERNAL_SERVER_ERROR).await;
}

#[tokio::test]
async fn operators_read_what_there_is_and_what_happens() {
    use knowledge_domain::batch::BatchStage;
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    fixture.batch(2, BatchStage::Failed).await;
    let app = app(&fixture);
    let watched = get(&app, &format!("/api/knowledge/extraction/progress/{batch}")).await;
    assert_eq!(get(&app, "/readyz").await.status(), StatusCode::OK);
    let response = get(&app, "/metrics").await;
    assert!(header_of(&response, header::CONTENT_TYPE).starts_with("text/plain"));
    let metrics = text(response).await;
    drop(watched);
    for line in [
        "knowledge_batches{stage=\"Chunking\"} 1",
        "knowledge_batches{stage=\"Failed\"} 1",
        "knowledge_streams{protocol=\"sse\"} ",
        "knowledge_http_requests_total{method=\"GET\",path=\"/readyz\",status=\"200\"} ",
        "knowledge_http_request_seconds_count ",
        "knowledge_database_up{kind=",
        "process_resident_memory_bytes ",
    ] {
        assert!(
            metrics.contains(&format!("\n{line}")),
            "{line} in {metrics}"
        );
    }
    assert!(!metrics.contains(&batch.to_string()), "ids are no labels");
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit_once(' ').map(|(_, value)| value.parse::<f64>());
        assert!(matches!(value, Some(Ok(_))), "{line}");
    }
}
