//! Writing one document's graph.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    graph::{DocumentGraph, Entity, RelationObject},
    ids::{
        ChunkId, DocumentId, EntityId, EvidenceId, ExecutionId, ExtractionId, MentionId,
        OntologyId, OrganizationId, RelationId,
    },
};
use knowledge_extraction::sha256_hex;
use knowledge_tables::{chunk, entity, extraction, mention_record, relation, relation_evidence};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QuerySelect, sea_query::OnConflict,
};
use uuid::Uuid;

use super::{Store, StoreError, convert, scope::owned, together::Together};
use crate::faults::{FailurePoint, hit};

/// What a stored graph is of, and what found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractionOrigin {
    /// The tenant.
    pub organization: OrganizationId,
    /// The document.
    pub document: DocumentId,
    /// The workflow that found it.
    pub execution: ExecutionId,
    /// The ontology; the core types when absent.
    pub ontology: Option<OntologyId>,
    /// SHA-256 of extractor, ontology and settings, in hex.
    pub fingerprint: String,
    /// The extractor's name and version.
    pub extractor: String,
    /// The model that was asked, where one was.
    pub model: Option<String>,
    /// The versions of its prompts.
    pub prompt_version: Option<String>,
}

impl ExtractionOrigin {
    /// The origin of a graph that is without these units: not the same as the whole one, nor as one
    /// that is without others.
    #[must_use]
    pub fn without(&self, units: &[String]) -> Self {
        if units.is_empty() {
            return self.clone();
        }
        let parts = serde_json::json!([self.fingerprint, units]);
        Self {
            fingerprint: sha256_hex(parts.to_string().as_bytes()),
            ..self.clone()
        }
    }

    /// The id that the extraction gets where it is not stored yet, and with it all its rows.
    #[must_use]
    pub fn extraction(&self) -> ExtractionId {
        ExtractionId::derive(self.document, &self.fingerprint)
    }
}

/// A document's graph with what found it; cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundGraph {
    /// What it is of, and what found it.
    pub origin: ExtractionOrigin,
    /// The graph.
    pub graph: Arc<DocumentGraph>,
}

impl FoundGraph {
    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        let evidence = self
            .graph
            .relations
            .iter()
            .map(|relation| relation.evidence.len());
        self.graph.chunks.len()
            + self.graph.mentions.len()
            + self.graph.entities.len()
            + self.graph.relations.len()
            + evidence.sum::<usize>()
    }
}

impl Store {
    /// The extraction where it is stored, which it is with its whole graph or not at all.
    pub async fn stored_extraction(
        &self,
        origin: &ExtractionOrigin,
    ) -> Result<Option<ExtractionId>, StoreError> {
        stored(self.read(), origin).await
    }

    /// Stores a document's graph in a transaction of its own.
    pub async fn store_graph(
        &self,
        found: &FoundGraph,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        write_graph(&tx, found, at).await?;
        Ok(tx.commit().await?)
    }
}

/// The extraction of this document with this fingerprint: its id need not be the one that would be
/// derived today.
async fn stored(
    database: &impl ConnectionTrait,
    origin: &ExtractionOrigin,
) -> Result<Option<ExtractionId>, StoreError> {
    use extraction::Column;
    let found: Option<Uuid> = extraction::Entity::find()
        .filter(Column::DocumentId.eq(origin.document.uuid()))
        .filter(Column::Fingerprint.eq(origin.fingerprint.as_str()))
        .filter(owned(Column::OrganizationId, origin.organization))
        .select_only()
        .column(Column::Id)
        .into_tuple()
        .one(database)
        .await?;
    Ok(found.map(ExtractionId::from_uuid))
}

