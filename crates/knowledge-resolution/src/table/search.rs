//! Which rows are worth comparing: those that share rare words.

use super::{
    Pair,
    columns::{Corpus, Word},
    similar::similarity,
};

/// Rows that are compared with one row at most: the ones that share most with it.
const BEST: usize = 12;

/// Rows that are looked up for one row at most, rare words first: what keeps the cost of a row
/// from growing with the table.
const LOOKED_UP: usize = 4_000;

/// The pairs of rows that are alike at all, each with how much; those of a left row together, best
/// first. In one table the left row comes before the right one.
pub(super) fn candidates(corpus: &Corpus, within: bool) -> Vec<Pair> {
    let index = Index::new(corpus, within);
    let mut shared: Vec<f32> = vec![0.0; corpus.rows.len()];
    let mut pairs = Vec::new();
    let offset = if within {
        0
    } else {
        u32::try_from(corpus.left).unwrap_or(u32::MAX)
    };
    for left in (0_u32..).take(corpus.left) {
        let found = index.best(corpus, left, within, &mut shared);
        let scored = found.into_iter().map(|row| Pair {
            left,
            right: row - offset,
            score: similarity(corpus, left, row),
        });
        let mut scored: Vec<Pair> = scored.filter(|pair| pair.score > 0.2).collect();
        scored.sort_by(|one, other| {
            other
                .score
                .total_cmp(&one.score)
                .then(one.right.cmp(&other.right))
        });
        pairs.extend(scored);
    }
    pairs
}

/// The rows that have a word.
struct Index {
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl Index {
    fn new(corpus: &Corpus, within: bool) -> Self {
        let first = if within { 0 } else { corpus.left };
        let mut counts = vec![0_u32; corpus.words.len() + 1];
        let mut words: Vec<Word> = Vec::new();
        let each = |row: usize, words: &mut Vec<Word>| {
            words.clear();
            words.extend(corpus.rows[row].iter().flat_map(|value| &value.words));
            words.sort_unstable();
            words.dedup();
        };
        for row in first..corpus.rows.len() {
            each(row, &mut words);
            for word in &words {
                counts[*word as usize + 1] += 1;
            }
        }
        for at in 1..counts.len() {
            counts[at] += counts[at - 1];
        }
        let mut next = counts.clone();
        let mut rows = vec![0; counts.last().copied().unwrap_or(0) as usize];
        for row in first..corpus.rows.len() {
            each(row, &mut words);
            for word in &words {
                let at = &mut next[*word as usize];
                rows[*at as usize] = u32::try_from(row).unwrap_or(u32::MAX);
                *at += 1;
            }
        }
        Self {
            starts: counts,
            rows,
        }
    }

    fn of(&self, word: Word) -> &[u32] {
        let word = word as usize;
        &self.rows[self.starts[word] as usize..self.starts[word + 1] as usize]
    }

    /// The rows that share most with a row.
    fn best(&self, corpus: &Corpus, row: u32, within: bool, shared: &mut [f32]) -> Vec<u32> {
        let mut words: Vec<Word> = corpus.rows[row as usize]
            .iter()
            .flat_map(|value| value.words.iter().copied())
            .collect();
        words.sort_unstable_by_key(|word| (self.of(*word).len(), *word));
        words.dedup();
        let mut touched = Vec::new();
        let mut looked_up = 0;
        for word in words {
            let rows = self.of(word);
            looked_up += rows.len();
            if looked_up > LOOKED_UP && !touched.is_empty() {
                break;
            }
            let weight = corpus.words[word as usize].weight;
            for other in rows {
                if within && *other <= row {
                    continue;
                }
                if shared[*other as usize] == 0.0 {
                    touched.push(*other);
                }
                shared[*other as usize] += weight;
            }
        }
        let order = |row: &u32| (shared[*row as usize], std::cmp::Reverse(*row));
        touched.sort_unstable_by(|one, other| {
            let (one, other) = (order(one), order(other));
            other.0.total_cmp(&one.0).then(other.1.cmp(&one.1))
        });
        for row in &touched {
            shared[*row as usize] = 0.0;
        }
        touched.truncate(BEST);
        touched
    }
}
