//! Links between entities that mean the same.

use std::collections::HashSet;

use knowledge_domain::{graph::Confidence, ids::EntityId};
use knowledge_tables::same_as_link::{Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{KEYS_A_STATEMENT, Reads};
use crate::store::StoreError;

/// Two entities that mean the same, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct SameAsView {
    /// The entity that faces the cluster.
    pub canonical: EntityId,
    /// Another member.
    pub member: EntityId,
    /// How sure resolution is.
    pub confidence: Confidence,
    /// Why they were linked.
    pub reason: String,
}

impl Reads {
    /// The links of some members to their canonical entities, sorted by both; to which canonical
    /// entity, the caller knows from its members.
    pub async fn same_as(&self, members: &[EntityId]) -> Result<Vec<SameAsView>, StoreError> {
        let mut links = Vec::new();
        let mut seen = HashSet::new();
        for ids in members.chunks(KEYS_A_STATEMENT) {
            let rows = Entity::find()
                .filter(Column::OrganizationId.eq(self.organization.uuid()))
                .filter(Column::MemberId.is_in(ids.iter().map(|id| id.uuid())))
                .all(self.connection())
                .await?;
            links.extend(
                rows.into_iter()
                    .filter(|row| seen.insert(row.id))
                    .map(SameAsView::from),
            );
        }
        links.sort_by_key(|link| (link.canonical, link.member));
        Ok(links)
    }
}

impl From<Model> for SameAsView {
    fn from(row: Model) -> Self {
        Self {
            canonical: EntityId::from_uuid(row.canonical_id),
            member: EntityId::from_uuid(row.member_id),
            confidence: Confidence::new(row.confidence),
            reason: row.reason,
        }
    }
}
