//! Whose request it is.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};
use knowledge_domain::ids::OrganizationId;

/// The organisation that a request speaks for.
///
/// Handlers take it as an argument and pass it on; who authenticates requests changes this
/// extractor and nothing else.
pub(super) struct Tenant(pub(super) OrganizationId);

impl<S: Send + Sync> FromRequestParts<S> for Tenant {
    type Rejection = Infallible;

    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(OrganizationId::DEFAULT))
    }
}
