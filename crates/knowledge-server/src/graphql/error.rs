//! Errors of a request: what a client may know of them, and by which code.

use std::time::Duration;

use async_graphql::{Error, ErrorExtensions, Response, ServerError, Value};

use knowledge_domain::Role;

use crate::store::StoreError;

const INTERNAL: &str = "INTERNAL";
const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
const NOT_FOUND: &str = "NOT_FOUND";
const UNAVAILABLE: &str = "UNAVAILABLE";
const TIMEOUT: &str = "TIMEOUT";
const FORBIDDEN: &str = "FORBIDDEN";
const INVALID_REQUEST: &str = "INVALID_REQUEST";

fn coded(message: impl Into<String>, code: &'static str) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}

/// An error that is the server's: logged with its causes here and nowhere else, told as nothing.
pub(super) fn internal(error: &StoreError) -> Error {
    crate::log::failed_request(error);
    coded("internal error", INTERNAL)
}

/// An argument that cannot be used.
pub(super) fn bad_input(message: impl Into<String>) -> Error {
    coded(message, BAD_USER_INPUT)
}

/// Something that the organisation does not have.
pub(super) fn not_found(message: impl Into<String>) -> Error {
    coded(message, NOT_FOUND)
}

/// The server is about to stop.
pub(super) fn unavailable(message: impl Into<String>) -> Error {
    coded(message, UNAVAILABLE)
}

/// A mutation that the caller's key does not allow; nothing of it is executed.
pub(super) fn forbidden(role: Role, least: Role) -> Response {
    let mut error = ServerError::new(not_allowed(role, least), None);
    with_code(&mut error, FORBIDDEN);
    Response::from_errors(vec![error])
}

/// A field that the caller's key does not allow.
pub(super) fn forbidden_field(role: Role, least: Role) -> Error {
    coded(not_allowed(role, least), FORBIDDEN)
}

fn not_allowed(role: Role, least: Role) -> String {
    format!("a key of role `{role}` does not allow this; it takes `{least}`")
}

/// Whether nothing was executed: the document did not parse or was not valid.
pub(crate) fn is_request_error(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
        && !has_code(response, TIMEOUT)
        && !has_code(response, FORBIDDEN)
}

/// Whether the server failed: what a stream has not delivered by then, it never will.
pub(crate) fn has_failed(response: &Response) -> bool {
    has_code(response, INTERNAL)
}

fn has_code(response: &Response, code: &str) -> bool {
    response.errors.iter().any(|error| {
        let extensions = error.extensions.as_ref();
        matches!(
            extensions.and_then(|extensions| extensions.get("code")),
            Some(Value::String(found)) if found == code
        )
    })
}

/// A query that took too long.
pub(super) fn timed_out(limit: Duration) -> Response {
    let mut error = ServerError::new(
        format!(
            "the operation took longer than {} s; ask for less",
            limit.as_secs()
        ),
        None,
    );
    with_code(&mut error, TIMEOUT);
    Response::from_errors(vec![error])
}

/// Gives every error a code: those without one come from parsing, validation and coercion.
pub(crate) fn classify(mut response: Response) -> Response {
    let code = if is_request_error(&response) {
        INVALID_REQUEST
    } else {
        BAD_USER_INPUT
    };
    for error in &mut response.errors {
        with_code(error, code);
    }
    response
}

/// Sets the code of an error that has none.
fn with_code(error: &mut ServerError, code: &'static str) {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", code);
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::DbErr;

    use super::*;

    #[test]
    fn the_database_is_not_quoted_to_clients() {
        let error = StoreError::Database(DbErr::Custom("SELECT secret FROM entity".to_owned()));
        let told = internal(&error);
        assert_eq!(told.message, "internal error");
        assert!(!format!("{told:?}").contains("SELECT"));
    }
}