/// Writes a document's graph, unless it is there, and tells its extraction: that is stored with all
/// its rows or not at all, so its own row says so.
pub(super) async fn write_graph(
    tx: &DatabaseTransaction,
    found: &FoundGraph,
    at: DateTime<Utc>,
) -> Result<ExtractionId, StoreError> {
    let extraction = found.origin.extraction();
    let rows = GraphRows::of(found, extraction, at);
    hit(FailurePoint::GraphBeforeWrite);
    let once = || OnConflict::new().do_nothing().to_owned();
    let inserted = extraction::Entity::insert_many([rows.extraction()])
        .on_conflict(once())
        .exec_without_returning(tx)
        .await?;
    if inserted == 0 {
        return Ok(stored(tx, &found.origin).await?.unwrap_or(extraction));
    }
    let mut together = Together::of_graph();
    together.insert(rows.chunks().collect(), Some(once()))?;
    together.insert(rows.entities()?, Some(once()))?;
    together.write(tx).await?;
    hit(FailurePoint::GraphHalfWritten);
    let mut together = Together::of_graph();
    together.insert(rows.mentions().collect(), Some(once()))?;
    together.insert(rows.relations().collect(), Some(once()))?;
    together.insert(rows.evidence().collect(), Some(once()))?;
    together.write(tx).await?;
    hit(FailurePoint::GraphWritten);
    Ok(extraction)
}

pub(super) struct GraphRows<'a> {
    origin: &'a ExtractionOrigin,
    graph: &'a DocumentGraph,
    extraction: ExtractionId,
    at: DateTime<Utc>,
}

impl<'a> GraphRows<'a> {
    /// The rows of a graph, with ids that come from this extraction's.
    pub(super) fn of(found: &'a FoundGraph, extraction: ExtractionId, at: DateTime<Utc>) -> Self {
        Self {
            origin: &found.origin,
            graph: &found.graph,
            extraction,
            at,
        }
    }
}

