//! One graph per document from what the stages found.
//!
//! Owns which mentions mean one entity, canonical names, and the folding of relations. The result
//! depends on what was found, not on the order in which it was.

mod merge;
mod name;
mod relations;

use std::collections::{BTreeMap, BTreeSet};

use knowledge_domain::{
    Ontology,
    graph::{CharSpan, Chunk, Confidence, DocumentGraph, Entity, Mention, SourceText},
};
use serde::{Deserialize, Serialize};

pub use crate::extractor::EntityCandidate as FoundEntity;
use crate::extractor::EntityHint;

#[cfg(test)]
mod tests;

/// A verified mention, in characters of the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundMention {
    /// The characters.
    pub span: CharSpan,
    /// The type that the extractor suggested.
    pub mention_type: String,
    /// How sure the extractor is.
    pub confidence: Confidence,
    /// Its entity, where the extractor knows it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityHint>,
}

/// What a verified relation points at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationTarget {
    /// A position in [`Assembly::mentions`].
    Mention(u32),
    /// A plain value.
    Literal {
        /// The value as text.
        value: String,
        /// The class of the value or the name of a datatype.
        literal_type: Option<String>,
    },
}

/// A verified relation between mentions of a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FoundRelation {
    /// A position in [`Assembly::mentions`].
    pub subject: u32,
    /// The predicate.
    pub predicate: String,
    /// What the subject is related to.
    pub object: RelationTarget,
    /// The characters of the document that say so.
    pub evidence: CharSpan,
    /// How sure the extractor is.
    pub confidence: Confidence,
}

/// Everything that the stages found in one document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Assembly {
    /// Chunks in the order of the text.
    pub chunks: Vec<Chunk>,
    /// Mentions sorted by span, each span once.
    pub mentions: Vec<FoundMention>,
    /// Entities with positions in `mentions`; a mention without entity stays without one.
    pub entities: Vec<FoundEntity>,
    /// Relations, in any order.
    pub relations: Vec<FoundRelation>,
}

/// Puts the graph of a document together.
///
/// Entities are merged by canonical name, alias, short form and acronym over the whole document.
/// A relation to a mention without entity (a date, an amount) points at its text as a literal.
#[must_use]
pub fn assemble(source: &SourceText, assembly: Assembly, ontology: &Ontology) -> DocumentGraph {
    let texts: Vec<&str> = assembly
        .mentions
        .iter()
        .map(|mention| source.slice(mention.span).unwrap_or_default())
        .collect();
    let groups = merge::merge(&assembly.entities, &texts, ontology);
    let mut owner: Vec<Option<u32>> = vec![None; texts.len()];
    let mut entities = Vec::with_capacity(groups.len());
    for (group, position) in groups.into_iter().zip(0_u32..) {
        for mention in &group.mentions {
            owner[*mention as usize] = Some(position);
        }
        entities.push(group);
    }
    let relations = relations::fold(
        source,
        &assembly.relations,
        &owner,
        &texts,
        &assembly.mentions,
    );
    let mentions = mentions(&assembly.mentions, &texts, &owner, &entities);
    DocumentGraph {
        chunks: assembly.chunks,
        mentions,
        entities: entities
            .into_iter()
            .map(|group| group.into_entity(&texts, ontology))
            .collect(),
        relations,
    }
}

/// Mentions with the leading type of their entity, which the whole document has decided.
fn mentions(
    found: &[FoundMention],
    texts: &[&str],
    owner: &[Option<u32>],
    groups: &[Group],
) -> Vec<Mention> {
    found
        .iter()
        .zip(texts)
        .zip(owner)
        .map(|((mention, text), owner)| {
            let decided = owner.and_then(|position| groups.get(position as usize));
            Mention {
                span: mention.span,
                text: (*text).to_owned(),
                mention_type: decided.map_or_else(
                    || mention.mention_type.clone(),
                    |group| group.leading.clone(),
                ),
                confidence: mention.confidence,
            }
        })
        .collect()
}

/// Candidates that mean one thing.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    /// The canonical name.
    name: String,
    /// The type that most candidates lead with.
    leading: String,
    /// All types, sorted.
    types: Vec<String>,
    attributes: BTreeMap<String, String>,
    confidence: Confidence,
    /// Positions of mentions, sorted.
    mentions: Vec<u32>,
    /// Names that candidates proposed beside the text of their mentions.
    names: Vec<String>,
}

impl Group {
    fn into_entity(self, texts: &[&str], ontology: &Ontology) -> Entity {
        let mut aliases: Vec<String> = self
            .mentions
            .iter()
            .filter_map(|mention| texts.get(*mention as usize))
            .map(|text| name::shown(text))
            .chain(self.names)
            .filter(|alias| *alias != self.name && !alias.is_empty())
            .collect();
        aliases.sort_unstable();
        aliases.dedup();
        let above = self.types.iter().flat_map(|class| ontology.above(class));
        let above = above.map(|class| &class.name);
        let above: BTreeSet<&String> = above.filter(|name| !self.types.contains(name)).collect();
        Entity {
            name: self.name,
            above: above.into_iter().cloned().collect(),
            types: self.types,
            aliases,
            attributes: self.attributes,
            confidence: self.confidence,
            mentions: self.mentions,
        }
    }
}
