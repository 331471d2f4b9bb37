//! The variable part of a path.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use super::Problem;

/// What stands in the path where its route has a variable.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(segment)) => Ok(Self(segment)),
            Err(error) => Err(Problem::bad_request(error.body_text())),
        }
    }
}
