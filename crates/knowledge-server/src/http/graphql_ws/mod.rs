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
use knowledge_domain::Caller;

use self::{
    connection::{Connection, close, shake_hands},
    protocol::Close,
};
use super::{
    AppState, Problem,
    access::{Called, secret},
    host::is_same_origin,
};

#[cfg(test)]
pub(super) use self::connection::MAX_OPERATIONS;

const SUBPROTOCOL: &str = "graphql-transport-ws";

/// The longest message on a connection that was opened without a key, in bytes: they are read before
/// anybody knows who sends them.
const STRANGERS_LIMIT: usize = 1024 * 1024;

/// Takes a connection over, unless a foreign page opened it. A browser can name no key in headers:
/// one that names none is asked for it in `connection_init`.
pub(super) fn upgrade(
    state: AppState,
    caller: Result<Called, Problem>,
    headers: &HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    if !is_same_origin(headers, &state.hosts) {
        return Err(Problem::forbidden(
            "a WebSocket can be opened by pages of this server only; where a proxy names the server otherwise, add the name to KNOWLEDGE_ALLOWED_HOSTS",
        ));
    }
    let caller = match caller {
        Ok(Called(caller)) => Some(caller),
        Err(problem) if secret(headers).is_some() => return Err(problem),
        Err(_) => None,
    };
    let limit = match caller {
        Some(_) => state.limits.max_body_bytes,
        None => state.limits.max_body_bytes.min(STRANGERS_LIMIT),
    };
    Ok(upgrade
        .max_message_size(limit)
        .max_frame_size(limit)
        .protocols([SUBPROTOCOL])
        .on_upgrade(move |socket| serve(socket, state, caller)))
}

async fn serve(mut socket: WebSocket, state: AppState, caller: Option<Caller>) {
    let agreed = socket
        .protocol()
        .is_some_and(|protocol| protocol == SUBPROTOCOL);
    let reason = if agreed {
        Connection::new(&mut socket, &state, caller).run().await
    } else {
        Some(Close::SubprotocolNotAcceptable)
    };
    match reason {
        Some(reason) => close(&mut socket, reason).await,
        None => shake_hands(&mut socket).await,
    }
}
