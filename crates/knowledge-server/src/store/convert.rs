//! Between the columns' plain values and the domain's types.

use serde::{Serialize, de::DeserializeOwned};
use std::str::FromStr;

use super::StoreError;

/// A domain value as JSON.
pub(crate) fn to_json(value: &impl Serialize) -> Result<serde_json::Value, StoreError> {
    serde_json::to_value(value)
        .map_err(|error| StoreError::corrupt(format!("a value that has no JSON form ({error})")))
}

/// A domain value from a JSON column.
pub(crate) fn from_json<T: DeserializeOwned>(
    column: &str,
    value: serde_json::Value,
) -> Result<T, StoreError> {
    serde_json::from_value(value)
        .map_err(|_| StoreError::corrupt(format!("an unknown value in {column}")))
}

/// A domain name (a status, a stage) from a text column.
pub(crate) fn from_text<T: FromStr>(column: &str, value: &str) -> Result<T, StoreError> {
    value
        .parse()
        .map_err(|_| StoreError::corrupt(format!("an unknown value in {column}")))
}

/// A count for a big integer column; one that does not fit is kept at the column's limit.
pub(crate) fn long(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count for an integer column; one that does not fit is kept at the column's limit.
pub(crate) fn count(value: impl TryInto<i32>) -> i32 {
    value.try_into().unwrap_or(i32::MAX)
}