impl GraphRows<'_> {
    fn organization(&self) -> Uuid {
        self.origin.organization.uuid()
    }

    fn document(&self) -> Uuid {
        self.origin.document.uuid()
    }

    fn entity_id(&self, position: u32) -> Uuid {
        EntityId::derive(self.extraction, position as usize).uuid()
    }

    fn extraction(&self) -> extraction::ActiveModel {
        extraction::ActiveModel {
            id: Set(self.extraction.uuid()),
            organization_id: Set(self.organization()),
            document_id: Set(self.document()),
            execution_id: Set(Some(self.origin.execution.uuid())),
            ontology_id: Set(self.origin.ontology.map(OntologyId::uuid)),
            fingerprint: Set(self.origin.fingerprint.clone()),
            extractor: Set(self.origin.extractor.clone()),
            model: Set(self.origin.model.clone()),
            prompt_version: Set(self.origin.prompt_version.clone()),
            status: Set("completed".to_owned()),
            chunk_count: Set(convert::count(self.graph.chunks.len())),
            mention_count: Set(convert::count(self.graph.mentions.len())),
            entity_count: Set(convert::count(self.graph.entities.len())),
            relation_count: Set(convert::count(self.graph.relations.len())),
            total_tokens: Set(0),
            completed_at: Set(Some(self.at)),
            created_at: Set(self.at),
            updated_at: Set(self.at),
        }
    }

    pub(super) fn chunks(&self) -> impl Iterator<Item = chunk::ActiveModel> {
        self.graph.chunks.iter().map(|chunk| chunk::ActiveModel {
            id: Set(ChunkId::derive(self.extraction, chunk.position as usize).uuid()),
            organization_id: Set(self.organization()),
            extraction_id: Set(self.extraction.uuid()),
            document_id: Set(self.document()),
            position: Set(convert::count(chunk.position)),
            start_char: Set(convert::count(chunk.span.start())),
            end_char: Set(convert::count(chunk.span.end())),
            created_at: Set(self.at),
            updated_at: Set(self.at),
        })
    }

    pub(super) fn entities(&self) -> Result<Vec<entity::ActiveModel>, StoreError> {
        self.graph
            .entities
            .iter()
            .zip(0..)
            .map(|(entity, position)| self.entity(entity, position))
            .collect()
    }

    fn entity(&self, entity: &Entity, position: u32) -> Result<entity::ActiveModel, StoreError> {
        let id = self.entity_id(position);
        Ok(entity::ActiveModel {
            id: Set(id),
            organization_id: Set(self.organization()),
            extraction_id: Set(self.extraction.uuid()),
            document_id: Set(self.document()),
            position: Set(convert::count(position)),
            name: Set(entity.name.clone()),
            types: Set(convert::to_json(&entity.types)?),
            aliases: Set(convert::to_json(&entity.aliases)?),
            attributes: Set(convert::to_json(&entity.attributes)?),
            confidence: Set(entity.confidence.value()),
            mention_count: Set(convert::count(entity.mentions.len())),
            search_key: Set(search_key(entity)),
            type_key: Set(convert::type_key(&entity.types, &entity.above)),
            canonical_id: Set(id),
            form_id: Set(None),
            clustered: Set(false),
            created_at: Set(self.at),
            updated_at: Set(self.at),
        })
    }

    pub(super) fn mentions(&self) -> impl Iterator<Item = mention_record::ActiveModel> {
        let mut entity_of = vec![None; self.graph.mentions.len()];
        for (entity, position) in self.graph.entities.iter().zip(0..) {
            for mention in &entity.mentions {
                if let Some(slot) = entity_of.get_mut(*mention as usize) {
                    *slot = Some(self.entity_id(position));
                }
            }
        }
        let mentions = self.graph.mentions.iter().zip(entity_of);
        mentions.map(|(mention, entity_id)| {
            let (start, end) = mention.span.into();
            mention_record::ActiveModel {
                id: Set(MentionId::derive(self.extraction, start, end).uuid()),
                organization_id: Set(self.organization()),
                extraction_id: Set(self.extraction.uuid()),
                document_id: Set(self.document()),
                chunk_id: Set(self.chunk_of(start)),
                entity_id: Set(entity_id),
                text: Set(mention.text.clone()),
                start_char: Set(convert::count(start)),
                end_char: Set(convert::count(end)),
                mention_type: Set(mention.mention_type.clone()),
                confidence: Set(mention.confidence.value()),
                response_hash: Set(None),
                resolved_entity_id: Set(None),
                created_at: Set(self.at),
                updated_at: Set(self.at),
            }
        })
    }

    /// The last chunk that starts at or before a character.
    fn chunk_of(&self, start: u32) -> Uuid {
        let after = self
            .graph
            .chunks
            .partition_point(|chunk| chunk.span.start() <= start);
        ChunkId::derive(self.extraction, after.saturating_sub(1)).uuid()
    }

    pub(super) fn relations(&self) -> impl Iterator<Item = relation::ActiveModel> {
        let relations = self.graph.relations.iter().enumerate();
        relations.map(|(position, relation)| {
            let (object, literal, literal_type) = match &relation.object {
                RelationObject::Entity(object) => (Some(self.entity_id(*object)), None, None),
                RelationObject::Literal {
                    value,
                    literal_type,
                } => (None, Some(value.clone()), literal_type.clone()),
            };
            relation::ActiveModel {
                id: Set(RelationId::derive(self.extraction, position).uuid()),
                organization_id: Set(self.organization()),
                extraction_id: Set(self.extraction.uuid()),
                position: Set(convert::count(position)),
                subject_id: Set(self.entity_id(relation.subject)),
                predicate: Set(relation.predicate.clone()),
                object_id: Set(object),
                literal_value: Set(literal),
                literal_type: Set(literal_type),
                confidence: Set(relation.confidence.value()),
                created_at: Set(self.at),
                updated_at: Set(self.at),
            }
        })
    }

    pub(super) fn evidence(&self) -> impl Iterator<Item = relation_evidence::ActiveModel> {
        let relations = self.graph.relations.iter().enumerate();
        relations.flat_map(move |(position, relation)| {
            let relation_id = RelationId::derive(self.extraction, position);
            relation.evidence.iter().map(move |evidence| {
                let (start, end) = evidence.span.into();
                relation_evidence::ActiveModel {
                    id: Set(EvidenceId::derive(relation_id, start, end).uuid()),
                    organization_id: Set(self.organization()),
                    relation_id: Set(relation_id.uuid()),
                    document_id: Set(self.document()),
                    start_char: Set(convert::count(start)),
                    end_char: Set(convert::count(end)),
                    text: Set(evidence.text.clone()),
                    confidence: Set(evidence.confidence.value()),
                    created_at: Set(self.at),
                    updated_at: Set(self.at),
                }
            })
        })
    }
}

/// Name and aliases in lower case, a line each: what a search looks through.
fn search_key(entity: &Entity) -> String {
    let mut key = entity.name.to_lowercase();
    for alias in &entity.aliases {
        key.push('\n');
        key.push_str(&alias.to_lowercase());
    }
    key
}
