//! Entities that may be one, which takes a person to tell.

use std::collections::{BTreeMap, HashMap};

use knowledge_domain::{
    graph::Confidence,
    ids::{EntityId, QuestionId},
};
use knowledge_tables::{
    entity, resolution_form,
    resolution_question::{Column, Entity, Model},
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::SelectStatement,
};
use uuid::Uuid;

use super::{KEYS_A_STATEMENT, Page, PageRequest, Reads};
use crate::store::{
    StoreError,
    scope::{on_either_side, owned},
};

/// Two entities after resolution that may be one.
#[derive(Debug, Clone, PartialEq)]
pub struct QuestionView {
    /// The id.
    pub id: QuestionId,
    /// The one.
    pub left: EntityId,
    /// The other.
    pub right: EntityId,
    /// How alike they are.
    pub confidence: Confidence,
    /// The rule that their names follow.
    pub reason: String,
    /// Why they were left apart: `full`, `ambiguous` or `near`.
    pub doubt: String,
}

impl Reads {
    /// A page of the organisation's questions.
    pub async fn question_page(
        &self,
        page: PageRequest<QuestionId>,
    ) -> Result<Page<QuestionView>, StoreError> {
        let mut query = Entity::find()
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .order_by_asc(Column::Id)
            .limit(page.limit());
        if let Some(after) = page.after {
            query = query.filter(Column::Id.gt(after.uuid()));
        }
        let rows = page.page(query.all(self.connection()).await?);
        Ok(Page {
            items: self.asked(rows.items).await?,
            has_next: rows.has_next,
        })
    }

    /// The questions about a canonical entity, sorted.
    pub async fn questions_about(
        &self,
        canonical: EntityId,
    ) -> Result<Vec<QuestionView>, StoreError> {
        let forms = || -> SelectStatement {
            entity::Entity::find()
                .select_only()
                .column(entity::Column::FormId)
                .filter(entity::Column::OrganizationId.eq(self.organization.uuid()))
                .filter(entity::Column::CanonicalId.eq(canonical.uuid()))
                .filter(entity::Column::FormId.is_not_null())
                .into_query()
        };
        let sides = on_either_side(
            (Column::OrganizationId, self.organization),
            (Column::LeftFormId, Column::RightFormId),
            |side| side.in_subquery(forms()),
        );
        let mut rows: BTreeMap<Uuid, Model> = BTreeMap::new();
        for side in sides {
            let found = Entity::find().filter(side).all(self.connection()).await?;
            rows.extend(found.into_iter().map(|row| (row.id, row)));
        }
        let rows = rows.into_values().collect();
        self.asked(rows).await
    }

    /// Questions with the entities that their forms belong to; the one that was asked about comes
    /// in either place.
    async fn asked(&self, rows: Vec<Model>) -> Result<Vec<QuestionView>, StoreError> {
        let ids: Vec<Uuid> = rows
            .iter()
            .flat_map(|row| [row.left_form_id, row.right_form_id])
            .collect();
        let mut faces: HashMap<Uuid, Uuid> = HashMap::new();
        for ids in ids.chunks(KEYS_A_STATEMENT) {
            let found: Vec<(Uuid, Option<Uuid>)> = resolution_form::Entity::find()
                .select_only()
                .columns([
                    resolution_form::Column::Id,
                    resolution_form::Column::CanonicalId,
                ])
                .filter(owned(
                    resolution_form::Column::OrganizationId,
                    self.organization,
                ))
                .filter(resolution_form::Column::Id.is_in(ids.iter().copied()))
                .into_tuple()
                .all(self.connection())
                .await?;
            faces.extend(found.into_iter().filter_map(|(id, face)| Some((id, face?))));
        }
        let asked = rows.into_iter().filter_map(|row| {
            Some(QuestionView {
                id: QuestionId::from_uuid(row.id),
                left: EntityId::from_uuid(*faces.get(&row.left_form_id)?),
                right: EntityId::from_uuid(*faces.get(&row.right_form_id)?),
                confidence: Confidence::new(row.confidence),
                reason: row.reason,
                doubt: row.doubt,
            })
        });
        Ok(asked.collect())
    }
}
