//! What an export consists of, in its order; evidence, the bulk of it, is read as it is written.

use std::collections::{BTreeMap, HashMap, HashSet};

use knowledge_domain::{
    document::DocumentStatus,
    ids::{BatchId, DocumentId, EntityId},
};

use crate::store::{
    StoreError,
    read::{
        DocumentView, EntityMember, EntityView, EvidenceView, Reads, RelationView, SameAsView,
        fold_entities, fold_relations,
    },
};

/// The graph of a batch, or of the organisation, without its evidence.
pub(super) struct Graph {
    /// By name and id.
    pub(super) entities: Vec<EntityView>,
    /// By subject, predicate, object or literal, and id.
    pub(super) relations: Vec<RelationView>,
    /// By canonical entity and member.
    pub(super) same_as: Vec<SameAsView>,
    /// A batch's in their order; an organisation's by name and id, each content once.
    pub(super) documents: Vec<DocumentView>,
}

impl Graph {
    pub(super) async fn read(reads: &Reads, batch: Option<BatchId>) -> Result<Self, StoreError> {
        let members = reads.entity_members(batch).await?;
        let same_as = links(reads, &members).await?;
        let faces = faces(reads, &members).await?;
        let mut entities = fold_entities(members, &faces);
        entities.sort_by(|left, right| (&left.name, left.id).cmp(&(&right.name, right.id)));
        let members = reads.relation_members(batch).await?;
        let mut relations: Vec<_> = fold_relations(members).into_values().collect();
        relations.sort_by(|left, right| order(left).cmp(&order(right)));
        let documents = reads.all_documents(batch).await?;
        Ok(Self {
            entities,
            relations,
            same_as,
            documents: match batch {
                Some(_) => documents,
                None => once_each(documents),
            },
        })
    }
}

fn order(
    relation: &RelationView,
) -> (
    EntityId,
    &str,
    Option<EntityId>,
    Option<&str>,
    knowledge_domain::ids::RelationId,
) {
    (
        relation.subject,
        &relation.predicate,
        relation.object,
        relation.literal.as_deref(),
        relation.id,
    )
}

/// The names of canonical entities that another batch found.
async fn faces(
    reads: &Reads,
    members: &[EntityMember],
) -> Result<HashMap<EntityId, String>, StoreError> {
    let here: HashSet<EntityId> = members.iter().map(|member| member.id).collect();
    let elsewhere: HashSet<EntityId> = members
        .iter()
        .map(|member| member.canonical_id)
        .filter(|canonical| !here.contains(canonical))
        .collect();
    let elsewhere: Vec<_> = elsewhere.into_iter().collect();
    reads.entity_names(&elsewhere).await
}

/// The links that hold: those of a member to the entity that faces its cluster now.
async fn links(reads: &Reads, members: &[EntityMember]) -> Result<Vec<SameAsView>, StoreError> {
    let canonical: HashMap<EntityId, EntityId> = members
        .iter()
        .filter(|member| member.id != member.canonical_id)
        .map(|member| (member.id, member.canonical_id))
        .collect();
    let merged: Vec<_> = canonical.keys().copied().collect();
    let mut links = reads.same_as(&merged).await?;
    links.retain(|link| canonical.get(&link.member) == Some(&link.canonical));
    Ok(links)
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
