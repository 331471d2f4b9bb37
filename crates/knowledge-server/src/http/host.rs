//! The names that the server answers to.
//!
//! A page of any site can have that site's name lead to this machine (DNS rebinding). The browser
//! then takes this server for the site, and lets the page do and read everything here, whatever the
//! server says of origins. What gives it away is `Host`, which still names the site. So the server
//! answers to addresses, which no name server can make lead elsewhere, to `localhost`, and to the
//! names that it is told.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{AppState, Problem};
use crate::config::AllowedHosts;

/// Refuses a request to a name that is not this server's. Only old clients, and no browser, name
/// none.
pub(super) async fn check(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match refusal(&request, &state.hosts) {
        None => next.run(request).await,
        Some(problem) => problem.into_response(),
    }
}

fn refusal(request: &Request, hosts: &AllowedHosts) -> Option<Problem> {
    let mut named = request.headers().get_all(header::HOST).iter();
    let (host, another) = (named.next(), named.next());
    if another.is_some() {
        return Some(Problem::bad_request("the request names several hosts"));
    }
    let host = match host.map(|host| Authority::try_from(host.as_bytes())) {
        Some(Err(_)) => return Some(Problem::bad_request("`Host` is no name of a host")),
        Some(Ok(host)) => Some(host),
        None => None,
    };
    // HTTP/2, and requests that are written for a proxy, name it in the URI.
    let named = [host.as_ref(), request.uri().authority()];
    let strange = named
        .into_iter()
        .flatten()
        .find(|host| !is_own(host, hosts));
    strange.map(|host| misdirected(host.host()))
}

fn misdirected(host: &str) -> Problem {
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        format!(
            "this server does not know itself as `{host}`; if that is a name of it, add it to \
             KNOWLEDGE_ALLOWED_HOSTS"
        ),
    )
}

/// Whether a name with or without a port is this server's.
fn is_own(host: &Authority, hosts: &AllowedHosts) -> bool {
    if host.as_str().contains('@') {
        return false;
    }
    let name = host.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok() || is_local(name) || hosts.names(host)
}

/// `localhost` and what is below it, which browsers ask no name server for.
fn is_local(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether no page opened a connection, or a page of this server. Browsers let any page open a
/// WebSocket and say in `Origin` which one did; other clients say nothing. A proxy may have put
/// another name in `Host` than the browser asked for.
pub(super) fn is_same_origin(headers: &HeaderMap, hosts: &AllowedHosts) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"))
        .and_then(|(_, origin)| origin.parse::<Authority>().ok());
    let Some(origin) = origin else {
        return false;
    };
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    host.is_some_and(|host| origin.as_str().eq_ignore_ascii_case(host)) || hosts.names(&origin)
}
