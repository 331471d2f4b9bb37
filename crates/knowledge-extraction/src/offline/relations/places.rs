//! Places in places: `Lakeside, Ontario`, `Piazza Navona in Rome`.

use std::collections::BTreeMap;

use super::scene::{Kinds, Scene, Sentence, Statement, Target};
use crate::offline::{
    kind::Kind,
    lexicon::{lexicon, one_of},
    token::Token,
};

pub(super) fn find(scene: &Scene<'_>, sentence: &Sentence, found: &mut Vec<Statement>) {
    let items: Vec<usize> = sentence.items.clone().collect();
    let mut at = 0;
    while at < items.len() {
        let end = chain_end(scene, &items, at);
        state_chain(scene, sentence, &items[at..=end], found);
        at = end.max(at + 1).min(at + 1 + end - at);
    }
}

/// The last item of the list of places that starts at `at`, each within the next.
fn chain_end(scene: &Scene<'_>, items: &[usize], at: usize) -> usize {
    let mut end = at;
    while end + 1 < items.len() && end - at < 6 && within(scene, items[end], items[end + 1]) {
        end += 1;
    }
    end
}

/// Whether the text says that the left lies in the right: a comma between two places, or `in`.
fn within(scene: &Scene<'_>, left: usize, right: usize) -> bool {
    let (a, b) = (scene.item(left), scene.item(right));
    if b.kind != Kind::Place || !Kinds::LOCATED.has(a.kind) {
        return false;
    }
    let gap: Vec<&str> = scene
        .gap(left, right)
        .iter()
        .map(|token| token.text)
        .collect();
    match gap.as_slice() {
        [","] => {
            a.kind == Kind::Place
                && !is_country(a.text)
                && (contains(b.text) || is_unlisted(scene, left, right))
                || a.kind == Kind::Organization && is_known(b.text)
        }
        ["in" | "of"] | ["," | "in", "in" | "the"] | [",", "in", "the"] => {
            !is_country(a.text) || a.kind != Kind::Place
        }
        [
            "region" | "district" | "province" | "area" | "state" | "county",
            "of" | "in",
        ] => !is_country(a.text) && !super::is_demonym(a.text),
        [",", "in", "the", ..] | ["in", "the", ..] => {
            gap.len() <= 6 && matches!(gap.last(), Some(&"of")) && a.kind == Kind::Place
        }
        _ => false,
    }
}

/// Whether it is a name of what has towns in it: a country, a province, a county.
fn contains(name: &str) -> bool {
    let lower = name.to_lowercase();
    let head = lower.rsplit(' ').next().unwrap_or_default();
    lexicon().is_country(&lower)
        || lexicon().is_province(&lower)
        || one_of(
            head,
            "county province state district region oblast prefecture municipality voivodeship \
 department canton governorate parish township shire republic territory raion krai",
        )
}

/// Whether two places with a comma between are no part of a longer list: `Ashby, Thornby and Leeds`.
fn is_unlisted(scene: &Scene<'_>, left: usize, right: usize) -> bool {
    let (before, after) = (
        scene.item(left).first().checked_sub(1),
        scene.item(right).last() + 1,
    );
    let at = |at: Option<usize>| at.and_then(|at| scene.tokens.get(at));
    let joins = |token: Option<&Token<'_>>| {
        token.is_some_and(|token| matches!(token.text, "," | "and" | "or" | "&"))
    };
    let comma = at(Some(after)).is_some_and(|token| token.sign(","));
    let named = at(Some(after + 1)).is_some_and(Token::is_capital);
    let goes_on = joins(at(Some(after))) && (named || !comma);
    let listed = joins(at(before)) || goes_on;
    !listed && !is_known(scene.item(left).text)
}

/// A country, by name.
fn is_country(name: &str) -> bool {
    let lower = name.to_lowercase();
    lexicon().is_country(&lower)
}

fn is_known(name: &str) -> bool {
    lexicon().known(&name.to_lowercase()).is_some()
}

fn state_chain(
    scene: &Scene<'_>,
    sentence: &Sentence,
    chain: &[usize],
    found: &mut Vec<Statement>,
) {
    for (index, left) in chain.iter().enumerate() {
        for right in &chain[index + 1..] {
            let text = scene.item(*right).text;
            let predicate = if is_country(text) {
                "country"
            } else {
                "locatedIn"
            };
            let near = *right == left + 1;
            found.push(sentence.state(*left, predicate, *right, if near { 0.85 } else { 0.7 }));
            if predicate == "country" && near {
                found.push(sentence.state(*left, "locatedIn", *right, 0.7));
            }
        }
    }
}

/// What lies in a place lies in the country of that place, as far as the chunk says both.
pub(super) fn close(scene: &Scene<'_>, found: &mut Vec<Statement>) {
    let name = |item: usize| scene.item(item).text;
    let mut countries: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    for (subject, country) in stated(found, "country") {
        if scene.item(subject).kind != Kind::Place || !is_country(name(country)) {
            continue;
        }
        countries
            .entry(name(subject))
            .and_modify(|known| *known = known.filter(|known| name(*known) == name(country)))
            .or_insert(Some(country));
    }
    let mut closed = Vec::new();
    for statement in found
        .iter()
        .filter(|statement| matches!(statement.predicate, "locatedIn" | "headquarteredIn"))
    {
        let Target::Item(place) = statement.object else {
            continue;
        };
        let country = countries.get(name(place)).copied().flatten();
        if let Some(country) = country.filter(|_| !is_country(name(place))) {
            closed.push(Statement {
                predicate: "country",
                object: Target::Item(country),
                confidence: 0.6,
                ..statement.clone()
            });
        }
    }
    found.extend(closed);
    nest(scene, found);
}

/// What lies in a place lies in what that place lies in, as far as the chunk says both.
fn nest(scene: &Scene<'_>, found: &mut Vec<Statement>) {
    let name = |item: usize| scene.item(item).text;
    let mut outer: BTreeMap<&str, usize> = BTreeMap::new();
    for (subject, place) in stated(found, "locatedIn") {
        let contained = scene.item(subject).kind == Kind::Place && contains(name(place));
        if contained && !is_country(name(place)) {
            outer.entry(name(subject)).or_insert(place);
        }
    }
    let mut nested = Vec::new();
    for statement in found.iter().filter(|found| found.predicate == "locatedIn") {
        let Target::Item(place) = statement.object else {
            continue;
        };
        let Some(outer) = outer.get(name(place)) else {
            continue;
        };
        if name(*outer) != name(statement.subject) {
            nested.push(Statement {
                object: Target::Item(*outer),
                confidence: 0.6,
                ..statement.clone()
            });
        }
    }
    found.extend(nested);
}

/// The subjects and objects that a predicate has been stated of.
fn stated<'a>(
    found: &'a [Statement],
    predicate: &'a str,
) -> impl Iterator<Item = (usize, usize)> + 'a {
    found
        .iter()
        .filter_map(move |statement| match statement.object {
            Target::Item(object) if statement.predicate == predicate => {
                Some((statement.subject, object))
            }
            _ => None,
        })
}
