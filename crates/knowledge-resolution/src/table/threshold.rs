//! How alike two rows must be to be the same.
//!
//! In a source without duplicates a row has one true partner at most, so its second best match is
//! wrong: the second best scores show how good a wrong match can look. At each threshold they tell
//! how many of the best matches are wrong, and with that precision, recall and F1; the threshold
//! with the best F1 is taken.

/// Bounds of the threshold: what is less alike is never the same, what is more always may be.
const LOWEST: f64 = 0.45;
const HIGHEST: f64 = 0.85;

/// The threshold for best scores, given second best ones: one of each for every row that has any
/// match, 0 for none.
pub(super) fn choose(best: &[f64], second: &[f64]) -> f64 {
    let rows = best.len() as f64;
    if best.len() < 20 {
        return f64::midpoint(LOWEST, HIGHEST);
    }
    let share =
        |scores: &[f64], at: f64| scores.iter().filter(|score| **score >= at).count() as f64 / rows;
    // Of the rows without a partner, as many look as good as the second best do of those with one.
    let right_at = |at: f64| {
        let (found, wrong) = (share(best, at), share(second, at));
        if wrong >= 1.0 {
            0.0
        } else {
            ((found - wrong) / (1.0 - wrong)).max(0.0)
        }
    };
    let steps = || (0_u32..=40).map(|step| LOWEST + (HIGHEST - LOWEST) * f64::from(step) / 40.0);
    let all = steps().map(right_at).fold(0.0, f64::max);
    let f1 = |at: f64| 2.0 * right_at(at) / (share(best, at) + all).max(f64::MIN_POSITIVE);
    steps()
        .fold((LOWEST, -1.0), |kept, at| {
            let value = f1(at);
            if value > kept.1 { (at, value) } else { kept }
        })
        .0
}

/// Half the width of what is looked at around a threshold.
const AROUND: f64 = 0.04;

/// The threshold for best scores within one table, where second best ones may be right as well: the
/// emptiest place between the scores of rows with a duplicate and those without, the highest of
/// equals.
pub(super) fn valley(best: &[f64]) -> f64 {
    let around = |at: f64| {
        let near = best.iter().filter(|score| (**score - at).abs() <= AROUND);
        near.count()
    };
    let steps = (0_u32..=40).map(|step| LOWEST + (HIGHEST - LOWEST) * f64::from(step) / 40.0);
    steps
        .fold((HIGHEST, usize::MAX), |kept, at| {
            let count = around(at);
            if count <= kept.1 { (at, count) } else { kept }
        })
        .0
}
