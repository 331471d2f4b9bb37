//! The subprotocol `graphql-transport-ws`.
//!
//! One task serves a connection: it reads messages and polls the operations in turn, so a client
//! that does not read holds back its own operations and nothing else.

mod connection;
mod protocol;

use axum::{
    extract::{WebSocketUpgrade, ws::WebSocket},
    http::{HeaderMap, header},
    response::Response,
};
use knowledge_domain::ids::OrganizationId;

use self::{
    connection::{Connection, close, shake_hands},
    protocol::Close,
};
use super::{AppState, Problem};

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
    if !same_origin(headers) {
        return Err(Problem::forbidden(
            "a WebSocket can be opened by pages of this server only",
        ));
    }
    let limit = state.limits.max_body_bytes;
    Ok(upgrade
        .max_message_size(limit)
        .max_frame_size(limit)
        .protocols([SUBPROTOCOL])
        .on_upgrade(move |socket| serve(socket, state, organization)))
}

/// Whether no page opened it, or a page of this host. Browsers let any page open a WebSocket and
/// say in `Origin` which one did; other clients say nothing.
fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    match (origin, host) {
        (Some((_, origin)), Some(host)) => origin.eq_ignore_ascii_case(host),
        _ => false,
    }
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
