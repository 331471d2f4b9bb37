//! The entities behind a batch of mentions.
//!
//! Dates and amounts are values, not entities: they stay mentions and become literals of
//! relations.

use std::collections::{BTreeMap, BTreeSet};

use knowledge_domain::graph::Confidence;

use super::{kind::Kind, lexicon::one_of, ontology::TypeMap};
use crate::extractor::{EntityCandidate, EntityRequest, MentionInContext};

pub(super) fn entities(request: EntityRequest<'_>) -> Vec<EntityCandidate> {
    let types = TypeMap::new(request.ontology);
    let person = types.class(Kind::Person);
    let kinds: Vec<Kind> = request
        .mentions
        .iter()
        .map(|mention| types.kind(&[mention.mention_type]))
        .collect();
    let surnames = surnames(request.mentions, &kinds);
    let mut found: BTreeMap<(&str, &str), EntityCandidate> = BTreeMap::new();
    for ((mention, kind), position) in request.mentions.iter().zip(kinds).zip(0_u32..) {
        if kind.is_literal() {
            continue;
        }
        let named = kind == Kind::Thing && surnames.contains(mention.text);
        let class = person.filter(|_| named).unwrap_or(mention.mention_type);
        let candidate = found
            .entry((mention.text, class))
            .or_insert_with(|| EntityCandidate {
                name: mention.text.to_owned(),
                types: classes(mention.text, class, &types),
                attributes: BTreeMap::new(),
                confidence: Confidence::new(0.0),
                mentions: Vec::new(),
            });
        candidate.confidence = candidate.confidence.max(mention.confidence);
        candidate.mentions.push(position);
        if kind == Kind::Person || named {
            attributes(mention, &mut candidate.attributes);
        }
    }
    found.into_values().collect()
}

/// The last words of the persons among the mentions: what is called so elsewhere is a person, too.
fn surnames<'a>(mentions: &[MentionInContext<'a>], kinds: &[Kind]) -> BTreeSet<&'a str> {
    mentions
        .iter()
        .zip(kinds)
        .filter(|(_, kind)| **kind == Kind::Person)
        .filter_map(|(mention, _)| mention.text.rsplit_once(' '))
        .map(|(_, last)| last)
        .collect()
}

/// The suggested type, and the class that the name's head word names: `University`.
fn classes(name: &str, class: &str, types: &TypeMap<'_>) -> Vec<String> {
    let words: Vec<&str> = name.split_whitespace().collect();
    let of = words.iter().position(|word| *word == "of");
    let head = of
        .and_then(|of| of.checked_sub(1))
        .or(words.len().checked_sub(1));
    let special = head
        .and_then(|head| words.get(head))
        .and_then(|word| types.named(word))
        .filter(|special| words.len() > 1 && *special != class);
    std::iter::once(class.to_owned())
        .chain(special.map(str::to_owned))
        .collect()
}

/// What stands next to a person's name: a title before it.
fn attributes(mention: &MentionInContext<'_>, known: &mut BTreeMap<String, String>) {
    let title = mention
        .before
        .trim_end()
        .rsplit(char::is_whitespace)
        .next()
        .unwrap_or_default();
    let word = title.trim_end_matches('.');
    if one_of(
        word,
        "Mr Mrs Ms Dr Prof Professor President Captain Colonel General Senator Rev",
    ) && mention.before.ends_with(' ')
    {
        known
            .entry("title".to_owned())
            .or_insert_with(|| word.to_owned());
    }
}
