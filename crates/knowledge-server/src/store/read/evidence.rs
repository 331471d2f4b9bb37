//! Where documents say what the graph says.

use std::collections::HashMap;

use knowledge_domain::{
    graph::Confidence,
    ids::{BatchId, DocumentId, EntityId, ExtractionId, RelationId},
};
use knowledge_tables::{entity, mention_record, relation, relation_evidence};
use sea_orm::sea_query::{Expr, ExprTrait, JoinType, Query, SelectStatement};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Reads,
    packed::{Kind, Packed, packed},
};
use crate::store::StoreError;

/// Things whose evidence is read at a time: it comes as one text, of which databases have up to a
/// gigabyte, and a thing may be named in very many places.
const THINGS: usize = 100;

/// A stretch of a document that something rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidenceView {
    /// The content.
    pub document_id: DocumentId,
    /// The extraction that found it.
    pub extraction_id: ExtractionId,
    /// The first character.
    pub start_char: i32,
    /// The character after the last.
    pub end_char: i32,
    /// The text.
    pub text: String,
    /// How sure the extractor is.
    pub confidence: Confidence,
}

#[derive(Deserialize)]
struct Row {
    owner_id: Uuid,
    document_id: Uuid,
    extraction_id: Uuid,
    start_char: i32,
    end_char: i32,
    text: String,
    confidence: Confidence,
}

impl Packed for Row {
    const ROWS: &'static str = "evidence";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("owner_id", Kind::Id),
        ("document_id", Kind::Id),
        ("extraction_id", Kind::Id),
        ("start_char", Kind::Plain),
        ("end_char", Kind::Plain),
        ("text", Kind::Plain),
        ("confidence", Kind::Plain),
    ];
}

impl Reads {
    /// The mentions of canonical entities' members, limited to a batch when one is given; each
    /// list sorted by document and span.
    pub async fn entity_evidence(
        &self,
        batch: Option<BatchId>,
        canonical: &[EntityId],
    ) -> Result<HashMap<EntityId, Vec<EvidenceView>>, StoreError> {
        let mut evidence = HashMap::with_capacity(canonical.len());
        for ids in canonical.chunks(THINGS) {
            let keys = ids.iter().map(|id| id.uuid());
            let query = self.mentions(batch, keys);
            self.collect(query, EntityId::from_uuid, &mut evidence)
                .await?;
        }
        Ok(sorted(evidence))
    }

    /// The evidence of relations; each list sorted by document and span.
    pub async fn relation_evidence(
        &self,
        relations: &[RelationId],
    ) -> Result<HashMap<RelationId, Vec<EvidenceView>>, StoreError> {
        let mut evidence = HashMap::with_capacity(relations.len());
        for ids in relations.chunks(THINGS) {
            let keys = ids.iter().map(|id| id.uuid());
            self.collect(self.statements(keys), RelationId::from_uuid, &mut evidence)
                .await?;
        }
        Ok(sorted(evidence))
    }

    pub(super) fn mentions(
        &self,
        batch: Option<BatchId>,
        canonical: impl Iterator<Item = Uuid>,
    ) -> SelectStatement {
        use mention_record::{Column, Entity};
        let mut query = Query::select();
        query
            .expr_as(
                Expr::col((entity::Entity, entity::Column::CanonicalId)),
                "owner_id",
            )
            .columns([
                (Entity, Column::DocumentId),
                (Entity, Column::ExtractionId),
                (Entity, Column::StartChar),
                (Entity, Column::EndChar),
                (Entity, Column::Text),
                (Entity, Column::Confidence),
            ])
            .from(entity::Entity)
            .join(
                JoinType::InnerJoin,
                Entity,
                Expr::col((Entity, Column::EntityId)).equals((entity::Entity, entity::Column::Id)),
            )
            .and_where(
                Expr::col((entity::Entity, entity::Column::OrganizationId))
                    .eq(self.organization.uuid()),
            )
            .and_where(Expr::col((entity::Entity, entity::Column::CanonicalId)).is_in(canonical));
        if let Some(batch) = batch {
            let extraction = (entity::Entity, entity::Column::ExtractionId);
            query.and_where(Self::is_of(batch, extraction));
        }
        query
    }

    fn statements(&self, relations: impl Iterator<Item = Uuid>) -> SelectStatement {
        use relation_evidence::{Column, Entity};
        Query::select()
            .expr_as(Expr::col((Entity, Column::RelationId)), "owner_id")
            .columns([
                (Entity, Column::DocumentId),
                (Entity, Column::StartChar),
                (Entity, Column::EndChar),
                (Entity, Column::Text),
                (Entity, Column::Confidence),
            ])
            .column((relation::Entity, relation::Column::ExtractionId))
            .from(Entity)
            .join(
                JoinType::InnerJoin,
                relation::Entity,
                Expr::col((relation::Entity, relation::Column::Id))
                    .equals((Entity, Column::RelationId)),
            )
            .and_where(Expr::col((Entity, Column::OrganizationId)).eq(self.organization.uuid()))
            .and_where(Expr::col((Entity, Column::RelationId)).is_in(relations))
            .take()
    }

    async fn collect<K: Eq + std::hash::Hash>(
        &self,
        query: SelectStatement,
        key: fn(Uuid) -> K,
        into: &mut HashMap<K, Vec<EvidenceView>>,
    ) -> Result<(), StoreError> {
        for row in packed::<Row>(self.connection(), query).await? {
            into.entry(key(row.owner_id)).or_default().push(row.into());
        }
        Ok(())
    }
}

impl EvidenceView {
    /// By document, then by span.
    #[must_use]
    pub fn order(&self) -> (DocumentId, i32, i32, ExtractionId) {
        (
            self.document_id,
            self.start_char,
            self.end_char,
            self.extraction_id,
        )
    }
}

fn sorted<K: Eq + std::hash::Hash>(
    mut evidence: HashMap<K, Vec<EvidenceView>>,
) -> HashMap<K, Vec<EvidenceView>> {
    for list in evidence.values_mut() {
        list.sort_by_key(EvidenceView::order);
    }
    evidence
}

impl From<Row> for EvidenceView {
    fn from(row: Row) -> Self {
        Self {
            document_id: DocumentId::from_uuid(row.document_id),
            extraction_id: ExtractionId::from_uuid(row.extraction_id),
            start_char: row.start_char,
            end_char: row.end_char,
            text: row.text,
            confidence: row.confidence,
        }
    }
}
