//! Reading what a workflow works on.

use knowledge_domain::ids::{DocumentId, OntologyId, OrganizationId};
use knowledge_tables::{document, ontology};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};

use super::{Store, StoreError};

impl Store {
    /// A document's text; `None` when the organisation has no such document.
    pub async fn document_text(
        &self,
        organization: OrganizationId,
        document: DocumentId,
    ) -> Result<Option<String>, StoreError> {
        Ok(document::Entity::find_by_id(document.uuid())
            .select_only()
            .column(document::Column::Text)
            .filter(document::Column::OrganizationId.eq(organization.uuid()))
            .into_tuple()
            .one(self.read())
            .await?)
    }

    /// SHA-256 of a document's text, in hex.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the organisation has no such document.
    pub async fn document_hash(
        &self,
        organization: OrganizationId,
        document: DocumentId,
    ) -> Result<String, StoreError> {
        document::Entity::find_by_id(document.uuid())
            .select_only()
            .column(document::Column::ContentHash)
            .filter(document::Column::OrganizationId.eq(organization.uuid()))
            .into_tuple()
            .one(self.read())
            .await?
            .ok_or_else(|| StoreError::corrupt(format!("no document {document}")))
    }

    /// Whether the organisation has this ontology.
    pub async fn has_ontology(
        &self,
        organization: OrganizationId,
        ontology: OntologyId,
    ) -> Result<bool, StoreError> {
        let count = ontology::Entity::find_by_id(ontology.uuid())
            .filter(ontology::Column::OrganizationId.eq(organization.uuid()))
            .count(self.read())
            .await?;
        Ok(count > 0)
    }
}
