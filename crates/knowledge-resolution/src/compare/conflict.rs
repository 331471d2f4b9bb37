//! What forbids that two forms are one.

use serde::Serialize;

use super::names::{fits_given, is_typo};
use crate::{Kind, form::Prepared, kind, lexicon, sound};

/// Why two forms are never one, however alike they are.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display, strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Conflict {
    /// Their classes exclude each other.
    Types,
    /// What identifies them differs: a year of birth, an ISBN.
    Identity,
    /// Only a number tells them apart, and it does.
    Numbers,
    /// A word tells them apart: `North`, `Junior`.
    Words,
    /// Persons of one surname with different given names.
    GivenNames,
    /// One document speaks of both, as two.
    Together,
    /// A person decided so.
    Manual,
}

/// What forbids that two forms are in one cluster, linked directly or not.
pub(crate) fn conflict(left: &Prepared<'_>, right: &Prepared<'_>) -> Option<Conflict> {
    if !kind::compatible(left.form, right.form) {
        return Some(Conflict::Types);
    }
    let mut shared = left.form.identity.iter().filter_map(|(attribute, value)| {
        let other = right.form.identity.get(attribute)?;
        Some((value, other))
    });
    if shared.any(|(value, other)| contradict(value, other)) {
        return Some(Conflict::Identity);
    }
    let several = left.name.words.len() > 1 && right.name.words.len() > 1;
    if several && left.numbers != right.numbers {
        return Some(Conflict::Numbers);
    }
    if told_apart(left, right) {
        return Some(Conflict::Words);
    }
    let persons = left.kind == Kind::Person && right.kind == Kind::Person;
    (persons && other_given_names(left, right)).then_some(Conflict::GivenNames)
}

/// One document has both, as two entities.
pub(super) fn together(left: &Prepared<'_>, right: &Prepared<'_>) -> Option<Conflict> {
    let shared = left.form.documents.shared(&right.form.documents);
    (shared > 0).then_some(Conflict::Together)
}

/// Whether two values of what identifies cannot both be true: neither says the other's words.
pub(super) fn contradict(left: &str, right: &str) -> bool {
    let says = |long: &str, short: &str| {
        short
            .split(' ')
            .all(|word| long.split(' ').any(|other| other == word))
    };
    !says(left, right) && !says(right, left)
}

/// Whether a word that only one of them has tells them apart, where they share others.
fn told_apart(left: &Prepared<'_>, right: &Prepared<'_>) -> bool {
    if !left.tells && !right.tells {
        return false;
    }
    let (left, right, person) = (
        &left.name.words,
        &right.name.words,
        left.kind == Kind::Person || right.kind == Kind::Person,
    );
    let tells = |word: &&String| {
        if person {
            lexicon::is_generation(word) || lexicon::is_number(word)
        } else {
            lexicon::is_distinguishing(word)
        }
    };
    let shared = left.iter().any(|word| right.contains(word));
    let only = |one: &[String], other: &[String]| {
        one.iter().filter(tells).any(|word| !other.contains(word))
    };
    shared && (only(left, right) || only(right, left))
}

/// Whether persons with the same surname have given names that do not go together.
fn other_given_names(left: &Prepared<'_>, right: &Prepared<'_>) -> bool {
    let (left, right) = (left.name.words.as_slice(), right.name.words.as_slice());
    if only_surname(left, right) || only_surname(right, left) {
        return false;
    }
    let ([left, .., left_last], [right, .., right_last]) = (left, right) else {
        return false;
    };
    let spelling =
        |left: &str, right: &str| is_typo(left, right, true) || sound::alike(left, right);
    let family = left_last == right_last || spelling(left_last, right_last);
    family && !fits_given(left, right) && !spelling(left, right)
}

/// Whether a name is the surname of another, particle and all: `de Gaulle`, `Charles de Gaulle`.
fn only_surname(short: &[String], full: &[String]) -> bool {
    let begins = short.first().is_some_and(|word| lexicon::is_particle(word));
    begins && full.len() > short.len() && full.ends_with(short)
}
