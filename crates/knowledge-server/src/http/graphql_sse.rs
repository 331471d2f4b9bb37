//! GraphQL over server-sent events, in the mode of distinct connections.

use async_graphql::Response as GraphqlResponse;
use axum::response::Response;
use futures::{Stream, StreamExt, future, stream};

use knowledge_domain::Caller;

use super::{
    AppState,
    graphql::Rendered,
    sse::{self, Frame},
};

/// A response of one `next` a result and a `complete` at the end.
pub(super) fn response(
    state: &AppState,
    caller: Caller,
    results: impl Stream<Item = GraphqlResponse> + Send + 'static,
) -> Response {
    let next = |result| future::ready(Frame::json(None, "next", &Rendered::new(&result)));
    let complete = stream::iter([Frame::empty("complete")]);
    sse::response(
        state,
        caller,
        "graphql-sse",
        results.filter_map(next).chain(complete),
    )
}
