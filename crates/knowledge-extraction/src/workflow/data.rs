//! What crosses the stages: canonical JSON, positions instead of text.

use knowledge_domain::{
    Ontology,
    graph::{CharSpan, Chunk},
    ids::DocumentId,
    workflow::ActivityError,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    assemble::{Assembly, FoundEntity, FoundMention, FoundRelation},
    chunk::ChunkConfig,
    config::{PipelineConfig, fingerprint},
    extractor::ExtractorIdentity,
    verify::Rejections,
};

/// What an extraction starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtractionInput {
    /// The document.
    pub document_id: DocumentId,
    /// The SHA-256 of its text, in hex.
    pub content_hash: String,
    /// The [`fingerprint`] of extractor, ontology and settings.
    pub fingerprint: String,
    /// The settings.
    pub config: PipelineConfig,
}

impl ExtractionInput {
    /// The input for a document, with the fingerprint of everything else that decides the result.
    #[must_use]
    pub fn new(
        document_id: DocumentId,
        content_hash: impl Into<String>,
        extractor: &ExtractorIdentity,
        ontology: &Ontology,
        config: PipelineConfig,
    ) -> Self {
        Self {
            document_id,
            content_hash: content_hash.into(),
            fingerprint: fingerprint(extractor, ontology, &config),
            config,
        }
    }

    pub(super) fn document(&self) -> DocumentRef {
        DocumentRef {
            document_id: self.document_id,
            content_hash: self.content_hash.clone(),
            fingerprint: self.fingerprint.clone(),
        }
    }
}

/// What an extraction found, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtractionSummary {
    /// Chunks of the document.
    pub chunk_count: u32,
    /// Mentions in the graph.
    pub mention_count: u32,
    /// Entities in the graph.
    pub entity_count: u32,
    /// Relations in the graph.
    pub relation_count: u32,
    /// Tokens that a model reported; 0 without one.
    pub total_tokens: u64,
    /// Proposals that were mended or dropped.
    pub rejections: Rejections,
}

/// Names a document and how it is extracted; in every input, so that a change of either is a new
/// activity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DocumentRef {
    pub(super) document_id: DocumentId,
    pub(super) content_hash: String,
    pub(super) fingerprint: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ChunkInput {
    pub(super) document: DocumentRef,
    pub(super) config: ChunkConfig,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ChunkOutput {
    pub(super) chunks: Vec<Chunk>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MentionsInput {
    pub(super) document: DocumentRef,
    pub(super) chunk: Chunk,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MentionsOutput {
    pub(super) mentions: Vec<FoundMention>,
    pub(super) tokens_used: u64,
    pub(super) rejections: Rejections,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EntitiesInput {
    pub(super) document: DocumentRef,
    pub(super) mentions: Vec<FoundMention>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EntitiesOutput {
    /// Their mentions are positions in the unit's input.
    pub(super) entities: Vec<FoundEntity>,
    pub(super) tokens_used: u64,
    pub(super) rejections: Rejections,
}

/// A mention with the types of its entity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RelationMention {
    /// The position among all mentions of the document.
    pub(super) id: u32,
    pub(super) span: CharSpan,
    pub(super) types: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RelationsInput {
    pub(super) document: DocumentRef,
    pub(super) chunk: Chunk,
    pub(super) mentions: Vec<RelationMention>,
    pub(super) topic: Option<RelationMention>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RelationsOutput {
    pub(super) relations: Vec<FoundRelation>,
    pub(super) tokens_used: u64,
    pub(super) rejections: Rejections,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AssembleInput {
    pub(super) document: DocumentRef,
    pub(super) assembly: Assembly,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(
    clippy::struct_field_names,
    reason = "the names of the summary that they go to"
)]
pub(super) struct AssembleOutput {
    pub(super) mention_count: u32,
    pub(super) entity_count: u32,
    pub(super) relation_count: u32,
}

pub(super) fn encode<T: Serialize>(unit: &str, value: &T) -> Result<Vec<u8>, ActivityError> {
    serde_json::to_vec(value)
        .map_err(|error| ActivityError::permanent(format!("cannot write data of {unit}: {error}")))
}

pub(super) fn decode<T: DeserializeOwned>(
    unit: &str,
    what: &str,
    bytes: &[u8],
) -> Result<T, ActivityError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let message = format!("cannot read the recorded {what} of {unit}: {error}");
        ActivityError::permanent(message)
    })
}
