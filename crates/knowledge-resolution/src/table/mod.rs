//! Resolution of tables: which rows of one table, or of two, mean the same.
//!
//! Nothing is known of the columns but their values. How much a value says is how rare it is among
//! all values; how good a match must be is read off the second best matches, which in a source
//! without duplicates are all wrong (see `threshold`).

mod assign;
mod columns;
mod search;
mod similar;
mod threshold;

use serde::Serialize;

use columns::Corpus;

/// A row: its id and its values by column; an empty value is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The id, as it is given back.
    pub id: String,
    /// The values.
    pub values: Vec<String>,
}

/// Two rows that mean the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Link {
    /// The id of the left row.
    pub left: String,
    /// The id of the right row.
    pub right: String,
    /// How sure, 0..1.
    pub confidence: f64,
    /// What agrees, the column that says most first: `1:0.98 3:1.00`, columns from 1.
    pub reason: String,
}

/// A pair of rows, by their places, with how alike they are.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pair {
    left: u32,
    right: u32,
    score: f64,
}

/// The rows of `left` that mean the same as a row of `right`, or without one of `left` itself.
/// Links come sorted by the places of their rows.
#[must_use]
pub fn link_tables(left: &[Record], right: Option<&[Record]>) -> Vec<Link> {
    let corpus = Corpus::new(left, right.unwrap_or_default());
    let pairs = search::candidates(&corpus, right.is_none());
    let chosen = match right {
        Some(_) => assign::between(&corpus, &pairs),
        None => assign::within(&corpus, &pairs),
    };
    let records = |place: u32| match right {
        Some(right) => &right[place as usize],
        None => &left[place as usize],
    };
    let links = chosen.into_iter().map(|pair| Link {
        left: left[pair.left as usize].id.clone(),
        right: records(pair.right).id.clone(),
        confidence: (pair.score * 1e4).round() / 1e4,
        reason: similar::reason(&corpus, pair.left, corpus.place_of_right(pair.right)),
    });
    links.collect()
}

#[cfg(test)]
mod tests;
