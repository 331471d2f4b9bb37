//! From columns to the domain's types.

use std::str::FromStr;

use crate::store::StoreError;

/// A name that the domain knows.
pub(super) fn name<T: FromStr>(column: &'static str, value: &str) -> Result<T, StoreError> {
    value
        .parse()
        .map_err(|_| StoreError::corrupt(format!("an unknown {column}")))
}

/// A name that may be absent.
pub(super) fn optional_name<T: FromStr>(
    column: &'static str,
    value: Option<&str>,
) -> Result<Option<T>, StoreError> {
    value.map(|value| name(column, value)).transpose()
}

/// A count; no release writes a negative one.
pub(super) fn count(column: &'static str, value: i32) -> Result<u32, StoreError> {
    u32::try_from(value).map_err(|_| StoreError::corrupt(format!("a negative {column}")))
}

/// A count of 64 bits; no release writes a negative one.
pub(super) fn long_count(column: &'static str, value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::corrupt(format!("a negative {column}")))
}
