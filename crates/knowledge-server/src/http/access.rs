//! Whose request it is.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use knowledge_domain::{Caller, Role};

use super::{AppState, Problem};
use crate::access::AccessError;

const SCHEME: &str = "bearer";

/// Who calls, by the key in `Authorization`; refused with 401 where the server asks for a key and
/// none that holds is there.
pub(super) struct Called(pub(super) Caller);

/// The same, of somebody who may read what operators want to know.
pub(super) struct Operator;

impl FromRequestParts<AppState> for Called {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = state.access.caller(secret(&parts.headers)).await;
        caller.map(Self).map_err(Problem::from)
    }
}

impl FromRequestParts<AppState> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Called(caller) = Called::from_request_parts(parts, state).await?;
        if caller.role < Role::Admin {
            return Err(Problem::forbidden("this takes a key of role `admin`"));
        }
        Ok(Self)
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Missing | AccessError::Unknown => Self::unauthorized(error.to_string()),
            AccessError::Store(error) => {
                crate::log::failed_request(&error);
                Self::internal()
            }
        }
    }
}

/// The secret that the headers of a request name.
pub(super) fn secret(headers: &HeaderMap) -> Option<&str> {
    bearer(headers.get(header::AUTHORIZATION)?.to_str().ok()?)
}

/// The secret in `Bearer KEY`; none in what is of another scheme, as a proxy may add.
pub(super) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, secret) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(secret.trim())
}
