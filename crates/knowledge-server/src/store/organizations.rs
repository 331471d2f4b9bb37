//! Organisations by their names.

use chrono::{DateTime, Utc};
use knowledge_domain::{Slug, ids::OrganizationId};
use knowledge_tables::organization::{ActiveModel, Column, Entity};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, TryInsertResult,
};
use serde::Serialize;
use uuid::Uuid;

use super::{Store, StoreError};

/// An organisation as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationView {
    /// The id.
    pub id: OrganizationId,
    /// The name in commands.
    pub slug: String,
    /// The name that people read.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl OrganizationView {
    fn of((id, slug, name, created_at): (Uuid, String, String, DateTime<Utc>)) -> Self {
        let id = OrganizationId::from_uuid(id);
        Self {
            id,
            slug,
            name,
            created_at,
        }
    }
}

fn shown() -> Select<Entity> {
    let columns = [Column::Id, Column::Slug, Column::Name, Column::CreatedAt];
    Entity::find().select_only().columns(columns)
}

impl Store {
    /// The organisation of this name.
    pub async fn organization(&self, slug: &Slug) -> Result<Option<OrganizationId>, StoreError> {
        let id: Option<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::Slug.eq(slug.as_str()))
            .into_tuple()
            .one(self.read())
            .await?;
        Ok(id.map(OrganizationId::from_uuid))
    }

    /// An organisation as it is shown.
    pub async fn organization_view(
        &self,
        id: OrganizationId,
    ) -> Result<Option<OrganizationView>, StoreError> {
        let row = shown().filter(Column::Id.eq(id.uuid())).into_tuple();
        Ok(row.one(self.read()).await?.map(OrganizationView::of))
    }

    /// Organisations by their names.
    pub async fn organizations(&self) -> Result<Vec<OrganizationView>, StoreError> {
        let rows = shown().order_by_asc(Column::Slug).into_tuple();
        let rows = rows.all(self.read()).await?;
        Ok(rows.into_iter().map(OrganizationView::of).collect())
    }

    /// Makes an organisation; `None` where one has this slug.
    pub async fn insert_organization(
        &self,
        organization: OrganizationView,
    ) -> Result<Option<OrganizationView>, StoreError> {
        let row = ActiveModel {
            id: Set(organization.id.uuid()),
            name: Set(organization.name.clone()),
            slug: Set(organization.slug.clone()),
            resolution_version: NotSet,
            embedding_model: NotSet,
            embedding_gaps: NotSet,
            embedding_execution_id: NotSet,
            embedding_forms: NotSet,
            created_at: Set(organization.created_at),
            updated_at: Set(organization.created_at),
        };
        let tx = self.begin().await?;
        let inserted = Entity::insert(row)
            .on_conflict_do_nothing_on([Column::Slug])
            .exec_without_returning(&tx)
            .await?;
        tx.commit().await?;
        let is_new = matches!(inserted, TryInsertResult::Inserted(1));
        Ok(is_new.then_some(organization))
    }
}
