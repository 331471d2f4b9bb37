//! Ontologies, once per content.

use chrono::{DateTime, Utc};
use knowledge_domain::{
    OntologyFormat,
    ids::{OntologyId, OrganizationId},
};
use knowledge_tables::ontology::{ActiveModel, Column, Entity};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Set};

use super::{Store, StoreError, convert};

/// An ontology to store.
#[derive(Clone)]
pub struct NewOntology {
    /// The id, derived from the content.
    pub id: OntologyId,
    /// The name that people read.
    pub name: String,
    /// The namespace of its terms.
    pub namespace: String,
    /// What the content is written in.
    pub format: OntologyFormat,
    /// SHA-256 of the content, in hex.
    pub content_hash: String,
    /// The content.
    pub content: String,
    /// Classes.
    pub class_count: usize,
    /// Properties.
    pub property_count: usize,
}

impl Store {
    /// Stores an ontology; one with this content stays as it is.
    pub async fn insert_ontology(
        &self,
        organization: OrganizationId,
        ontology: NewOntology,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(ontology.id.uuid()),
            organization_id: Set(organization.uuid()),
            name: Set(ontology.name),
            namespace: Set(ontology.namespace),
            format: Set(ontology.format.to_string()),
            content_hash: Set(ontology.content_hash),
            content: Set(ontology.content),
            class_count: Set(convert::count(ontology.class_count)),
            property_count: Set(convert::count(ontology.property_count)),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let tx = self.begin().await?;
        Entity::insert(row)
            .on_conflict_do_nothing()
            .exec_without_returning(&tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Whether the organisation has this ontology.
    pub async fn has_ontology(
        &self,
        organization: OrganizationId,
        ontology: OntologyId,
    ) -> Result<bool, StoreError> {
        let count = Entity::find_by_id(ontology.uuid())
            .filter(Column::OrganizationId.eq(organization.uuid()))
            .count(self.read())
            .await?;
        Ok(count > 0)
    }

    /// What an ontology is written in, and its content, when the organisation has it.
    pub async fn ontology_content(
        &self,
        organization: OrganizationId,
        ontology: OntologyId,
    ) -> Result<Option<(OntologyFormat, String)>, StoreError> {
        let row: Option<(String, String)> = Entity::find_by_id(ontology.uuid())
            .select_only()
            .columns([Column::Format, Column::Content])
            .filter(Column::OrganizationId.eq(organization.uuid()))
            .into_tuple()
            .one(self.read())
            .await?;
        row.map(|(format, content)| Ok((convert::from_text("ontology.format", &format)?, content)))
            .transpose()
    }
}
