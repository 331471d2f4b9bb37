//! `X is a German racer`, `X is a town in Y`: what the noun phrase after `is` says.

use super::scene::{Scene, Sentence, Statement};
use crate::offline::{
    kind::Kind,
    lexicon::{WordClass, lexicon, one_of},
    typing::noun_kind,
};

pub(super) fn find(scene: &Scene<'_>, sentence: &Sentence, found: &mut Vec<Statement>) {
    let Some(verb) = sentence.tokens.clone().find(|at| {
        matches!(scene.tokens[*at].text, "is" | "was" | "are" | "were")
            && scene.item_at(sentence, *at).is_none()
    }) else {
        return;
    };
    let article = scene.tokens.get(verb + 1);
    if !article.is_some_and(|token| matches!(token.text, "a" | "an" | "the" | "one")) {
        return;
    }
    let Some(subject) = sentence.items.clone().find(|item| {
        let item = scene.item(*item);
        item.last() < verb && !item.kind.is_literal()
    }) else {
        return;
    };
    // The noun phrase ends at its first noun of a kind that a preposition or a sign follows.
    let end = (verb + 1..sentence.tokens.end.min(verb + 20))
        .find(|at| {
            one_of(
                scene.tokens[*at].text,
                "of in from by for that which who at on with , .",
            )
        })
        .unwrap_or(sentence.tokens.end);
    let noun = (verb + 1..end)
        .rev()
        .find_map(|at| noun_kind(&scene.tokens[at]));
    for item in sentence.items.clone() {
        let (first, kind) = (scene.item(item).first(), scene.item(item).kind);
        if first <= verb {
            continue;
        }
        if first < end {
            describe(scene, sentence, (subject, noun), item, kind, found);
        } else if noun == Some(Kind::Place)
            && kind == Kind::Place
            && place_follows(scene, end, item)
        {
            found.push(sentence.state(subject, "locatedIn", item, 0.85));
            break;
        } else {
            break;
        }
    }
}

/// Adjectives of countries and years within the noun phrase.
fn describe(
    scene: &Scene<'_>,
    sentence: &Sentence,
    (subject, noun): (usize, Option<Kind>),
    item: usize,
    kind: Kind,
    found: &mut Vec<Statement>,
) {
    let text = scene.item(item).text.to_lowercase();
    let country = kind == Kind::Place
        && (lexicon().class(&text).is(WordClass::DEMONYM)
            || lexicon().known(&text) == Some(Kind::Place));
    let predicate = match (scene.item(subject).kind, noun) {
        (Kind::Person, _) if country => "citizenOf",
        (Kind::Work, _) if country => "countryOfOrigin",
        (Kind::Organization | Kind::Event | Kind::Place, _) if country => "country",
        (Kind::Work, _) if kind == Kind::Date => "publishedOn",
        _ => return,
    };
    found.push(sentence.state(subject, predicate, item, 0.8));
}

/// Whether an item follows the noun phrase: `in`, `of` and words without a verb between.
fn place_follows(scene: &Scene<'_>, end: usize, item: usize) -> bool {
    let first = scene.item(item).first();
    first >= end
        && first - end <= 8
        && scene.tokens[end..first]
            .iter()
            .any(|token| matches!(token.text, "in" | "of" | "on"))
        && !scene.tokens[end..first].iter().any(|token| {
            matches!(
                token.text,
                "from" | "near" | "who" | "which" | "by" | "mouth" | "banks" | "foot"
            )
        })
}
