//! The entities behind a batch of mentions.
//!
//! Dates and amounts are values, not entities: they stay mentions and become literals of
//! relations.

use std::collections::BTreeMap;

use knowledge_domain::{core_type, graph::Confidence};

use super::{lexicon::one_of, ontology::TypeMap};
use crate::extractor::{EntityCandidate, EntityRequest, MentionInContext};

pub(super) fn entities(request: EntityRequest<'_>) -> Vec<EntityCandidate> {
    let types = TypeMap::new(request.ontology);
    let mut found: BTreeMap<(&str, &str), EntityCandidate> = BTreeMap::new();
    for (mention, position) in request.mentions.iter().zip(0_u32..) {
        let kind = types.kind(&[mention.mention_type.to_owned()], request.ontology);
        if kind.is_literal()
            || [core_type::DATE, core_type::QUANTITY].contains(&mention.mention_type)
        {
            continue;
        }
        let candidate = found
            .entry((mention.text, mention.mention_type))
            .or_insert_with(|| EntityCandidate {
                name: mention.text.to_owned(),
                types: classes(mention, &types),
                attributes: BTreeMap::new(),
                confidence: Confidence::new(0.0),
                mentions: Vec::new(),
            });
        candidate.confidence = candidate.confidence.max(mention.confidence);
        candidate.mentions.push(position);
        attributes(mention, &mut candidate.attributes);
    }
    found.into_values().collect()
}

/// The suggested type, and the class that the name's head word names: `University`.
fn classes(mention: &MentionInContext<'_>, types: &TypeMap<'_>) -> Vec<String> {
    let words: Vec<&str> = mention.text.split_whitespace().collect();
    let of = words.iter().position(|word| *word == "of");
    let head = of
        .and_then(|of| of.checked_sub(1))
        .or(words.len().checked_sub(1));
    let special = head
        .and_then(|head| words.get(head))
        .and_then(|word| types.named(word))
        .filter(|class| words.len() > 1 && *class != mention.mention_type);
    std::iter::once(mention.mention_type.to_owned())
        .chain(special.map(str::to_owned))
        .collect()
}

/// What stands next to the name: a title before a person, the years of a life after one.
fn attributes(mention: &MentionInContext<'_>, known: &mut BTreeMap<String, String>) {
    if mention.mention_type != core_type::PERSON {
        return;
    }
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
