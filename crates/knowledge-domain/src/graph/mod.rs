//! The graph of one document: chunks, mentions, entities, relations and their evidence.
//!
//! All positions are Unicode scalar values of the original document, end-exclusive. Within a
//! [`DocumentGraph`] rows refer to each other by position; ids are derived when it is stored.

mod confidence;
mod span;
mod text;

use std::collections::BTreeMap;

pub use confidence::Confidence;
use serde::{Deserialize, Serialize};
pub use span::{CharSpan, InvalidSpan};
pub use text::SourceText;

/// A piece of a document that is extracted on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// From 0, in the order of the text.
    pub position: u32,
    /// The characters that the chunk covers; neighbours overlap by a sentence.
    pub span: CharSpan,
}

/// A stretch of text that names something: immutable evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mention {
    /// The characters; the document's text there is exactly `text`.
    pub span: CharSpan,
    /// The text.
    pub text: String,
    /// The type that the extractor suggests: a class of the ontology.
    pub mention_type: String,
    /// How sure the extractor is.
    pub confidence: Confidence,
}

/// A thing that a document talks about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// The canonical name: the fullest one that the document uses.
    pub name: String,
    /// Classes of the ontology, sorted, at least one.
    pub types: Vec<String>,
    /// The classes that those specialise, directly or not, sorted, without themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub above: Vec<String>,
    /// Other names that the document uses, sorted, without the canonical one.
    pub aliases: Vec<String>,
    /// What is known beside the relations: `birthYear` → `1842`.
    pub attributes: BTreeMap<String, String>,
    /// How sure the extractor is.
    pub confidence: Confidence,
    /// Positions in [`DocumentGraph::mentions`], sorted.
    pub mentions: Vec<u32>,
}

/// What a relation points at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationObject {
    /// A position in [`DocumentGraph::entities`].
    Entity(u32),
    /// A plain value.
    Literal {
        /// The value as text.
        value: String,
        /// The class of the value (`Date`, `Quantity`) or the name of a datatype.
        literal_type: Option<String>,
    },
}

/// The stretch of text that a statement rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The characters; the document's text there is exactly `text`.
    pub span: CharSpan,
    /// The text.
    pub text: String,
    /// How sure the extractor is.
    pub confidence: Confidence,
}

/// A statement about an entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    /// A position in [`DocumentGraph::entities`].
    pub subject: u32,
    /// The predicate in camelCase, or a property of the ontology: `bornIn`.
    pub predicate: String,
    /// What the subject is related to.
    pub object: RelationObject,
    /// How sure the extractor is: the highest of the evidence.
    pub confidence: Confidence,
    /// Where the document says so, at least once, sorted by span.
    pub evidence: Vec<Evidence>,
}

/// Everything that was found in one document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DocumentGraph {
    /// Chunks in the order of the text.
    pub chunks: Vec<Chunk>,
    /// Mentions sorted by span, each span once.
    pub mentions: Vec<Mention>,
    /// Entities sorted by their first mention.
    pub entities: Vec<Entity>,
    /// Relations sorted by subject, predicate and object.
    pub relations: Vec<Relation>,
}
