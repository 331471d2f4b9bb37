//! How alike two rows are.

use rapidfuzz::distance::osa;

use super::columns::{Corpus, Holds, Known, Value, Word};

/// Words of a value that are looked at one by one.
const MAX_WORDS: usize = 120;

/// Rows that are less alike than this, or more, are not looked at as a whole.
const UNSURE: std::ops::Range<f64> = 0.3..0.9;

/// How alike two rows are, 0..1: the mean over the columns that both know, weighted by what their
/// values say, less where that is little. Where it is unclear, values may be in other columns.
pub(super) fn similarity(corpus: &Corpus, left: u32, right: u32) -> f64 {
    let (mut sum, mut weights, mut said) = (0.0, 0.0, 0.0);
    let (mut numbered, mut worst) = (false, 1.0_f64);
    for column in 0..corpus.columns.len() {
        let Some(found) = column_similarity(corpus, column, left, right) else {
            continue;
        };
        sum += found.weight * found.value;
        weights += found.weight;
        said += f64::from(found.matched);
        numbered |= found.numbered;
        if !found.numbered {
            worst = worst.min(found.value);
        }
    }
    if weights == 0.0 {
        return 0.0;
    }
    if numbered && worst > 0.95 {
        // Nothing but a number tells them apart, so it does.
        return sum / weights / 2.0;
    }
    let enough = (corpus.rows.len().max(2) as f64).ln() + 1.0;
    let value = sum / weights * (said / enough).min(1.0);
    if UNSURE.contains(&value) {
        value.max(as_a_whole(corpus, left, right) * MOVED)
    } else {
        value
    }
}

/// What it costs that values are in other columns.
const MOVED: f64 = 0.9;

/// How alike all words of two rows are, whatever their columns.
fn as_a_whole(corpus: &Corpus, left: u32, right: u32) -> f64 {
    let whole = |row: u32| {
        let mut whole = Value::default();
        for value in &corpus.rows[row as usize] {
            whole.words.extend_from_slice(&value.words);
            whole.weight += value.weight;
        }
        whole
    };
    words_similarity(&corpus.words, &whole(left), &whole(right)).value
}

/// How alike a column of two rows is.
struct Found {
    /// 0..1.
    value: f64,
    /// What their common words say.
    matched: f32,
    /// How much it counts.
    weight: f64,
    /// Whether both have a number, or a code, that the other has not, and nothing else differs.
    numbered: bool,
}

/// What agrees, the column that says most first.
pub(super) fn reason(corpus: &Corpus, left: u32, right: u32) -> String {
    let columns = 0..corpus.columns.len();
    let mut agreeing: Vec<(usize, Found)> = columns
        .filter_map(|column| Some((column + 1, column_similarity(corpus, column, left, right)?)))
        .filter(|(_, found)| found.value > 0.0)
        .collect();
    let says = |found: &Found| found.value * found.weight;
    agreeing.sort_by(|one, other| {
        says(&other.1)
            .total_cmp(&says(&one.1))
            .then(one.0.cmp(&other.0))
    });
    let parts = agreeing
        .iter()
        .map(|(column, found)| format!("{column}:{:.2}", found.value));
    parts.collect::<Vec<_>>().join(" ")
}

/// `None` where one of the rows does not know the column. Ten words do not say ten times as much as
/// one, for they are not independent; and equal things differ in amounts.
fn column_similarity(corpus: &Corpus, column: usize, left: u32, right: u32) -> Option<Found> {
    let (left, right) = (
        &corpus.rows[left as usize][column],
        &corpus.rows[right as usize][column],
    );
    if left.words.is_empty() || right.words.is_empty() {
        return None;
    }
    let said = f64::from(left.weight + right.weight) / 2.0;
    let holds = corpus.columns[column];
    let found = match (holds, left.number, right.number) {
        (Holds::Years, Some(one), Some(other)) => {
            let value = match (one - other).abs() {
                apart if apart < 0.5 => 1.0,
                apart if apart < 1.5 => 0.5,
                _ => 0.0,
            };
            numbers(value, left)
        }
        (Holds::Amounts, Some(one), Some(other)) => {
            let largest = one.abs().max(other.abs());
            let apart = if largest > 0.0 {
                (one - other).abs() / largest
            } else {
                0.0
            };
            numbers((1.0 - apart * 2.0).max(0.0), left)
        }
        _ => words_similarity(&corpus.words, left, right),
    };
    let share = if holds == Holds::Amounts { 0.5 } else { 1.0 };
    Some(Found {
        weight: share * said.sqrt(),
        ..found
    })
}

fn numbers(value: f64, of: &Value) -> Found {
    Found {
        value,
        matched: if value > 0.999 { of.weight } else { 0.0 },
        weight: 0.0,
        numbered: false,
    }
}

