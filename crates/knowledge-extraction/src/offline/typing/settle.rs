//! One kind for all uses of a name in a text.

use std::collections::HashMap;

use super::Verdict;
use crate::offline::{
    kind::Kind,
    lexicon::{WordClass, lexicon, one_of},
    names::{Scene, Span},
    token::{Shape, Token},
};

/// Short forms take the kind of their full forms, and all uses of a name the kind with most weight.
pub(super) fn settle(scene: &Scene<'_>, names: &[Span], verdicts: &mut [Verdict]) {
    let phrases: Vec<String> = names.iter().map(|name| key(scene, *name)).collect();
    let mut votes: HashMap<&str, [u32; 8]> = HashMap::new();
    for ((phrase, verdict), name) in phrases.iter().zip(&*verdicts).zip(names) {
        // Persons go without an article: one use with it outweighs guesses.
        let article = name
            .first
            .checked_sub(1)
            .is_some_and(|at| scene.tokens[at].text == "the");
        let guess = match verdict.kind {
            Kind::Thing => 0,
            Kind::Person => 1,
            _ if article => 3,
            _ => 1,
        };
        let weight = [0, guess, 4, 12, 40][usize::from(verdict.weight.min(4))];
        votes.entry(phrase).or_default()[verdict.kind as usize] += weight;
    }
    let full = full_forms(scene, names, &phrases, &votes);
    for (index, name) in names.iter().enumerate() {
        let own = votes
            .get(phrases[index].as_str())
            .copied()
            .unwrap_or_default();
        let fixed = verdicts[index].weight >= 3 && scene.tokens[name.first].is(WordClass::DEMONYM);
        if fixed {
            continue;
        }
        let mut tally = own;
        if let Some(kind) = full.get(phrases[index].as_str()) {
            // A first word alone says less than the text around it: `near Thornby`.
            let single = name.first == name.last && *kind != Kind::Person;
            tally[*kind as usize] += if single { 3 } else { 6 };
        }
        let best = Kind::ALL
            .iter()
            .max_by_key(|kind| (tally[**kind as usize], std::cmp::Reverse(**kind)));
        if let Some(kind) = best.filter(|kind| tally[**kind as usize] > 0) {
            let weight = if tally[*kind as usize] >= 4 {
                verdicts[index].weight.max(2)
            } else {
                verdicts[index].weight
            };
            verdicts[index] = Verdict {
                kind: *kind,
                weight,
            };
        }
    }
    coordinate(scene, names, verdicts);
}

/// A guess gives way to what stands beside it in a list: `Lisbon and Setúbal`.
fn coordinate(scene: &Scene<'_>, names: &[Span], verdicts: &mut [Verdict]) {
    let listed = |left: &Span, right: &Span| {
        let gap = &scene.tokens[left.last + 1..right.first];
        !gap.is_empty()
            && gap.len() <= 3
            && scene.tokens[left.first].sentence == scene.tokens[right.first].sentence
            && (gap
                .iter()
                .all(|token| matches!(token.text, "," | "and" | "&" | "or" | "the" | ")"))
                || gap.len() <= 2
                    && gap[0].sign("(")
                    && gap.iter().all(|token| matches!(token.text, "(" | "or")))
    };
    let mut pass = |from: usize, to: usize| {
        let (known, guess) = (verdicts[from], verdicts[to]);
        let (left, right) = (from.min(to), from.max(to));
        let bracketed = scene.tokens[names[left].last + 1].sign("(")
            && scene.tokens[names[right].first].shape != Shape::Capitals;
        // `Acme Bank, Ashby`: the place of an organisation stands beside it as well.
        let placed = known.kind == Kind::Organization
            && guess.kind == Kind::Thing
            && names[right].first - names[left].last == 2
            && scene.tokens[names[left].last + 1].sign(",");
        if guess.weight == 1
            && !placed
            && known.weight >= 2
            && listed(&names[left], &names[right])
            && !bracketed
        {
            verdicts[to] = Verdict {
                kind: known.kind,
                weight: 2,
            };
        }
    };
    for at in 1..names.len() {
        pass(at - 1, at);
    }
    for at in (1..names.len()).rev() {
        pass(at, at - 1);
    }
}

fn key(scene: &Scene<'_>, name: Span) -> String {
    let phrase = scene.phrase(name.first, name.last);
    phrase
        .strip_prefix("the ")
        .map(str::to_owned)
        .unwrap_or(phrase)
}

/// Whether an organisation is of a kind that is called by its place: `Ardenholm Institute`.
fn is_civic(words: &[String]) -> bool {
    words.iter().skip(1).any(|word| {
        one_of(
            word,
            "institute university college school academy council hospital museum library society \
 county city town parish diocese police court borough bank building infirmary grammar high gallery \
 theatre cathedral church harbour harbor port observatory railway canal",
        )
    })
}

/// The kinds of the longer names that each name may be short for: surnames and given names of
/// persons, beginnings of others, acronyms in brackets.
fn full_forms(
    scene: &Scene<'_>,
    names: &[Span],
    phrases: &[String],
    votes: &HashMap<&str, [u32; 8]>,
) -> HashMap<String, Kind> {
    let mut full = HashMap::new();
    for (index, name) in names.iter().enumerate() {
        let tally = votes
            .get(phrases[index].as_str())
            .copied()
            .unwrap_or_default();
        let Some(kind) = Kind::ALL
            .into_iter()
            .max_by_key(|kind| (tally[*kind as usize], std::cmp::Reverse(*kind)))
        else {
            continue;
        };
        if name.last > name.first {
            let words: Vec<String> = scene.tokens[name.first..=name.last]
                .iter()
                .filter(|token| token.is_capital() && !token.is_initial())
                .map(Token::lower)
                .collect();
            if let (Kind::Person, [first, .., last]) = (kind, words.as_slice()) {
                full.insert(last.clone(), kind);
                full.entry(first.clone()).or_insert(kind);
            } else if kind != Kind::Person {
                let mut prefix = String::new();
                if kind == Kind::Organization
                    && let Some(last) = words
                        .last()
                        .filter(|last| lexicon().class(last).is(WordClass::ORG_HEAD))
                {
                    full.entry(last.clone()).or_insert(kind);
                }
                let civic = kind == Kind::Organization && is_civic(&words);
                for word in words.iter().take(words.len().saturating_sub(1)) {
                    if !prefix.is_empty() {
                        prefix.push(' ');
                    }
                    prefix.push_str(word);
                    let broad = prefix == words[0]
                        && (civic
                            || lexicon().known(&prefix).is_some()
                            || lexicon()
                                .class(&prefix)
                                .is(WordClass::DEMONYM.and(WordClass::OPENING)));
                    if !broad {
                        full.entry(prefix.clone()).or_insert(kind);
                    }
                }
            }
        }
        let acronym = scene.tokens.get(name.last + 2).filter(|token| {
            token.shape == Shape::Capitals && scene.tokens[name.last + 1].sign("(")
        });
        if let Some(acronym) = acronym {
            full.insert(acronym.lower(), kind);
        }
    }
    full
}
