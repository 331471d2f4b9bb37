//! GraphQL over server-sent events, in the mode of distinct connections.

use async_graphql::Response as GraphqlResponse;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response, sse::Event},
};
use futures::{Stream, StreamExt, stream};

use super::{AppState, graphql::Rendered, sse};

/// A response of one `next` a result and a `complete` at the end.
pub(super) fn response(
    state: &AppState,
    results: impl Stream<Item = GraphqlResponse> + Send + 'static,
) -> Response {
    let complete = stream::iter([Event::default().event("complete").data("")]);
    let results = results.filter_map(async |result| next(&result));
    let mut response = sse::response(state, results.chain(complete));
    *response.status_mut() = StatusCode::OK;
    response.into_response()
}

fn next(result: &GraphqlResponse) -> Option<Event> {
    Event::default()
        .event("next")
        .json_data(Rendered::new(result))
        .ok()
}
