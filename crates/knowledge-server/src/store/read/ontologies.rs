//! Ontologies as they are shown.

use chrono::{DateTime, Utc};
use knowledge_domain::{
    OntologyFormat,
    ids::{BatchId, OntologyId},
};
use knowledge_tables::{
    batch_execution,
    ontology::{Column, Entity},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::{Page, PageRequest, Reads, parse};
use crate::store::{StoreError, scope::owned};

/// A registered ontology, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OntologyView {
    /// The id.
    pub id: OntologyId,
    /// The name that people read.
    pub name: String,
    /// The namespace of its terms.
    pub namespace: String,
    /// What it was written in.
    pub format: OntologyFormat,
    /// Classes.
    pub class_count: u32,
    /// Properties.
    pub property_count: u32,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// The columns of a view, in its order.
type Row = (Uuid, String, String, String, i32, i32, DateTime<Utc>);

impl Reads {
    /// Those of the ontologies that the organisation has.
    pub async fn ontologies(&self, ids: &[OntologyId]) -> Result<Vec<OntologyView>, StoreError> {
        let wanted = ids.iter().map(|id| id.uuid());
        let query = shown()
            .filter(owned(Column::OrganizationId, self.organization))
            .filter(Column::Id.is_in(wanted));
        let rows: Vec<Row> = query.into_tuple().all(self.connection()).await?;
        rows.into_iter().map(OntologyView::try_from).collect()
    }

    /// An ontology, when the organisation has it.
    pub async fn ontology(&self, id: OntologyId) -> Result<Option<OntologyView>, StoreError> {
        Ok(self.ontologies(&[id]).await?.pop())
    }

    /// Ontologies in the order of their ids.
    pub async fn ontology_page(
        &self,
        page: PageRequest<OntologyId>,
    ) -> Result<Page<OntologyView>, StoreError> {
        let mut query = shown()
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .order_by_asc(Column::Id)
            .limit(page.limit());
        if let Some(after) = page.after {
            query = query.filter(Column::Id.gt(after.uuid()));
        }
        let rows: Vec<Row> = query.into_tuple().all(self.connection()).await?;
        let views: Result<Vec<_>, _> = rows.into_iter().map(OntologyView::try_from).collect();
        Ok(page.page(views?))
    }

    /// The ontologies that a batch was started with, or the batches of the organisation; `None` where
    /// one was started without.
    pub async fn ontologies_used(
        &self,
        batch: Option<BatchId>,
    ) -> Result<Vec<Option<OntologyId>>, StoreError> {
        use batch_execution::Column;
        let mut query = batch_execution::Entity::find()
            .select_only()
            .column(Column::OntologyId)
            .distinct()
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .order_by_asc(Column::OntologyId);
        if let Some(batch) = batch {
            query = query.filter(Column::Id.eq(batch.uuid()));
        }
        let ids: Vec<Option<Uuid>> = query.into_tuple().all(self.connection()).await?;
        let ids = ids.into_iter();
        Ok(ids.map(|id| id.map(OntologyId::from_uuid)).collect())
    }
}

fn shown() -> Select<Entity> {
    Entity::find().select_only().columns([
        Column::Id,
        Column::Name,
        Column::Namespace,
        Column::Format,
        Column::ClassCount,
        Column::PropertyCount,
        Column::CreatedAt,
    ])
}

impl TryFrom<Row> for OntologyView {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let (id, name, namespace, format, classes, properties, created_at) = row;
        Ok(Self {
            id: OntologyId::from_uuid(id),
            name,
            namespace,
            format: parse::name("ontology format", &format)?,
            class_count: parse::count("class count", classes)?,
            property_count: parse::count("property count", properties)?,
            created_at,
        })
    }
}
