//! Names that mean the same although they are not alike: told by their vectors.

use super::{Rule, Side, names::Found};
use crate::{Kind, form::Prepared, lexicon};

/// Vectors at a smaller cosine say nothing.
const FLOOR: f64 = 0.8;

/// How much less a cosine says than a rule of the same value.
const LESS: f64 = 0.07;

/// As much says a cosine at most where only a person may tell.
const ASK_ONLY: f64 = 0.75;

/// Forms of one cluster are at least as near as this, unless their names are alike.
const DRIFT: f64 = 0.6;

/// The cosine of two forms, where both have a vector of one model.
pub(super) fn cosine(left: &Prepared<'_>, right: &Prepared<'_>) -> Option<f64> {
    let (left, right) = (left.form.vector.as_ref()?, right.form.vector.as_ref()?);
    left.cosine(right)
}

/// Whether two forms may mean the same by their vectors.
pub(super) fn is_near(left: &Prepared<'_>, right: &Prepared<'_>) -> bool {
    cosine(left, right).is_some_and(|cosine| cosine >= FLOOR)
}

/// Whether two forms are so far apart that no chain makes them one.
pub(crate) fn is_far(left: &Prepared<'_>, right: &Prepared<'_>) -> bool {
    cosine(left, right).is_some_and(|cosine| cosine < DRIFT)
}

/// The rule, where two forms follow it. The lesser name is short for the fuller one: what may mean
/// several is left for a person.
pub(super) fn rule(left: &Prepared<'_>, right: &Prepared<'_>) -> Option<Found> {
    let cosine = cosine(left, right).filter(|cosine| *cosine >= FLOOR)?;
    if left.numbers != right.numbers {
        return None;
    }
    let value = cosine - LESS;
    let doubtful = needs_a_person(left, right);
    let full = (left.fullness, &left.form.name) > (right.fullness, &right.form.name);
    Some(Found {
        rule: Rule::SameMeaning,
        value: if doubtful { value.min(ASK_ONLY) } else { value },
        short: Some(if full { Side::Right } else { Side::Left }),
    })
}

/// Whether nearness is not enough: names of persons, names that share words and differ in others,
/// names of which one has a word that tells things apart and the other no letter for it, and names
/// that one document has both.
fn needs_a_person(left: &Prepared<'_>, right: &Prepared<'_>) -> bool {
    let (one, other) = (left.name.core(), right.name.core());
    let tells = |words: &[String], others: &[String]| {
        let mut only = words.iter().filter(|word| !others.contains(word));
        only.any(|word| lexicon::is_distinguishing(word))
    };
    let acronym = |short: &Prepared<'_>, full: &Prepared<'_>| {
        let [only] = short.name.words.as_slice() else {
            return false;
        };
        full.name.acronyms().contains(only)
    };
    let spelled = acronym(left, right) || acronym(right, left);
    left.kind.min(right.kind) == Kind::Person
        || one.iter().any(|word| other.contains(word))
        || (!spelled && (tells(one, other) || tells(other, one)))
        || left.form.documents.shared(&right.form.documents) > 0
}