fn words_similarity(words: &[Known], left: &Value, right: &Value) -> Found {
    if left.words == right.words {
        return numbers(1.0, left);
    }
    let matching = Matching::new(words, &left.words, &right.words);
    let numbered = matching.numbered();
    let matched = matching.matched();
    let (small, sum) = (left.weight.min(right.weight), left.weight + right.weight);
    let dice = if sum > 0.0 {
        (2.0 * matched / sum).min(1.0)
    } else {
        0.0
    };
    let contained = if small > 0.0 {
        (matched / small).min(1.0)
    } else {
        0.0
    };
    let value = 0.75 * dice + 0.25 * contained;
    Found {
        value: f64::from(if numbered { value * 0.6 } else { value }),
        matched,
        weight: 0.0,
        numbered,
    }
}

/// The words of two values that have no partner yet.
struct Matching<'a> {
    known: &'a [Known],
    left: Vec<Word>,
    right: Vec<Word>,
    matched: f32,
}

impl<'a> Matching<'a> {
    fn new(known: &'a [Known], left: &[Word], right: &[Word]) -> Self {
        let cut = |words: &[Word]| words[..words.len().min(MAX_WORDS)].to_vec();
        let (left, mut right) = (cut(left), cut(right));
        let mut matched = 0.0;
        let mut rest = Vec::new();
        for word in left {
            if let Some(at) = right.iter().position(|other| *other == word) {
                right.remove(at);
                matched += known[word as usize].weight;
            } else {
                rest.push(word);
            }
        }
        Self {
            known,
            left: rest,
            right,
            matched,
        }
    }

    /// Whether both have numbers or codes without a partner, and nothing else without one.
    fn numbered(&self) -> bool {
        let codes = |words: &[Word]| {
            !words.is_empty() && words.iter().all(|word| self.known[*word as usize].code)
        };
        let near = |one: &Word| {
            let near = |other: &Word| {
                alike(&self.known[*one as usize], &self.known[*other as usize]) > 0.0
            };
            self.right.iter().any(near)
        };
        self.matched > 0.0 && codes(&self.left) && codes(&self.right) && !self.left.iter().any(near)
    }

    fn matched(mut self) -> f32 {
        let (left, right) = (
            std::mem::take(&mut self.left),
            std::mem::take(&mut self.right),
        );
        let (left, right) = self.joined(left, right);
        let (right, left) = self.joined(right, left);
        self.nearly(&left, right);
        self.matched
    }

    /// Words of the one that the other writes as two.
    fn joined(&mut self, whole: Vec<Word>, mut parts: Vec<Word>) -> (Vec<Word>, Vec<Word>) {
        let mut rest = Vec::new();
        for word in whole {
            let chars = &self.known[word as usize].chars;
            let found = parts.windows(2).position(|pair| {
                let [one, other] = [pair[0], pair[1]].map(|part| &self.known[part as usize].chars);
                one.len() + other.len() == chars.len()
                    && chars.starts_with(one)
                    && chars.ends_with(other)
            });
            if let Some(at) = found {
                parts.drain(at..at + 2);
                self.matched += self.known[word as usize].weight;
            } else {
                rest.push(word);
            }
        }
        (rest, parts)
    }

    /// Words that differ by a slip of the pen, and initials: the best partner of each.
    fn nearly(&mut self, left: &[Word], mut right: Vec<Word>) {
        for word in left {
            let one = &self.known[*word as usize];
            let scored = right.iter().enumerate().map(|(at, other)| {
                let other = &self.known[*other as usize];
                (at, alike(one, other) * one.weight.min(other.weight))
            });
            let best = scored.max_by(|one, other| one.1.total_cmp(&other.1));
            if let Some((at, value)) = best.filter(|(_, value)| *value > 0.0) {
                self.matched += value;
                right.remove(at);
            }
        }
    }
}

/// How alike two different words are, 0..1; codes and numbers never are.
fn alike(one: &Known, other: &Known) -> f32 {
    let (short, long) = if one.chars.len() <= other.chars.len() {
        (one, other)
    } else {
        (other, one)
    };
    if short.code || long.code {
        return digits_alike(short, long);
    }
    match short.chars.len() {
        1 if long.chars.len() > 1 && long.chars.first() == short.chars.first() => 0.8,
        0..=2 => 0.0,
        3 if long.chars.len() > 3 && long.chars.starts_with(&short.chars) => 0.5,
        length => {
            let apart = long.chars.len() - length;
            if apart > 3 {
                return if length >= 4 && long.chars.starts_with(&short.chars) {
                    0.6
                } else {
                    0.0
                };
            }
            let distance = osa::distance(short.chars.iter(), long.chars.iter());
            let similarity = 1.0 - distance as f32 / long.chars.len() as f32;
            if similarity >= 0.7 {
                similarity * similarity
            } else {
                0.0
            }
        }
    }
}

/// Long codes may hold a slip; short numbers never do.
fn digits_alike(short: &Known, long: &Known) -> f32 {
    if short.chars.len() < 6 || long.chars.len() - short.chars.len() > 1 {
        return 0.0;
    }
    let distance = osa::distance(short.chars.iter(), long.chars.iter());
    if distance <= 1 { 0.6 } else { 0.0 }
}
