//! Whether the process lives, and whether it can serve.

use std::time::Duration;

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{AppState, Problem};

/// A database that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// `GET /livez`: as long as this is answered, a restart would gain nothing.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// `GET /readyz`: the database answers, its schema is this release's, and workflows can be run.
pub(super) async fn ready(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    if state.shutdown.is_cancelled() || !state.orchestrator.is_ready() {
        return Err(Problem::unavailable("the server is draining"));
    }
    match tokio::time::timeout(PATIENCE, state.store.ready()).await {
        Ok(Ok(())) => match state.orchestrator.engine_ready().await {
            Ok(()) => Ok(Json(json!({ "status": "ready" }))),
            Err(reason) => Err(Problem::unavailable(reason)),
        },
        Ok(Err(error)) => {
            crate::log::failed_request(&error);
            Err(Problem::unavailable(error.to_string()))
        }
        Err(_) => Err(Problem::unavailable("the database does not answer")),
    }
}
