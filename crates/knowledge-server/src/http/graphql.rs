//! GraphQL over HTTP: `POST` for everything, `GET` for queries and for the upgrade to WebSocket.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use async_graphql::{Request, Response as GraphqlResponse, ServerError, Value, Variables};
use axum::{
    body::{Body, Bytes},
    extract::{
        Query, State, WebSocketUpgrade, rejection::QueryRejection,
        ws::rejection::WebSocketUpgradeRejection,
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use knowledge_domain::Caller;
use serde::{Deserialize, Serialize};

use super::{
    AppState, Problem,
    access::Called,
    body, graphql_sse, graphql_ws,
    negotiation::{Format, accepted, is_json},
};
use crate::access::AccessError;
use crate::graphql::{Operation, Prepared, classify, is_request_error, prepare};

/// A body from which parsing is too long for a thread that serves others.
const LARGE_BODY: usize = 1024 * 1024;

/// Who sends a body for longer is asked once more who it is.
const RECENT: Duration = Duration::from_secs(1);

/// A request as the specification of GraphQL over HTTP has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameters {
    query: String,
    operation_name: Option<String>,
    variables: Option<Variables>,
    extensions: Option<HashMap<String, Value>>,
}

impl From<Parameters> for Request {
    fn from(parameters: Parameters) -> Self {
        let mut request = Self::new(parameters.query);
        request.operation_name = parameters.operation_name;
        request.variables = parameters.variables.unwrap_or_default();
        request.extensions.0 = parameters.extensions.unwrap_or_default();
        request
    }
}

/// The same in a query string, where what is structured is JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueryParameters {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
}

/// `POST /graphql`.
pub(super) async fn post(
    State(state): State<AppState>,
    Called(caller): Called,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if !is_json(&headers) {
        return Err(Problem::unsupported_media_type(
            "the body must be `application/json`",
        ));
    }
    let formats = formats(&headers)?;
    let begun = Instant::now();
    let body = body::read(body, state.limits.max_body_bytes, state.limits.body_timeout).await?;
    if begun.elapsed() > RECENT
        && !state
            .access
            .serves(caller)
            .await
            .map_err(AccessError::from)?
    {
        return Err(AccessError::Unknown.into());
    }
    let request = parse(body).await?;
    match prepare(request) {
        Ok(prepared) => Ok(run(&state, caller, &formats, prepared).await),
        Err(error) => Ok(refused(&state, caller, &formats, error)),
    }
}

/// `GET /graphql`.
pub(super) async fn get(
    State(state): State<AppState>,
    caller: Result<Called, Problem>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    headers: HeaderMap,
    query: Result<Query<QueryParameters>, QueryRejection>,
) -> Result<Response, Problem> {
    if headers.contains_key(header::UPGRADE) {
        let upgrade = upgrade.map_err(|error| Problem::bad_request(error.body_text()))?;
        return graphql_ws::upgrade(state, caller, &headers, upgrade);
    }
    let Called(caller) = caller?;
    let formats = formats(&headers)?;
    let Query(parameters) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    match prepare(from_query(parameters)?) {
        Ok(prepared) if prepared.operation() == Operation::Mutation => Err(Problem::post_only(
            "a mutation changes something; send it with POST",
        )),
        Ok(prepared) => Ok(run(&state, caller, &formats, prepared).await),
        Err(error) => Ok(refused(&state, caller, &formats, error)),
    }
}

fn formats(headers: &HeaderMap) -> Result<Vec<Format>, Problem> {
    let formats = accepted(headers);
    if formats.is_empty() {
        return Err(Problem::not_acceptable(
            "GraphQL is answered as `application/graphql-response+json`, `application/json` or \
             `text/event-stream`",
        ));
    }
    Ok(formats)
}

async fn parse(body: Bytes) -> Result<Request, Problem> {
    let large = body.len() > LARGE_BODY;
    let read = move || serde_json::from_slice::<Parameters>(&body).map(Request::from);
    let parsed = if large {
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|_| Problem::internal())?
    } else {
        read()
    };
    parsed.map_err(|error| {
        // The position and the nature of the mistake; never what was sent.
        let (line, column) = (error.line(), error.column());
        Problem::bad_request(format!(
            "the body is no GraphQL request (line {line}, column {column}); send a JSON object \
             with `query`"
        ))
    })
}

fn from_query(parameters: QueryParameters) -> Result<Request, Problem> {
    let Some(query) = parameters.query.filter(|query| !query.is_empty()) else {
        return Err(Problem::bad_request(
            "the parameter `query` is missing; an explorer is at /graphiql",
        ));
    };
    let variables = parameters
        .variables
        .filter(|variables| !variables.is_empty())
        .map(|variables| serde_json::from_str(&variables))
        .transpose()
        .map_err(|_| Problem::bad_request("the parameter `variables` is no JSON object"))?;
    Ok(Request::from(Parameters {
        query,
        operation_name: parameters.operation_name.filter(|name| !name.is_empty()),
        variables,
        extensions: None,
    }))
}

/// Runs a request and answers in the best format that fits the operation.
async fn run(state: &AppState, caller: Caller, formats: &[Format], prepared: Prepared) -> Response {
    let streamed = formats[0] == Format::EventStream
        || (prepared.operation() == Operation::Subscription
            && formats.contains(&Format::EventStream));
    if streamed {
        let results = state.api.execute_stream(caller, prepared);
        return graphql_sse::response(state, caller, results);
    }
    json(formats[0], &state.api.execute(caller, prepared).await)
}

/// Answers a request that does not reach the schema.
fn refused(state: &AppState, caller: Caller, formats: &[Format], error: ServerError) -> Response {
    let response = classify(GraphqlResponse::from_errors(vec![error]));
    if formats[0] == Format::EventStream {
        return graphql_sse::response(state, caller, stream::iter([response]));
    }
    json(formats[0], &response)
}

fn json(format: Format, response: &GraphqlResponse) -> Response {
    let (status, media_type) = match format {
        Format::GraphqlResponse => {
            let status = if is_request_error(response) {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::OK
            };
            (status, "application/graphql-response+json; charset=utf-8")
        }
        Format::Json | Format::EventStream => (StatusCode::OK, "application/json; charset=utf-8"),
    };
    match serde_json::to_vec(&Rendered::new(response)) {
        Ok(body) => {
            let headers = [
                (header::CONTENT_TYPE, media_type),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (status, headers, body).into_response()
        }
        Err(_) => Problem::internal().into_response(),
    }
}

/// A result on the wire: without `data` when nothing was executed.
#[derive(Serialize)]
pub(super) struct Rendered<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

impl<'a> Rendered<'a> {
    pub(super) fn new(response: &'a GraphqlResponse) -> Self {
        Self {
            errors: &response.errors,
            data: (!is_request_error(response)).then_some(&response.data),
        }
    }
}
