//! Reading what a workflow works on.

use knowledge_domain::ids::{DocumentId, OrganizationId};
use knowledge_tables::document;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{Store, StoreError};

/// What a document says.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// SHA-256 of the text, in hex.
    pub content_hash: String,
    /// The text.
    pub text: String,
}

impl Store {
    /// A document's text with its hash.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the organisation has no such document.
    pub async fn document(
        &self,
        organization: OrganizationId,
        document: DocumentId,
    ) -> Result<Content, StoreError> {
        let row: Option<(String, String)> = document::Entity::find_by_id(document.uuid())
            .select_only()
            .column(document::Column::ContentHash)
            .column(document::Column::Text)
            .filter(document::Column::OrganizationId.eq(organization.uuid()))
            .into_tuple()
            .one(self.read())
            .await?;
        let (content_hash, text) =
            row.ok_or_else(|| StoreError::corrupt(format!("no document {document}")))?;
        Ok(Content { content_hash, text })
    }
}
