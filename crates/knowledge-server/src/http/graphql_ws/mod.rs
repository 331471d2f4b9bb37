//! The subprotocol `graphql-transport-ws`.
//!
//! One task serves a connection: it reads messages and polls the operations in turn, so a client
//! that does not read holds back its own operations and nothing else.

mod connection;
mod protocol;

use axum::{
    extract::{WebSocketUpgrade, ws::WebSocket},
    http::HeaderMap,
    response::Response,
};
use knowledge_domain::ids::OrganizationId;

use self::{
    connection::{Connection, close, shake_hands},
    protocol::Close,
};
use super::{AppState, Problem, host::is_same_origin};

#[cfg(test)]
pub(super) use self::connection::MAX_OPERATIONS;

const SUBPROTOCOL: &str = "graphql-transport-ws";

/// Takes a connection over, unless a foreign page opened it.
pub(super) fn upgrade(
    state: AppState,
    organization: OrganizationId,
    headers: &HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    if !is_same_origin(headers, &state.hosts) {
        return Err(Problem::forbidden(
            "a WebSocket can be opened by pages of this server only; where a proxy names the server otherwise, add the name to KNOWLEDGE_ALLOWED_HOSTS",
        ));
    }
    let limit = state.limits.max_body_bytes;
    Ok(upgrade
        .max_message_size(limit)
        .max_frame_size(limit)
        .protocols([SUBPROTOCOL])
        .on_upgrade(move |socket| serve(socket, state, organization)))
}

async fn serve(mut socket: WebSocket, state: AppState, organization: OrganizationId) {
    let agreed = socket
        .protocol()
        .is_some_and(|protocol| protocol == SUBPROTOCOL);
    let reason = if agreed {
        Connection::new(&mut socket, &state, organization)
            .run()
            .await
    } else {
        Some(Close::SubprotocolNotAcceptable)
    };
    match reason {
        Some(reason) => close(&mut socket, reason).await,
        None => shake_hands(&mut socket).await,
    }
}
