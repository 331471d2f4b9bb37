//! Errors in the log: once, where they are handled, with their causes.

use std::error::Error;

use crate::text::chain;

/// A request that failed by the server's own fault.
pub(crate) fn failed_request(error: &impl Error) {
    tracing::error!("a request failed: {}", chain(error));
}
