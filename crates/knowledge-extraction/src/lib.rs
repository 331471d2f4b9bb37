//! Text to graph: chunking, extractors, assembly, and the durable workflow's definition.
//!
//! Owns the one definition of the extraction workflow ([`extract_document`]), what each of its
//! activities does ([`ExtractionActivities`]), the port that extractors stand behind
//! ([`Extractor`]), the offline extractor ([`OfflineExtractor`]) and the one that asks a model
//! ([`llm`]), and what ontologies say ([`read_ontology`]). [`ExtractionPipeline`] runs it all without a database. Owns no store, no journal and
//! no HTTP client.

mod assemble;
mod chunk;
mod config;
mod error;
mod extractor;
pub mod llm;
mod offline;
mod ontology;
mod pipeline;
mod sentence;
mod verify;
mod workflow;

pub use assemble::{Assembly, FoundEntity, FoundMention, FoundRelation, RelationTarget, assemble};
pub use chunk::{ChunkConfig, chunks};
pub use config::{PipelineConfig, fingerprint, sha256_hex};
pub use error::ExtractionError;
pub use extractor::{
    EntityCandidate, EntityHint, EntityRequest, Extractor, ExtractorIdentity, Found,
    MentionCandidate, MentionInContext, MentionRequest, ObjectCandidate, RelationCandidate,
    RelationRequest, TypedMention,
};
pub use offline::OfflineExtractor;
pub use ontology::{MOST_ONTOLOGY_BYTES, OntologyDocument, OntologyError, read_ontology};
pub use pipeline::{Direct, ExtractionPipeline};
pub use verify::Rejections;
pub use workflow::{
    DocumentSource, ExtractionActivities, ExtractionInput, ExtractionSummary, GraphSink,
    MissingUnit, WORKFLOW_VERSION, extract_document, is_same_result,
};
