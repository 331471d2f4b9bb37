//! `/metrics`, and what is counted of every request.

use std::time::Duration;

use axum::{
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::{Instant, timeout};

use super::{AppState, access::Operator};
use crate::{
    metrics::{self, REQUEST_SECONDS, REQUESTS},
    store::read::Census,
};

/// A database that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// `GET /metrics`: what the process counts and, where the database answers, what that has.
pub(super) async fn show(State(state): State<AppState>, _: Operator) -> Response {
    let mut text = metrics::text();
    let census = match timeout(PATIENCE, state.store.census()).await {
        Ok(census) => census.inspect_err(crate::log::failed_request).ok(),
        Err(_) => None,
    };
    let up = ("knowledge_database_up", "Whether the database answers.");
    metrics::asked(
        &mut text,
        up,
        "kind",
        [(database(&state), u64::from(census.is_some()))],
    );
    if let Some(census) = census {
        write_census(&mut text, &census);
    }
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, media_type)], text).into_response()
}

fn database(state: &AppState) -> &'static str {
    if state.store.can_notify() {
        "postgres"
    } else {
        "sqlite"
    }
}

fn write_census(text: &mut String, census: &Census) {
    let batches = ("knowledge_batches", "Batches by their state.");
    let counted = census.batches.iter();
    let counted = counted.map(|(stage, number)| (<&str>::from(stage), *number));
    metrics::asked(text, batches, "stage", counted);
    let documents = (
        "knowledge_documents",
        "Unsettled documents of unfinished batches by what they are doing.",
    );
    let counts = census.documents;
    let counted = [
        ("waiting", counts.waiting),
        ("chunk", counts.chunk),
        ("mentions", counts.mentions),
        ("entities", counts.entities),
        ("relations", counts.relations),
        ("assemble", counts.assemble),
    ];
    let counted = counted.map(|(stage, number)| (stage, u64::from(number)));
    metrics::asked(text, documents, "stage", counted);
}

/// Counts a request by its route, so that ids do not become labels.
pub(super) async fn count(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let method = match request.method().as_str() {
        known @ ("GET" | "POST" | "HEAD" | "OPTIONS") => known.to_owned(),
        _ => "other".to_owned(),
    };
    let begun = Instant::now();
    let response = next.run(request).await;
    REQUEST_SECONDS.observe(begun.elapsed());
    REQUESTS.add(&[&method, &path, response.status().as_str()]);
    response
}
