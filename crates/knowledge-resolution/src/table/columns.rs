//! Tables as they are compared: words by number, columns by what they hold.

use std::collections::HashMap;

use super::Record;
use crate::{lexicon, name};

/// A word, by its number.
pub(super) type Word = u32;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Words.
    Text,
    /// Years.
    Years,
    /// Other numbers, that may be near each other.
    Amounts,
}

/// A value of a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Value {
    /// Its words in their order.
    pub(super) words: Vec<Word>,
    /// Its number, in a column of numbers.
    pub(super) number: Option<f64>,
    /// What its words say together.
    pub(super) weight: f32,
}

/// What is known of a word.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) chars: Box<[char]>,
    /// Whether a number, or a code of letters and digits.
    pub(super) code: bool,
    /// Rows that have it.
    pub(super) rows: u32,
    /// How much it says: the logarithm of how rare it is.
    pub(super) weight: f32,
}

/// Both tables; rows of the right one come after those of the left.
#[derive(Debug)]
pub(super) struct Corpus {
    /// What each column holds.
    pub(super) columns: Vec<Holds>,
    pub(super) words: Vec<Known>,
    /// Values by row and column.
    pub(super) rows: Vec<Vec<Value>>,
    /// Rows of the left table.
    pub(super) left: usize,
}

impl Corpus {
    pub(super) fn new(left: &[Record], right: &[Record]) -> Self {
        let records = || left.iter().chain(right);
        let width = records()
            .map(|record| record.values.len())
            .max()
            .unwrap_or(0);
        let holds: Vec<Holds> = (0..width)
            .map(|column| {
                holds(records().filter_map(|record| record.values.get(column).map(String::as_str)))
            })
            .collect();
        let mut numbers: HashMap<String, Word> = HashMap::new();
        let mut words: Vec<Known> = Vec::new();
        let mut rows = Vec::with_capacity(left.len() + right.len());
        for record in records() {
            let values = (0..width).map(|column| {
                let text = record.values.get(column).map_or("", String::as_str);
                value(text, holds[column], &mut numbers, &mut words)
            });
            rows.push(values.collect::<Vec<_>>());
        }
        count(&rows, &mut words);
        weigh(&mut rows, &mut words);
        Self {
            columns: holds,
            left: left.len(),
            words,
            rows,
        }
    }

    /// The place of a row of the right table among all rows.
    pub(super) fn place_of_right(&self, right: u32) -> u32 {
        if self.left == self.rows.len() {
            return right;
        }
        right + u32::try_from(self.left).unwrap_or(u32::MAX)
    }
}

/// What a column holds, by what most of its values are. Whole numbers that are no years are codes,
/// which are as different as words.
fn holds<'a>(values: impl Iterator<Item = &'a str>) -> Holds {
    let (mut all, mut numbers, mut years, mut fractions) = (0_usize, 0_usize, 0_usize, 0_usize);
    for value in values.filter(|value| !value.trim().is_empty()) {
        all += 1;
        if let Some(number) = number(value) {
            let whole = (number - number.round()).abs() < f64::EPSILON;
            numbers += 1;
            fractions += usize::from(!whole);
            years += usize::from(whole && (1500.0..2100.0).contains(&number));
        }
    }
    if all == 0 || numbers * 10 < all * 9 {
        Holds::Text
    } else if years * 10 >= all * 9 {
        Holds::Years
    } else if fractions * 10 >= all {
        Holds::Amounts
    } else {
        Holds::Text
    }
}

/// The number that a value is, with or without a currency.
fn number(value: &str) -> Option<f64> {
    let bare = value.trim().trim_start_matches(['$', '€', '£']).trim();
    let bare = bare.replace(',', "");
    let plain = bare.chars().all(|c| c.is_ascii_digit() || c == '.');
    plain.then(|| bare.parse().ok()).flatten()
}

fn value(
    text: &str,
    holds: Holds,
    numbers: &mut HashMap<String, Word>,
    words: &mut Vec<Known>,
) -> Value {
    let folded = name::words(text);
    let words = folded.into_iter().map(|word| {
        let next = Word::try_from(words.len()).unwrap_or(Word::MAX);
        *numbers.entry(word).or_insert_with_key(|word| {
            words.push(Known {
                chars: word.chars().collect(),
                code: lexicon::is_number(word),
                rows: 0,
                weight: 0.0,
            });
            next
        })
    });
    Value {
        words: words.collect(),
        number: if holds == Holds::Text {
            None
        } else {
            number(text)
        },
        weight: 0.0,
    }
}

fn count(rows: &[Vec<Value>], words: &mut [Known]) {
    let mut seen: Vec<Word> = Vec::new();
    for row in rows {
        seen.clear();
        seen.extend(row.iter().flat_map(|value| &value.words));
        seen.sort_unstable();
        seen.dedup();
        for word in &seen {
            words[*word as usize].rows += 1;
        }
    }
}

fn weigh(rows: &mut [Vec<Value>], words: &mut [Known]) {
    let all = rows.len() as f32;
    for word in words.iter_mut() {
        word.weight = (1.0 + all / word.rows.max(1) as f32).ln();
    }
    for value in rows.iter_mut().flatten() {
        let weights = value.words.iter().map(|word| words[*word as usize].weight);
        value.weight = weights.sum();
    }
}
