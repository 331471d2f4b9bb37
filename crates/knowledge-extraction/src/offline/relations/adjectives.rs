//! What stands before a name: `British singer Rick Ashdown`, `Turkey's Defense Committee`, `Emile
//! Zola's Germinal`.

use super::scene::{Kinds, Scene, Sentence, Statement};
use crate::offline::{
    kind::Kind,
    lexicon::{WordClass, lexicon},
    token::{Shape, Token},
};

pub(super) fn find(scene: &Scene<'_>, sentence: &Sentence, found: &mut Vec<Statement>) {
    let items: Vec<usize> = sentence.items.clone().collect();
    for pair in items.windows(2) {
        let (left, right) = (pair[0], pair[1]);
        let gap = scene.gap(left, right);
        let predicate = if is_owner(gap) {
            owned(scene, left, right)
        } else if is_country(scene, left) && is_noun_phrase(gap) {
            described(scene.item(right).kind)
        } else {
            None
        };
        let Some(predicate) = predicate else {
            continue;
        };
        let confidence = if gap.is_empty() { 0.65 } else { 0.75 };
        found.push(sentence.state(right, predicate, left, confidence));
        let part = predicate == "country" && gap.last().is_some_and(|word| word.text == "of");
        if part && scene.item(right).kind == Kind::Place {
            found.push(sentence.state(right, "locatedIn", left, confidence));
        }
    }
}

/// Whether the gap is `'s`, with up to three words after it.
fn is_owner(gap: &[Token<'_>]) -> bool {
    let [mark, s, rest @ ..] = gap else {
        return false;
    };
    matches!(mark.text, "'" | "’")
        && !mark.spaced
        && s.text == "s"
        && rest.len() <= 3
        && rest
            .iter()
            .all(|token| token.shape == Shape::Lower && !token.is(WordClass::FUNCTION))
}

fn owned(scene: &Scene<'_>, left: usize, right: usize) -> Option<&'static str> {
    let (owner, thing) = (scene.item(left).kind, scene.item(right).kind);
    match (owner, thing) {
        (Kind::Person, Kind::Work) => Some("createdBy"),
        (Kind::Place, Kind::Organization | Kind::Place) if is_country(scene, left) => {
            Some("country")
        }
        (Kind::Place, Kind::Organization | Kind::Place) => Some("locatedIn"),
        _ => None,
    }
}

fn is_country(scene: &Scene<'_>, item: usize) -> bool {
    let item = scene.item(item);
    let lower = item.text.to_lowercase();
    item.kind == Kind::Place
        && (lexicon().class(&lower).is(WordClass::DEMONYM) || lexicon().is_country(&lower))
}

/// Whether the gap is nothing but nouns: `rock band`, `province of`.
fn is_noun_phrase(gap: &[Token<'_>]) -> bool {
    let gap = match gap {
        [rest @ .., of] if of.text == "of" => rest,
        other => other,
    };
    gap.len() <= 4
        && gap.iter().all(|token| {
            (token.shape == Shape::Lower && !token.is(WordClass::FUNCTION))
                || token.is_dash()
                || token.is(WordClass::TITLE)
        })
        && gap
            .last()
            .is_none_or(|noun| crate::offline::typing::noun_kind(noun).is_some())
}

fn described(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Person => Some("citizenOf"),
        Kind::Work => Some("countryOfOrigin"),
        other => Kinds::LOCATED.has(other).then_some("country"),
    }
}
