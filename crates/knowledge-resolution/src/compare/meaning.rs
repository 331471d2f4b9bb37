//! Names that may mean the same although they are not alike: told by their vectors.
//!
//! Models put next to each other what is spoken of alike, and that is as often a sibling as a
//! synonym: of real ones `Windows` is nearer to `Linux` than `NYC` to `New York City`. So a cosine
//! asks, and links nothing.

use super::{Rule, names::Found};
use crate::form::Prepared;

/// What nearness says of a name: enough for a question, and with no other feature for a link.
const VALUE: f64 = 0.75;

/// The cosine of two forms, where both have a vector of one model.
pub(super) fn cosine(left: &Prepared<'_>, right: &Prepared<'_>) -> Option<f64> {
    let (left, right) = (left.form.vector.as_ref()?, right.form.vector.as_ref()?);
    left.cosine(right)
}

/// Whether two forms may mean the same by their vectors.
pub(super) fn is_near(left: &Prepared<'_>, right: &Prepared<'_>) -> bool {
    let (left, right) = (left.form.vector.as_ref(), right.form.vector.as_ref());
    left.zip(right)
        .is_some_and(|(left, right)| left.is_near(right))
}

/// The rule, where two forms follow it. Of names that share words the other rules have said what
/// there is to say: they are near whatever the words say in which they differ.
pub(super) fn rule(left: &Prepared<'_>, right: &Prepared<'_>) -> Option<Found> {
    let (one, other) = (left.name.core(), right.name.core());
    let shared = one.iter().any(|word| other.contains(word));
    let asks = is_near(left, right) && !shared && left.numbers == right.numbers;
    asks.then_some(Found {
        rule: Rule::SameMeaning,
        value: VALUE,
        short: None,
    })
}
