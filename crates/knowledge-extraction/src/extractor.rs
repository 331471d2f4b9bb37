//! The port that every extractor stands behind: the offline rules, and language models.
//!
//! An extractor sees one piece of text at a time. Every position that it is given or returns is in
//! characters of that piece, end-exclusive; the workflow moves them into the document. What it
//! returns is a proposal: [`crate::verify`] checks it against the text and the ontology.

use std::collections::BTreeMap;

use knowledge_domain::{
    Ontology,
    graph::{CharSpan, Confidence},
    workflow::BoxFuture,
};
use serde::{Deserialize, Serialize};

use crate::{error::ExtractionError, verify::Rejections};

/// What names an extractor in a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtractorIdentity {
    /// The name: `offline`.
    pub name: String,
    /// Changes whenever the same input may give another result.
    pub version: String,
    /// What else decides the result: a model, a prompt version, a temperature.
    pub settings: BTreeMap<String, String>,
}

/// What an extractor found, and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<T> {
    /// What was found, in any order.
    pub items: Vec<T>,
    /// Tokens that a model reported; 0 without one.
    pub tokens_used: u64,
    /// What was mended or dropped before it became an item.
    pub rejections: Rejections,
    /// What the mentions of a chunk leave to its relations, as canonical JSON.
    pub memo: Option<serde_json::Value>,
}

impl<T> Found<T> {
    /// Adds what was found in another piece.
    pub(crate) fn join(&mut self, other: Self) {
        self.items.extend(other.items);
        self.tokens_used = self.tokens_used.saturating_add(other.tokens_used);
        self.rejections += other.rejections;
    }
}

impl<T> From<Vec<T>> for Found<T> {
    fn from(items: Vec<T>) -> Self {
        Self {
            items,
            tokens_used: 0,
            rejections: Rejections::default(),
            memo: None,
        }
    }
}

/// Asks for the mentions of a chunk.
#[derive(Debug, Clone, Copy)]
pub struct MentionRequest<'a> {
    /// The chunk's text.
    pub text: &'a str,
    /// The types that may be suggested.
    pub ontology: &'a Ontology,
    /// Names this call over all its attempts.
    pub idempotency_key: &'a str,
}

/// What an extractor knows of the entity behind a mention before it is asked for entities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityHint {
    /// The canonical name.
    pub name: String,
    /// What the text says of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// A proposed mention.
#[derive(Debug, Clone, PartialEq)]
pub struct MentionCandidate {
    /// The characters of the chunk that name something.
    pub span: CharSpan,
    /// The text there; where it does not match, it is looked for near by.
    pub text: String,
    /// A class of the ontology.
    pub mention_type: String,
    /// How sure the extractor is.
    pub confidence: Confidence,
    /// Its entity, where the extractor knows it already.
    pub entity: Option<EntityHint>,
}

/// A mention with the text around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MentionInContext<'a> {
    /// The mention's text.
    pub text: &'a str,
    /// The type that was suggested for it.
    pub mention_type: &'a str,
    /// How sure the extractor was.
    pub confidence: Confidence,
    /// Up to 120 characters before the mention.
    pub before: &'a str,
    /// Up to 120 characters after the mention.
    pub after: &'a str,
    /// Its entity, where the extractor knew it with the mention.
    pub entity: Option<&'a EntityHint>,
}

/// Asks for the entities behind a batch of mentions.
#[derive(Debug, Clone, Copy)]
pub struct EntityRequest<'a> {
    /// The mentions, in the order of the text, at most
    /// [`PipelineConfig::mentions_per_batch`](crate::PipelineConfig::mentions_per_batch).
    pub mentions: &'a [MentionInContext<'a>],
    /// The types that entities may have.
    pub ontology: &'a Ontology,
    /// Names this call over all its attempts.
    pub idempotency_key: &'a str,
}

/// A proposed entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityCandidate {
    /// The canonical name.
    pub name: String,
    /// Classes of the ontology, the likeliest first.
    pub types: Vec<String>,
    /// What the context says of it: `gender` → `female`.
    pub attributes: BTreeMap<String, String>,
    /// How sure the extractor is.
    pub confidence: Confidence,
    /// Positions in [`EntityRequest::mentions`].
    pub mentions: Vec<u32>,
}

/// A mention whose entity is known.
#[derive(Debug, Clone, PartialEq)]
pub struct TypedMention {
    /// What a relation calls it by.
    pub id: u32,
    /// Where it is in the chunk; `None` for a mention before the chunk.
    pub span: Option<CharSpan>,
    /// The mention's text.
    pub text: String,
    /// The types of its entity, the likeliest first.
    pub types: Vec<String>,
}

/// Asks for the relations of a chunk.
#[derive(Debug, Clone, Copy)]
pub struct RelationRequest<'a> {
    /// The chunk's text.
    pub text: &'a str,
    /// The chunk's mentions, in the order of the text.
    pub mentions: &'a [TypedMention],
    /// What the document is about: its first entity. May lie before the chunk.
    pub topic: Option<&'a TypedMention>,
    /// The predicates that relations may have, with their domains and ranges.
    pub ontology: &'a Ontology,
    /// What the mentions of the chunk left: [`Found::memo`].
    pub memo: Option<&'a serde_json::Value>,
    /// Names this call over all its attempts.
    pub idempotency_key: &'a str,
}

/// What a proposed relation points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectCandidate {
    /// The [`TypedMention::id`] of a mention of the object.
    Mention(u32),
    /// A plain value.
    Literal {
        /// The value as text.
        value: String,
        /// The class of the value (`Date`, `Quantity`) or the name of a datatype.
        literal_type: Option<String>,
    },
}

/// A proposed relation.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationCandidate {
    /// The [`TypedMention::id`] of a mention of the subject.
    pub subject: u32,
    /// The predicate in camelCase, or a property of the ontology.
    pub predicate: String,
    /// What the subject is related to.
    pub object: ObjectCandidate,
    /// The characters of the chunk that say so.
    pub evidence: CharSpan,
    /// How sure the extractor is.
    pub confidence: Confidence,
}

/// Finds mentions, entities and relations.
///
/// # Cancel safety
/// Dropping a returned future cancels the work; nothing is kept.
pub trait Extractor: Send + Sync {
    /// Who this is, for the fingerprint.
    fn identity(&self) -> ExtractorIdentity;

    /// Whether it asks models: its calls wait for their turn, cost tokens, and a unit may go
    /// without an answer.
    fn asks_models(&self) -> bool {
        false
    }

    /// Whether it asks for mentions alone, and takes entities and relations from those answers.
    fn asks_for_mentions_alone(&self) -> bool {
        false
    }

    /// The mentions of a chunk.
    fn mentions<'a>(
        &'a self,
        request: MentionRequest<'a>,
    ) -> BoxFuture<'a, Result<Found<MentionCandidate>, ExtractionError>>;

    /// The entities behind a batch of mentions. A mention that no candidate names is dropped.
    fn entities<'a>(
        &'a self,
        request: EntityRequest<'a>,
    ) -> BoxFuture<'a, Result<Found<EntityCandidate>, ExtractionError>>;

    /// The relations of a chunk, between its mentions or with a literal.
    fn relations<'a>(
        &'a self,
        request: RelationRequest<'a>,
    ) -> BoxFuture<'a, Result<Found<RelationCandidate>, ExtractionError>>;
}
