use std::fmt::Write as _;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// A name without what does not distinguish: case, accents, width, punctuation, spacing, and a
/// leading article.
#[must_use]
pub fn normalise(name: &str) -> String {
    let mut words = String::with_capacity(name.len());
    let mut gap = false;
    for char in name.nfkd().filter(|char| !is_combining_mark(*char)) {
        if char.is_alphanumeric() {
            if gap && !words.is_empty() {
                words.push(' ');
            }
            gap = false;
            words.extend(char.to_lowercase());
        } else if !matches!(char, '\'' | '’' | '.') {
            gap = true;
        }
    }
    match words.strip_prefix("the ") {
        Some(rest) => rest.to_owned(),
        None if words.is_empty() => name.trim().to_owned(),
        None => words,
    }
}

/// What two entities must agree on to be the same: types and normalised name.
#[must_use]
pub fn cluster_key(name: &str, types: &[String]) -> String {
    let mut types: Vec<&str> = types.iter().map(String::as_str).collect();
    types.sort_unstable();
    types.dedup();
    let mut key = types.join("+");
    let _ = write!(key, ":{}", normalise(name));
    key
}
