//! What an export consists of, in its order, read a portion at a time.
//!
//! In memory are the ids of all entities, the documents, and a portion of what entities are. All portions are of one
//! state of the database.

use std::collections::{BTreeMap, HashMap, HashSet};

use knowledge_domain::{
    document::DocumentStatus,
    ids::{BatchId, DocumentId, EntityId, RelationId},
};

use crate::store::{
    StoreError,
    read::{
        DocumentView, EntityMember, EntityView, EvidenceView, Reads, RelationView, SameAsView,
        fold_entities, fold_relations,
    },
};

/// Entities that are read at a time, with their members, relations and evidence.
const PORTION: usize = 500;

/// The graph of a batch, or of the organisation.
pub(super) struct Graph {
    reads: Reads,
    batch: Option<BatchId>,
}

/// Entities, and where their documents name them.
pub(super) struct Entities {
    pub(super) entities: Vec<EntityView>,
    pub(super) evidence: HashMap<EntityId, Vec<EvidenceView>>,
}

/// Relations, and where documents state them.
pub(super) struct Relations {
    pub(super) relations: Vec<RelationView>,
    pub(super) evidence: HashMap<RelationId, Vec<EvidenceView>>,
}

impl Graph {
    pub(super) fn new(reads: Reads, batch: Option<BatchId>) -> Self {
        Self { reads, batch }
    }

    /// The canonical entities, in portions, by name and id.
    pub(super) async fn entities(&self) -> Result<Vec<Vec<EntityId>>, StoreError> {
        Ok(portions(&self.reads.faces(self.batch).await?))
    }

    /// A portion of them, in its order.
    pub(super) async fn read_entities(&self, ids: &[EntityId]) -> Result<Entities, StoreError> {
        let members = self.reads.entity_members(self.batch, ids).await?;
        let faces = self.faces_elsewhere(&members).await?;
        let mut entities: HashMap<EntityId, EntityView> = fold_entities(members, &faces)
            .into_iter()
            .map(|entity| (entity.id, entity))
            .collect();
        Ok(Entities {
            entities: ids.iter().filter_map(|id| entities.remove(id)).collect(),
            evidence: self.reads.entity_evidence(self.batch, ids).await?,
        })
    }

    /// The canonical entities of which something is stated, in portions, by id.
    pub(super) async fn subjects(&self) -> Result<Vec<Vec<EntityId>>, StoreError> {
        Ok(portions(&self.reads.subjects(self.batch).await?))
    }

    /// The relations of a portion, by subject, predicate, object or literal, and id.
    pub(super) async fn read_relations(
        &self,
        subjects: &[EntityId],
    ) -> Result<Relations, StoreError> {
        let members = self.reads.relation_members(self.batch, subjects).await?;
        let ids: Vec<_> = members.iter().map(|member| member.id).collect();
        let mut relations: Vec<_> = fold_relations(members).into_values().collect();
        relations.sort_by(|left, right| order(left).cmp(&order(right)));
        Ok(Relations {
            relations,
            evidence: self.reads.relation_evidence(&ids).await?,
        })
    }

    /// The links of a portion of canonical entities that hold, by entity and member: those of a
    /// member to the entity that faces its cluster now.
    pub(super) async fn read_links(
        &self,
        entities: &[EntityId],
    ) -> Result<Vec<SameAsView>, StoreError> {
        let members = self.reads.entity_members(self.batch, entities).await?;
        let canonical: HashMap<EntityId, EntityId> = members
            .iter()
            .filter(|member| member.id != member.canonical_id)
            .map(|member| (member.id, member.canonical_id))
            .collect();
        let merged: Vec<_> = canonical.keys().copied().collect();
        let mut links = self.reads.same_as(&merged).await?;
        links.retain(|link| canonical.get(&link.member) == Some(&link.canonical));
        links.sort_by_key(|link| (link.canonical, link.member));
        Ok(links)
    }

    /// A batch's documents in their order. An organisation's, and a batch's if each content is
    /// wanted once, by name and id.
    pub(super) async fn documents(&self, once: bool) -> Result<Vec<DocumentView>, StoreError> {
        let documents = self.reads.all_documents(self.batch).await?;
        Ok(if once || self.batch.is_none() {
            once_each(documents)
        } else {
            documents
        })
    }

    /// The names of canonical entities that another batch found.
    async fn faces_elsewhere(
        &self,
        members: &[EntityMember],
    ) -> Result<HashMap<EntityId, String>, StoreError> {
        let here: HashSet<EntityId> = members.iter().map(|member| member.id).collect();
        let elsewhere: HashSet<EntityId> = members
            .iter()
            .map(|member| member.canonical_id)
            .filter(|canonical| !here.contains(canonical))
            .collect();
        let elsewhere: Vec<_> = elsewhere.into_iter().collect();
        self.reads.entity_names(&elsewhere).await
    }
}

/// In portions of what is read at a time.
pub(super) fn portions(ids: &[EntityId]) -> Vec<Vec<EntityId>> {
    ids.chunks(PORTION).map(<[EntityId]>::to_vec).collect()
}

fn order(relation: &RelationView) -> (EntityId, &str, Option<EntityId>, Option<&str>, RelationId) {
    (
        relation.subject,
        &relation.predicate,
        relation.object,
        relation.literal.as_deref(),
        relation.id,
    )
}

/// Every content once: a document that completed stands for it before one that did not, a later
/// one before an earlier.
fn once_each(documents: Vec<DocumentView>) -> Vec<DocumentView> {
    let mut by_content: BTreeMap<DocumentId, DocumentView> = BTreeMap::new();
    for document in documents {
        let completed = |it: &DocumentView| it.status == DocumentStatus::Completed;
        match by_content.get(&document.content_id) {
            Some(kept) if completed(kept) && !completed(&document) => {}
            _ => {
                by_content.insert(document.content_id, document);
            }
        }
    }
    let mut documents: Vec<_> = by_content.into_values().collect();
    documents
        .sort_by(|left, right| (&left.name, left.content_id).cmp(&(&right.name, right.content_id)));
    documents
}

/// Sorted by document and span, each stretch once, whichever extractors found it.
pub(super) fn distinct(mut evidence: Vec<EvidenceView>) -> Vec<EvidenceView> {
    let place = |it: &EvidenceView| (it.document_id, it.start_char, it.end_char);
    evidence.sort_by_key(place);
    evidence.dedup_by_key(|it| place(it));
    evidence
}
