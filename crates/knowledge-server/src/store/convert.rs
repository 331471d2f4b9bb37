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

/// The classes of an entity and those above them as one text, each between bars: what a filter by
/// class looks through. No class has a bar in its name.
pub(crate) fn type_key(types: &[String], above: &[String]) -> String {
    let classes: Vec<&str> = types.iter().chain(above).map(String::as_str).collect();
    format!("|{}|", classes.join("|"))
}

/// The classes above an entity's own, from what [`type_key`] made.
pub(crate) fn classes_above(type_key: &str, types: &[String]) -> Vec<String> {
    let classes = type_key.split('|').filter(|class| !class.is_empty());
    let above = classes.filter(|class| !types.iter().any(|own| own == class));
    above.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_read_back_from_their_key() {
        let names = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let key = type_key(&names(&["Car", "Ferry"]), &names(&["Service", "Vessel"]));
        assert_eq!(key, "|Car|Ferry|Service|Vessel|");
        let above = classes_above(&key, &names(&["Car", "Ferry"]));
        assert_eq!(above, ["Service", "Vessel"]);
        assert!(classes_above("|Person|", &names(&["Person"])).is_empty());
    }
}
