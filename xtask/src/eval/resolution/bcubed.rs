//! B-cubed: for each mention, how much of its cluster is right, and how much of the right one is
//! in it (Bagga and Baldwin 1998). A mention that was not found counts against recall, one that is
//! none against precision.

use std::collections::HashMap;

use serde::Serialize;

/// Precision, recall and their harmonic mean.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Score {
    pub(super) precision: f64,
    pub(super) recall: f64,
    pub(super) f1: f64,
}

/// A place in a document.
pub(super) type Place = (usize, u32, u32);

/// Compares clusters of mentions; both maps lead from a mention to its cluster's name.
pub(super) fn score(found: &HashMap<Place, String>, truth: &HashMap<Place, String>) -> Score {
    let precision = one_way(found, truth);
    let recall = one_way(truth, found);
    let sum = precision + recall;
    Score {
        precision,
        recall,
        f1: if sum == 0.0 {
            0.0
        } else {
            2.0 * precision * recall / sum
        },
    }
}

/// The mean, over the mentions of `of`, of the share of its cluster that is with it in `other`.
fn one_way(of: &HashMap<Place, String>, other: &HashMap<Place, String>) -> f64 {
    let mut sizes: HashMap<&str, usize> = HashMap::new();
    let mut shared: HashMap<(&str, &str), usize> = HashMap::new();
    for (place, cluster) in of {
        *sizes.entry(cluster).or_default() += 1;
        if let Some(other) = other.get(place) {
            *shared.entry((cluster, other)).or_default() += 1;
        }
    }
    let sum: f64 = shared
        .iter()
        .map(|((cluster, _), count)| (count * count) as f64 / sizes[cluster] as f64)
        .sum();
    if of.is_empty() {
        0.0
    } else {
        sum / of.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters(names: &[(u32, &str)]) -> HashMap<Place, String> {
        let places = names.iter();
        places
            .map(|(at, name)| ((0, *at, at + 1), (*name).to_owned()))
            .collect()
    }

    #[test]
    fn scores() {
        let truth = clusters(&[(1, "a"), (2, "a"), (3, "b")]);
        assert!((score(&truth, &truth).f1 - 1.0).abs() < 1e-9);
        let fused = clusters(&[(1, "x"), (2, "x"), (3, "x")]);
        let score = score(&fused, &truth);
        assert!((score.precision - (2.0 / 3.0 + 2.0 / 3.0 + 1.0 / 3.0) / 3.0).abs() < 1e-9);
        assert!((score.recall - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_missing_counts() {
        let truth = clusters(&[(1, "a"), (2, "a")]);
        let found = clusters(&[(1, "x"), (9, "y")]);
        let score = score(&found, &truth);
        assert!((score.precision - 0.5).abs() < 1e-9);
        assert!((score.recall - 0.25).abs() < 1e-9);
    }
}
