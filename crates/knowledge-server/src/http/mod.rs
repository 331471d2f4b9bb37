//! The network faces: GraphQL over HTTP, SSE and WebSocket, progress as plain SSE, health, pages.
//!
//! Owns transports and nothing behind them: what is asked goes to [`crate::graphql`], what is
//! watched to [`crate::progress`].

mod access;
mod body;
mod graphql;
mod graphql_sse;
mod graphql_ws;
mod health;
mod host;
mod metrics;
mod negotiation;
mod pages;
mod problem;
mod progress;
mod segment;
mod server;
mod sse;
#[cfg(test)]
mod tests;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

pub use problem::Problem;
pub use server::serve;

use crate::{
    access::Access, config::AllowedHosts, graphql::Api, orchestrator::Orchestrator,
    progress::EventHub, store::Store,
};

/// What the network faces allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest body of a request, and the largest message of a WebSocket, in bytes.
    pub max_body_bytes: usize,
    /// How long a client may leave off in the middle of a body.
    pub body_timeout: Duration,
    /// The time between heartbeats of a silent stream.
    pub heartbeat: Duration,
    /// How long a client waits before it opens a plain stream anew that has broken.
    pub retry: Duration,
    /// How long a GraphQL query may take.
    pub query_timeout: Duration,
    /// How long a WebSocket may wait before it says `connection_init`.
    pub init_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 64 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            heartbeat: Duration::from_secs(15),
            retry: Duration::from_secs(2),
            query_timeout: Duration::from_secs(30),
            init_timeout: Duration::from_secs(10),
        }
    }
}

/// What every handler shares; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    api: Api,
    orchestrator: Orchestrator,
    access: Access,
    store: Store,
    hub: EventHub,
    limits: Limits,
    hosts: Arc<AllowedHosts>,
    shutdown: CancellationToken,
}

impl AppState {
    /// The state of a server that is never told to stop.
    #[must_use]
    pub fn new(
        store: Store,
        orchestrator: Orchestrator,
        access: Access,
        hub: EventHub,
        limits: Limits,
    ) -> Self {
        let api = Api::new(
            store.clone(),
            orchestrator.clone(),
            access.clone(),
            hub.clone(),
        );
        Self {
            api: api.with_timeout(limits.query_timeout),
            orchestrator,
            access,
            store,
            hub,
            limits,
            hosts: Arc::default(),
            shutdown: CancellationToken::new(),
        }
    }

    /// Answers to these names too, beside `localhost` and addresses.
    #[must_use]
    pub fn with_hosts(mut self, hosts: AllowedHosts) -> Self {
        self.hosts = Arc::new(hosts);
        self
    }

    /// Ends every open stream when the token is cancelled, so that a drain need not wait for
    /// subscribers: they reconnect and resume.
    #[must_use]
    pub fn with_shutdown(mut self, shutdown: CancellationToken) -> Self {
        self.shutdown = shutdown;
        self
    }
}

/// Every path that the server answers.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .route(
            "/api/knowledge/extraction/progress/{batch_id}",
            get(progress::batch),
        )
        .route(
            "/api/workflows/{execution_id}/progress",
            get(progress::workflow),
        )
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .route("/", get(pages::index))
        .route("/graphiql", get(pages::graphiql))
        .route("/assets/{*path}", get(pages::asset))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(
            state.clone(),
            refuse_large_bodies,
        ))
        .layer(middleware::from_fn_with_state(state.clone(), host::check))
        .layer(middleware::from_fn(survive))
        .layer(middleware::from_fn(metrics::count))
        .layer(middleware::map_response(harden))
        .with_state(state)
}

async fn unknown_path() -> Problem {
    Problem::not_found("there is nothing at this path")
}

async fn wrong_method() -> Problem {
    Problem::method_not_allowed("the path does not answer to this method")
}

/// Refuses a body that says it is too large, before any of it is read.
async fn refuse_large_bodies(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let limit = state.limits.max_body_bytes;
    if body::announced_length(request.headers()).is_some_and(|length| length > limit as u64) {
        return Problem::too_large(limit).into_response();
    }
    next.run(request).await
}

/// Answers for a handler that panicked; the panic itself is in the log.
async fn survive(request: Request, next: Next) -> Response {
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answer.unwrap_or_else(|_| Problem::internal().into_response())
}

/// What every answer says to browsers.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}
