//! Errors in the log: once, where they are handled, with their causes.

use std::error::Error;

/// A request that failed by the server's own fault.
pub(crate) fn failed_request(error: &impl Error) {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    tracing::error!(error = %error, causes = causes.join(": "), "a request failed");
}
