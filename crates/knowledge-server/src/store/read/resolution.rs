//! How entities came to be one: forms compared, merges, and what resolution amounts to.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    graph::Confidence,
    ids::{BatchId, EntityId, ExtractionId},
};
use knowledge_resolution::{Comparison, Form, Settings, compare};
use knowledge_tables::{
    entity, merge_history, organization, resolution_decision, resolution_form, workflow_execution,
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::{KEYS_A_STATEMENT, Reads, SameAsView};
use crate::store::{
    StoreError,
    resolution::{Stored, vectors},
    scope::owned,
};

/// Why two entities are one, or are not.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkView {
    /// Whether they are one now.
    pub linked: bool,
    /// What comparing them gives; nothing where resolution has not seen both yet.
    pub comparison: Option<Comparison>,
    /// What a person decided of the two: `together` or `apart`.
    pub decision: Option<String>,
    /// The links from their canonical entities to the two, where they have some.
    pub links: Vec<SameAsView>,
}

/// One merge of an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeView {
    /// The entity that joined.
    pub source: EntityId,
    /// The entity that faced the cluster from then on; itself, when it was taken out of one.
    pub target: EntityId,
    /// `exact_name`, `similarity`, `manual` or `separated`.
    pub reason: String,
    /// How sure resolution was.
    pub confidence: Confidence,
    /// A batch, a person, or `resolution` for what followed from a person's decision.
    pub merged_by: String,
    /// The batch that carried it out.
    pub batch: Option<BatchId>,
    /// When.
    pub merged_at: DateTime<Utc>,
}

/// What resolution amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromQueryResult)]
pub struct ResolutionView {
    /// Entities of all documents.
    pub entities: i64,
    /// Entities after resolution.
    pub clusters: i64,
}

impl Reads {
    /// Why two entities are one, or are not; `None` when the organisation lacks one of them.
    pub async fn explain_link(
        &self,
        left: EntityId,
        right: EntityId,
    ) -> Result<Option<LinkView>, StoreError> {
        let rows: HashMap<Uuid, entity::Model> = entity::Entity::find()
            .filter(owned(entity::Column::OrganizationId, self.organization))
            .filter(entity::Column::Id.is_in([left.uuid(), right.uuid()]))
            .all(self.connection())
            .await?
            .into_iter()
            .map(|row| (row.id, row))
            .collect();
        let (Some(one), Some(other)) = (rows.get(&left.uuid()), rows.get(&right.uuid())) else {
            return Ok(None);
        };
        let (mut comparison, mut decision) = (None, None);
        if let (Some(one), Some(other)) = (one.form_id, other.form_id) {
            let forms = self.forms(&[one, other]).await?;
            if let (Some(one), Some(other)) = (forms.get(&one), forms.get(&other)) {
                comparison = Some(compare(one, other, &Settings::default()));
            }
            decision = self.decision(one.min(other), one.max(other)).await?;
        }
        Ok(Some(LinkView {
            linked: one.canonical_id == other.canonical_id,
            comparison,
            decision,
            links: self.same_as(&[left, right]).await?,
        }))
    }

