//! Pages for browsers, every part of them from this binary.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::{Problem, segment::Segment};

/// Scripts, styles, workers and connections from here only. The editor sets styles by itself and
/// carries its icons and its font in `data:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self' blob:; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Names of built assets carry a hash of their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// `GET /`.
pub(super) async fn index() -> Response {
    page(knowledge_web::index().into_owned())
}

/// `GET /graphiql`.
pub(super) async fn graphiql() -> Response {
    page(knowledge_web::graphiql().into_owned())
}

/// `GET /assets/{path}`.
pub(super) async fn asset(Segment(path): Segment) -> Result<Response, Problem> {
    let asset = knowledge_web::asset(&format!("assets/{path}"))
        .ok_or_else(|| Problem::not_found("there is no such asset"))?;
    let media_type = HeaderValue::from_str(&asset.media_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, HeaderValue::from_static(FOR_EVER)),
    ];
    Ok((headers, asset.content.into_owned()).into_response())
}

fn page(content: Vec<u8>) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    (HEADERS, content).into_response()
}
