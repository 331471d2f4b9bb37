//! Relations between entities: re-pointed, and duplicates folded with their evidence kept.

use std::collections::BTreeMap;

use knowledge_domain::graph::{Confidence, Evidence, Relation, RelationObject, SourceText};

use super::{FoundMention, FoundRelation, RelationTarget};

/// Relations sorted by subject, predicate and object.
///
/// A subject without entity drops the relation, and so does an object that is the subject.
pub(super) fn fold(
    source: &SourceText,
    found: &[FoundRelation],
    owner: &[Option<u32>],
    texts: &[&str],
    mentions: &[FoundMention],
) -> Vec<Relation> {
    let mut folded: BTreeMap<Key, Relation> = BTreeMap::new();
    let mut sorted: Vec<&FoundRelation> = found.iter().collect();
    sorted.sort();
    for relation in sorted {
        let owner_of = |mention: u32| owner.get(mention as usize).copied().flatten();
        let Some(subject) = owner_of(relation.subject) else {
            continue;
        };
        let object = match &relation.object {
            RelationTarget::Mention(mention) => match owner_of(*mention) {
                Some(entity) => Some(RelationObject::Entity(entity)),
                None => literal(*mention, texts, mentions),
            },
            RelationTarget::Literal {
                value,
                literal_type,
            } => Some(RelationObject::Literal {
                value: value.clone(),
                literal_type: literal_type.clone(),
            }),
        };
        let Some(object) = object.filter(|object| *object != RelationObject::Entity(subject))
        else {
            continue;
        };
        let Some(text) = source.slice(relation.evidence) else {
            continue;
        };
        let evidence = Evidence {
            span: relation.evidence,
            text: text.to_owned(),
            confidence: relation.confidence,
        };
        let key = Key::new(subject, &relation.predicate, &object);
        add(folded.entry(key), relation, subject, object, evidence);
    }
    folded.into_values().collect()
}

fn add(
    entry: std::collections::btree_map::Entry<'_, Key, Relation>,
    found: &FoundRelation,
    subject: u32,
    object: RelationObject,
    evidence: Evidence,
) {
    let relation = entry.or_insert_with(|| Relation {
        subject,
        predicate: found.predicate.clone(),
        object,
        confidence: Confidence::new(0.0),
        evidence: Vec::new(),
    });
    relation.confidence = relation.confidence.max(evidence.confidence);
    match relation
        .evidence
        .binary_search_by_key(&evidence.span, |known| known.span)
    {
        Ok(known) => {
            let known = &mut relation.evidence[known];
            known.confidence = known.confidence.max(evidence.confidence);
        }
        Err(position) => relation.evidence.insert(position, evidence),
    }
}

fn literal(mention: u32, texts: &[&str], mentions: &[FoundMention]) -> Option<RelationObject> {
    Some(RelationObject::Literal {
        value: (*texts.get(mention as usize)?).to_owned(),
        literal_type: Some(mentions.get(mention as usize)?.mention_type.clone()),
    })
}

/// What makes two relations one: case does not count.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    subject: u32,
    predicate: String,
    object: (Option<u32>, String),
}

impl Key {
    fn new(subject: u32, predicate: &str, object: &RelationObject) -> Self {
        Self {
            subject,
            predicate: predicate.to_lowercase(),
            object: match object {
                RelationObject::Entity(entity) => (Some(*entity), String::new()),
                RelationObject::Literal { value, .. } => (None, value.to_lowercase()),
            },
        }
    }
}
