//! Which of the pairs are links.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Pair, columns::Corpus, similar::similarity, threshold};

/// A source in which fewer of the matched rows than this have a rival is one without duplicates.
const RIVALS: f64 = 0.15;

/// Links between two tables. A row of a source is the partner of one row at most, unless the other
/// source has duplicates.
pub(super) fn between(corpus: &Corpus, pairs: &[Pair]) -> Vec<Pair> {
    let rows = (corpus.left, corpus.rows.len() - corpus.left);
    let by_left = at(pairs, rows.0, |pair| pair.left);
    let by_right = at(pairs, rows.1, |pair| pair.right);
    let provisional: Vec<Pair> = above(pairs, by_left.max(by_right));
    let left_clean = rivals(&provisional, |pair| pair.right, |pair| pair.left) < RIVALS;
    let right_clean = rivals(&provisional, |pair| pair.left, |pair| pair.right) < RIVALS;
    // The second best are wrong where they come from a source without duplicates.
    let least = match (left_clean, right_clean) {
        (false, true) => by_left,
        (true, false) => by_right,
        _ if rows.0 <= rows.1 => by_left,
        _ => by_right,
    };
    let mut order = above(pairs, least);
    order.sort_by(|one, other| {
        let places = (one.left, one.right).cmp(&(other.left, other.right));
        other.score.total_cmp(&one.score).then(places)
    });
    let (mut left_taken, mut right_taken) = (HashSet::new(), HashSet::new());
    order.retain(|pair| {
        let free = !(right_clean && left_taken.contains(&pair.left)
            || left_clean && right_taken.contains(&pair.right));
        if free {
            left_taken.insert(pair.left);
            right_taken.insert(pair.right);
        }
        free
    });
    order.sort_by_key(|pair| (pair.left, pair.right));
    order
}

fn above(pairs: &[Pair], least: f64) -> Vec<Pair> {
    pairs
        .iter()
        .filter(|pair| pair.score >= least)
        .copied()
        .collect()
}

/// The threshold as the rows of one side see it.
fn at(pairs: &[Pair], rows: usize, side: fn(&Pair) -> u32) -> f64 {
    let mut scores: HashMap<u32, (f64, f64)> = HashMap::new();
    for pair in pairs {
        let (best, second) = scores.entry(side(pair)).or_default();
        if pair.score > *best {
            (*best, *second) = (pair.score, *best);
        } else if pair.score > *second {
            *second = pair.score;
        }
    }
    let (mut best, mut second): (Vec<f64>, Vec<f64>) = scores.into_values().unzip();
    best.resize(rows, 0.0);
    second.resize(rows, 0.0);
    threshold::choose(&best, &second)
}

/// The share of rows of one side whose best match has another row of the side that it matches best.
fn rivals(pairs: &[Pair], of: fn(&Pair) -> u32, rival: fn(&Pair) -> u32) -> f64 {
    let mut best: BTreeMap<u32, (f64, u32)> = BTreeMap::new();
    for pair in pairs {
        let kept = best.entry(rival(pair)).or_insert((pair.score, of(pair)));
        if pair.score > kept.0 {
            *kept = (pair.score, of(pair));
        }
    }
    let mut targets: Vec<u32> = best.values().map(|(_, target)| *target).collect();
    let all = targets.len();
    targets.sort_unstable();
    targets.dedup();
    if all == 0 {
        0.0
    } else {
        (all - targets.len()) as f64 / all as f64
    }
}

/// Rows that a cluster has at most.
const MAX_CLUSTER: usize = 50;

/// Links within one table: all pairs of each cluster. Clusters meet where their rows are, on the
/// whole, alike enough, the most alike first; one good pair does not make a chain.
pub(super) fn within(corpus: &Corpus, pairs: &[Pair]) -> Vec<Pair> {
    let least = threshold::valley(&best_scores(corpus.rows.len(), pairs));
    let mut order = above(pairs, least);
    order.sort_by(|one, other| {
        let places = (one.left, one.right).cmp(&(other.left, other.right));
        other.score.total_cmp(&one.score).then(places)
    });
    let mut of: Vec<u32> = (0_u32..).take(corpus.rows.len()).collect();
    let mut members: HashMap<u32, Vec<u32>> = HashMap::new();
    for pair in order {
        let (left, right) = (of[pair.left as usize], of[pair.right as usize]);
        let rows = |cluster: u32| {
            members
                .get(&cluster)
                .cloned()
                .unwrap_or_else(|| vec![cluster])
        };
        let (one, other) = (rows(left), rows(right));
        let full = one.len() + other.len() > MAX_CLUSTER;
        if left == right || full || linkage(corpus, &one, &other) < least * ON_THE_WHOLE {
            continue;
        }
        for row in &other {
            of[*row as usize] = left;
        }
        members.remove(&right);
        members.insert(left, [one, other].concat());
    }
    let mut chosen: Vec<Pair> = members
        .values()
        .flat_map(|rows| all_pairs(corpus, rows))
        .collect();
    chosen.sort_by_key(|pair| (pair.left, pair.right));
    chosen
}

/// How much less alike than a pair clusters may be on the whole.
const ON_THE_WHOLE: f64 = 0.85;

fn best_scores(rows: usize, pairs: &[Pair]) -> Vec<f64> {
    let mut best = vec![0.0_f64; rows];
    for pair in pairs {
        for row in [pair.left, pair.right] {
            best[row as usize] = best[row as usize].max(pair.score);
        }
    }
    best
}

/// The mean similarity of the rows of two clusters.
fn linkage(corpus: &Corpus, one: &[u32], other: &[u32]) -> f64 {
    let pairs = one
        .iter()
        .flat_map(|left| other.iter().map(move |right| (*left, *right)));
    let sum: f64 = pairs
        .map(|(left, right)| similarity(corpus, left, right))
        .sum();
    sum / (one.len() * other.len()) as f64
}

fn all_pairs(corpus: &Corpus, rows: &[u32]) -> Vec<Pair> {
    let pairs = rows
        .iter()
        .flat_map(|left| rows.iter().map(move |right| (*left, *right)));
    let pairs = pairs.filter(|(left, right)| left < right);
    pairs
        .map(|(left, right)| Pair {
            left,
            right,
            score: similarity(corpus, left, right),
        })
        .collect()
}
