//! The documents' rows that a change reads and writes.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    document::{DocumentStatus, DocumentTrigger},
    ids::BatchDocumentId,
};
use knowledge_tables::batch_document::{Column, Entity, Model};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    sea_query::OnConflict,
};
use uuid::Uuid;

use super::LedgerError;
use crate::store::{StoreError, convert};

/// Rows that one statement writes at most; SQLite binds at most 32,766 values, a row has 26.
const ROWS_PER_STATEMENT: usize = 500;

/// Rows by id, with those that are to be written.
#[derive(Default)]
pub(super) struct Documents {
    known: HashMap<Uuid, Model>,
    changed: Vec<Uuid>,
}

impl Documents {
    /// Reads rows that are not known yet.
    pub(super) async fn read(
        &mut self,
        tx: &DatabaseTransaction,
        documents: &[BatchDocumentId],
    ) -> Result<(), LedgerError> {
        let missing: Vec<Uuid> = documents
            .iter()
            .map(|document| document.uuid())
            .filter(|id| !self.known.contains_key(id))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let rows = Entity::find()
            .filter(Column::Id.is_in(missing))
            .all(tx)
            .await?;
        self.known.extend(rows.into_iter().map(|row| (row.id, row)));
        Ok(())
    }

    /// A row that was read.
    pub(super) fn get(&self, document: BatchDocumentId) -> Result<Model, LedgerError> {
        let row = self.known.get(&document.uuid()).cloned();
        Ok(row.ok_or_else(|| StoreError::corrupt(format!("no document {document}")))?)
    }

    /// Keeps a row until it is written, if it has changed.
    pub(super) fn put(&mut self, row: Model) {
        if self.known.get(&row.id) == Some(&row) {
            return;
        }
        if !self.changed.contains(&row.id) {
            self.changed.push(row.id);
        }
        self.known.insert(row.id, row);
    }

    /// Forgets the rows of documents that nothing more happens to.
    pub(super) fn forget_settled(&mut self) {
        let processing = DocumentStatus::Processing.to_string();
        self.known.retain(|_, row| row.status == processing);
    }

    /// Writes the changed rows; whether there were any.
    pub(super) async fn write(
        &mut self,
        tx: &DatabaseTransaction,
        at: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let changed = std::mem::take(&mut self.changed);
        for ids in changed.chunks(ROWS_PER_STATEMENT) {
            let mut rows = Vec::with_capacity(ids.len());
            for id in ids {
                if let Some(row) = self.known.get_mut(id) {
                    row.version += 1;
                    row.updated_at = at;
                    rows.push(row.clone().into_active_model().reset_all());
                }
            }
            Entity::insert_many(rows)
                .on_conflict(overwrite())
                .exec_without_returning(tx)
                .await?;
        }
        Ok(!changed.is_empty())
    }
}

/// One statement updates many rows: each is there already, so each conflicts with itself.
fn overwrite() -> OnConflict {
    OnConflict::column(Column::Id)
        .update_columns([
            Column::Status,
            Column::Stage,
            Column::StageCurrent,
            Column::StageTotal,
            Column::ProgressUnits,
            Column::Attempt,
            Column::RetryRound,
            Column::Error,
            Column::ErrorKind,
            Column::ExecutionId,
            Column::ExtractionId,
            Column::EntityCount,
            Column::RelationCount,
            Column::StartedAt,
            Column::CompletedAt,
            Column::Version,
            Column::UpdatedAt,
        ])
        .to_owned()
}

/// A document's status.
pub(super) fn status(row: &Model) -> Result<DocumentStatus, StoreError> {
    convert::from_text("batch_document.status", &row.status)
}

/// Moves a document's status as the domain allows.
pub(super) fn move_to(row: &mut Model, trigger: DocumentTrigger) -> Result<(), StoreError> {
    let next = status(row)?
        .apply(trigger)
        .map_err(|error| StoreError::corrupt(format!("{}: {error}", row.id)))?;
    row.status = next.to_string();
    Ok(())
}