    async fn forms(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Form>, StoreError> {
        let rows = resolution_form::Entity::find()
            .filter(resolution_form::Column::Id.is_in(ids.iter().copied()))
            .all(self.connection())
            .await?;
        let mut forms: HashMap<Uuid, Form> = rows
            .into_iter()
            .map(|row| Ok((row.id, Stored::read(row)?.form)))
            .collect::<Result<_, StoreError>>()?;
        let organization = organization::Entity::find_by_id(self.organization.uuid());
        let organization = organization.one(self.connection()).await?;
        if let Some(model) = organization.and_then(|row| row.embedding_model) {
            for (id, vector) in vectors(self.connection(), self.organization, &model, ids).await? {
                if let Some(form) = forms.get_mut(&id) {
                    form.vector = vector;
                }
            }
        }
        Ok(forms)
    }

    async fn decision(&self, left: Uuid, right: Uuid) -> Result<Option<String>, StoreError> {
        use resolution_decision::{Column, Entity};
        Ok(Entity::find()
            .select_only()
            .column(Column::Kind)
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .filter(Column::LeftFormId.eq(left))
            .filter(Column::RightFormId.eq(right))
            .into_tuple()
            .one(self.connection())
            .await?)
    }

    /// The merges of a canonical entity's members, and those into it, the oldest first.
    pub async fn merge_history(&self, members: &[EntityId]) -> Result<Vec<MergeView>, StoreError> {
        use merge_history::{Column, Entity};
        let mut rows = HashMap::new();
        for ids in members.chunks(KEYS_A_STATEMENT) {
            let ids = || ids.iter().map(|id| id.uuid());
            let either = Condition::any()
                .add(Column::SourceEntityId.is_in(ids()))
                .add(Column::TargetEntityId.is_in(ids()));
            let found = Entity::find()
                .filter(owned(Column::OrganizationId, self.organization))
                .filter(either)
                .order_by_asc(Column::Id)
                .all(self.connection())
                .await?;
            rows.extend(found.into_iter().map(|row| (row.id, row)));
        }
        let mut rows: Vec<_> = rows.into_values().collect();
        rows.sort_by_key(|row| (row.merged_at, row.source_entity_id, row.id));
        Ok(rows.into_iter().map(MergeView::from).collect())
    }

    /// The extractions that the members of a canonical entity are of.
    pub async fn extractions_of_entity(
        &self,
        canonical: EntityId,
    ) -> Result<Vec<ExtractionId>, StoreError> {
        use entity::{Column, Entity};
        let mut ids: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::ExtractionId)
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .filter(Column::CanonicalId.eq(canonical.uuid()))
            .into_tuple()
            .all(self.connection())
            .await?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids.into_iter().map(ExtractionId::from_uuid).collect())
    }

    /// What the resolution of a batch waits for, or had to do without.
    pub async fn resolution_note(&self, batch: BatchId) -> Result<Option<String>, StoreError> {
        use workflow_execution::{Column, Entity};
        let found: Option<Option<String>> = Entity::find()
            .select_only()
            .column(Column::Error)
            .filter(owned(Column::OrganizationId, self.organization))
            .filter(Column::BatchId.eq(batch.uuid()))
            .into_tuple()
            .one(self.connection())
            .await?;
        Ok(found.flatten())
    }

    /// What resolution amounts to, in a batch or in the organisation.
    pub async fn resolution(&self, batch: Option<BatchId>) -> Result<ResolutionView, StoreError> {
        use entity::{Column, Entity};
        let mut query = Entity::find()
            .select_only()
            .column_as(Column::Id.count(), "entities")
            .column_as(distinct_faces(), "clusters");
        query = match batch {
            // The batch's extractions are the organisation's.
            Some(batch) => {
                query.filter(Column::ExtractionId.in_subquery(self.extractions_of(batch)))
            }
            None => query.filter(Column::OrganizationId.eq(self.organization.uuid())),
        };
        let found: Option<ResolutionView> = query.into_model().one(self.connection()).await?;
        Ok(found.unwrap_or(ResolutionView {
            entities: 0,
            clusters: 0,
        }))
    }
}

fn distinct_faces() -> sea_orm::sea_query::Expr {
    use sea_orm::sea_query::{Expr, ExprTrait};
    Expr::col((entity::Entity, entity::Column::CanonicalId)).count_distinct()
}

impl ResolutionView {
    /// Entities of documents for each entity after resolution; 1 when there are none.
    #[must_use]
    pub fn compression_ratio(&self) -> f64 {
        if self.clusters == 0 {
            return 1.0;
        }
        self.entities as f64 / self.clusters as f64
    }
}

impl From<merge_history::Model> for MergeView {
    fn from(row: merge_history::Model) -> Self {
        Self {
            source: EntityId::from_uuid(row.source_entity_id),
            target: EntityId::from_uuid(row.target_entity_id),
            reason: row.reason,
            confidence: Confidence::new(row.confidence),
            merged_by: row.merged_by,
            batch: row.batch_id.map(BatchId::from_uuid),
            merged_at: row.merged_at,
        }
    }
}
