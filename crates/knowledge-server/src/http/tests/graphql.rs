//! GraphQL over HTTP and over server-sent events.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
    response::Response,
};
use knowledge_domain::batch::{BatchEventKind, BatchStage};
use serde_json::json;

use super::{app, assert_problem, get, header_of, json as body_of, send, text};
use crate::fixture::Fixture;

async fn post(app: &Router, accept: &str, body: &str) -> Response {
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::ACCEPT, accept)
        .body(Body::from(body.to_owned()))
        .unwrap();
    send(app, request).await
}

#[tokio::test]
async fn the_status_depends_on_what_the_client_accepts() {
    let fixture = Fixture::new().await;
    let app = app(&fixture);
    let modern = "application/graphql-response+json";
    let legacy = "application/json";
    for (accept, document, status) in [
        (modern, "{ __typename }", StatusCode::OK),
        (legacy, "{ __typename }", StatusCode::OK),
        (modern, "{ nothing }", StatusCode::BAD_REQUEST),
        (legacy, "{ nothing }", StatusCode::OK),
        (modern, "{", StatusCode::BAD_REQUEST),
        (legacy, "{", StatusCode::OK),
        ("*/*", "{", StatusCode::OK),
    ] {
        let response = post(&app, accept, &json!({ "query": document }).to_string()).await;
        assert_eq!(response.status(), status, "{accept} {document}");
        let wanted = if accept == modern { modern } else { legacy };
        assert!(header_of(&response, header::CONTENT_TYPE).starts_with(wanted));
        let body = body_of(response).await;
        let valid = document == "{ __typename }";
        assert_eq!(body.get("data").is_some(), valid, "{body}");
        assert_eq!(body.get("errors").is_some(), !valid, "{body}");
    }
}

#[tokio::test]
async fn what_is_no_graphql_request_is_a_problem() {
    let fixture = Fixture::new().await;
    let app = app(&fixture);
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"query":1}"#,
        r#"{"query":"{a}","variables":"x"}"#,
    ] {
        let response = post(&app, "application/json", body).await;
        assert_problem(response, StatusCode::BAD_REQUEST).await;
    }
    let response = post(&app, "text/html", "{}").await;
    assert_problem(response, StatusCode::NOT_ACCEPTABLE).await;
}

#[tokio::test]
async fn foreign_pages_cannot_post() {
    let fixture = Fixture::new().await;
    let app = app(&fixture);
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ] {
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, media_type)
            .body(Body::from(r#"{"query":"{ __typename }"}"#))
            .unwrap();
        let response = send(&app, request).await;
        assert_problem(response, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
    }
}

#[tokio::test]
async fn get_answers_queries_and_refuses_mutations() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Completed).await;
    let app = app(&fixture);
    let query = "query=query(%24id:ID!)%7Bbatch(id:%24id)%7Bstage%7D%7D";
    let variables = format!("variables=%7B%22id%22:%22{batch}%22%7D");
    let response = get(&app, &format!("/graphql?{query}&{variables}")).await;
    let expected = json!({ "data": { "batch": { "stage": "COMPLETED" } } });
    assert_eq!(body_of(response).await, expected);

    let mutation = format!("mutation%7BcancelBatch(id:%22{batch}%22)%7B__typename%7D%7D");
    let response = get(&app, &format!("/graphql?query={mutation}")).await;
    assert_eq!(header_of(&response, header::ALLOW), "POST");
    assert_problem(response, StatusCode::METHOD_NOT_ALLOWED).await;

    for path in [
        "/graphql",
        "/graphql?query=",
        "/graphql?query=%7Ba%7D&variables=x",
    ] {
        assert_problem(get(&app, path).await, StatusCode::BAD_REQUEST).await;
    }
}

#[tokio::test]
async fn subscriptions_come_as_server_sent_events() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Completed).await;
    let created = BatchEventKind::BatchCreated {};
    fixture.event(batch, 1, created).await;
    fixture
        .event(batch, 2, BatchEventKind::BatchCancelled {})
        .await;
    let app = app(&fixture);
    let query = format!("subscription {{ batchProgress(batchId: \"{batch}\") {{ sequence }} }}");
    let body = json!({ "query": query }).to_string();
    let response = post(&app, "text/event-stream", &body).await;
    assert!(header_of(&response, header::CONTENT_TYPE).starts_with("text/event-stream"));
    let expected = "event: next\ndata: {\"data\":{\"batchProgress\":{\"sequence\":1}}}\n\n\
                    event: next\ndata: {\"data\":{\"batchProgress\":{\"sequence\":2}}}\n\n\
                    event: complete\ndata:\n\n";
    assert_eq!(text(response).await, expected);

    let response = post(&app, "application/json", &body).await;
    let refused = body_of(response).await;
    assert!(refused.get("data").is_none(), "{refused}");
}

#[tokio::test]
async fn an_invalid_document_ends_its_event_stream() {
    let fixture = Fixture::new().await;
    let app = app(&fixture);
    for document in ["{", "{ nothing }"] {
        let body = json!({ "query": document }).to_string();
        let events = text(post(&app, "text/event-stream", &body).await).await;
        assert!(
            events.starts_with("event: next\ndata: {\"errors\":"),
            "{events}"
        );
        assert!(events.ends_with("event: complete\ndata:\n\n"), "{events}");
    }
}
