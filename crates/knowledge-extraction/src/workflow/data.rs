//! What crosses the stages: canonical JSON, positions instead of text.

use knowledge_domain::{
    Ontology,
    graph::{CharSpan, Chunk},
    ids::DocumentId,
    workflow::{ActivityError, UnitReport},
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
    /// The least share of a stage's units, in percent, that must have been extracted.
    #[serde(default = "all")]
    pub minimum_coverage: u32,
}

fn all() -> u32 {
    100
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
            minimum_coverage: all(),
        }
    }

    /// The same, content with a share of a stage's units, in percent; 100 are all.
    #[must_use]
    pub fn with_minimum_coverage(self, percent: u32) -> Self {
        Self {
            minimum_coverage: percent.min(100),
            ..self
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

/// A unit that could not be extracted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingUnit {
    /// The stage and the unit: `mentions/3`.
    pub unit: String,
    /// Why.
    pub reason: String,
}

/// What an extraction found, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Units that the graph is without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingUnit>,
}

impl ExtractionSummary {
    /// The names of the units that the graph is without.
    #[must_use]
    pub fn missing_names(&self) -> Vec<String> {
        self.missing.iter().map(|unit| unit.unit.clone()).collect()
    }
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

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct MentionsOutput {
    pub(super) mentions: Vec<FoundMention>,
    pub(super) tokens_used: u64,
    pub(super) rejections: Rejections,
    /// What the chunk's relations are made of, where the extractor knows it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) memo: Option<serde_json::Value>,
    /// Why nothing could be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) missing: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EntitiesInput {
    pub(super) document: DocumentRef,
    pub(super) mentions: Vec<FoundMention>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct EntitiesOutput {
    /// Their mentions are positions in the unit's input.
    pub(super) entities: Vec<FoundEntity>,
    pub(super) tokens_used: u64,
    pub(super) rejections: Rejections,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) missing: Option<String>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) memo: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct RelationsOutput {
    pub(super) relations: Vec<FoundRelation>,
    pub(super) tokens_used: u64,
    pub(super) rejections: Rejections,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) missing: Option<String>,
}

/// The output of a stage that asks an extractor.
pub(super) trait Asked: DeserializeOwned {
    /// Why the unit has no result.
    fn missing(&self) -> Option<&str>;
}

impl Asked for MentionsOutput {
    fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }
}

impl Asked for EntitiesOutput {
    fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }
}

impl Asked for RelationsOutput {
    fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }
}

/// What any output says beside its result.
pub(super) fn report(output: &[u8]) -> UnitReport {
    #[derive(Default, Deserialize)]
    struct Beside {
        #[serde(default)]
        tokens_used: u64,
        #[serde(default)]
        missing: Option<String>,
    }
    // An output without these fields reports nothing; what cannot be read fails where it is used.
    let beside: Beside = serde_json::from_slice(output).unwrap_or_default();
    UnitReport {
        tokens: beside.tokens_used,
        skipped: beside.missing,
    }
}

/// Whether two outputs of a unit say the same, whatever they cost.
#[must_use]
pub fn is_same_result(one: &[u8], other: &[u8]) -> bool {
    fn result(output: &[u8]) -> Option<serde_json::Value> {
        let mut output: serde_json::Value = serde_json::from_slice(output).ok()?;
        if let Some(fields) = output.as_object_mut() {
            fields.remove("tokens_used");
        }
        Some(output)
    }
    one == other || result(one).is_some_and(|one| Some(one) == result(other))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AssembleInput {
    pub(super) document: DocumentRef,
    pub(super) assembly: Assembly,
    /// Units that the graph is without: with others it is another graph.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) missing: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(
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
