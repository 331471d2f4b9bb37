//! Rows of one table that a change reads, changes in memory, and writes with one statement.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    document::{DocumentStatus, DocumentTrigger},
    workflow::WorkflowExecutionStatus,
};
use knowledge_tables::{batch_document, workflow_execution};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbBackend, EntityTrait, IntoActiveModel,
    QueryFilter, sea_query::OnConflict,
};
use uuid::Uuid;

use super::LedgerError;
use crate::store::{StoreError, convert, together::Together};

/// Rows that one statement reads at most.
const KEYS_PER_STATEMENT: usize = 500;

/// A table whose rows a change keeps.
pub(super) trait Kept: EntityTrait {
    /// The primary key's column.
    const KEY: Self::Column;

    /// The columns that change after a row was inserted, and that no index has.
    const CHANGING: &'static [Self::Column];

    /// Those that an index has.
    const INDEXED: &'static [Self::Column];

    /// Whether one that an index has differs.
    fn moves(before: &Self::Model, after: &Self::Model) -> bool;

    fn key(row: &Self::Model) -> Uuid;

    /// Notes that the row is written.
    fn touch(row: &mut Self::Model, at: DateTime<Utc>);
}

/// Rows by key, with those that are to be written.
pub(super) struct Rows<E: Kept> {
    known: HashMap<Uuid, E::Model>,
    changed: Vec<Uuid>,
    /// What the changed rows were, where that is known.
    before: HashMap<Uuid, Option<E::Model>>,
}

impl<E: Kept> Default for Rows<E> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            changed: Vec::new(),
            before: HashMap::new(),
        }
    }
}

impl<E> Rows<E>
where
    E: Kept,
    E::Model: Clone + PartialEq + Send + IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    /// Reads rows that are not known yet.
    pub(super) async fn read(
        &mut self,
        tx: &DatabaseTransaction,
        keys: impl IntoIterator<Item = Uuid>,
    ) -> Result<(), LedgerError> {
        let missing: Vec<Uuid> = keys
            .into_iter()
            .filter(|key| !self.known.contains_key(key))
            .collect();
        for keys in missing.chunks(KEYS_PER_STATEMENT) {
            let rows = E::find().filter(E::KEY.is_in(keys.iter().copied()));
            for row in rows.all(tx).await? {
                self.known.insert(E::key(&row), row);
            }
        }
        Ok(())
    }

    /// A row that was read.
    pub(super) fn get(&self, key: Uuid) -> Result<E::Model, LedgerError> {
        let row = self.known.get(&key).cloned();
        Ok(row.ok_or_else(|| StoreError::corrupt(format!("no row {key}")))?)
    }

    /// A row, if it was read.
    pub(super) fn find(&self, key: Uuid) -> Option<&E::Model> {
        self.known.get(&key)
    }

    /// How many rows are known.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Keeps a row as it is in the database.
    pub(super) fn know(&mut self, row: E::Model) {
        self.known.insert(E::key(&row), row);
    }

    /// Keeps a row until it is written, if it has changed.
    pub(super) fn put(&mut self, row: E::Model) {
        let key = E::key(&row);
        if self.known.get(&key) == Some(&row) {
            return;
        }
        let before = self.known.insert(key, row);
        if !self.changed.contains(&key) {
            self.changed.push(key);
            self.before.insert(key, before);
        }
    }

    /// Each row that is to be written, with what it was, where that is known.
    pub(super) fn moves(&self) -> impl Iterator<Item = (Option<&E::Model>, &E::Model)> {
        let moved = self.before.iter();
        moved.filter_map(|(key, before)| Some((before.as_ref(), self.known.get(key)?)))
    }

    /// Forgets all rows but those that `keep` says.
    pub(super) fn retain(&mut self, keep: impl Fn(&E::Model) -> bool) {
        self.known.retain(|_, row| keep(row));
    }

    /// Whether there is anything to write.
    pub(super) fn are_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Adds the changed rows to what is written.
    pub(super) fn write(
        &mut self,
        together: &mut Together,
        backend: DbBackend,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let before = std::mem::take(&mut self.before);
        let stays = |key: &Uuid| {
            let (before, after) = (before.get(key)?.as_ref()?, self.known.get(key)?);
            Some(!E::moves(before, after))
        };
        let changed = std::mem::take(&mut self.changed);
        // SQLite writes the entry of every index that has a column which is set, changed or not.
        let sqlite = backend == DbBackend::Sqlite;
        let (stay, moved): (Vec<_>, Vec<_>) = changed
            .into_iter()
            .partition(|key| sqlite && stays(key).unwrap_or_default());
        let columns = E::CHANGING.iter().copied();
        self.overwrite(together, &stay, columns.clone(), at)?;
        let all = columns.chain(E::INDEXED.iter().copied());
        self.overwrite(together, &moved, all, at)
    }

    fn overwrite(
        &mut self,
        together: &mut Together,
        keys: &[Uuid],
        columns: impl Iterator<Item = E::Column>,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(row) = self.known.get_mut(key) {
                E::touch(row, at);
                rows.push(row.clone().into_active_model().reset_all());
            }
        }
        // A row that is there conflicts with itself, so one statement inserts and updates.
        let overwrite = OnConflict::column(E::KEY)
            .update_columns(columns)
            .to_owned();
        Ok(together.insert(rows, Some(overwrite))?)
    }
}

/// The documents' places in their batches.
pub(super) type Documents = Rows<batch_document::Entity>;

/// The documents' workflows.
pub(super) type Executions = Rows<workflow_execution::Entity>;

impl Kept for batch_document::Entity {
    const KEY: Self::Column = batch_document::Column::Id;

    const CHANGING: &'static [Self::Column] = {
        use batch_document::Column::{
            Attempt, CompletedAt, EntityCount, Error, ErrorKind, ExecutionId, MissingUnits,
            ProgressUnits, RelationCount, RetryRound, Stage, StageCurrent, StageTotal, StartedAt,
            TokensUsed, UpdatedAt, Version,
        };
        &[
            Stage,
            StageCurrent,
            StageTotal,
            ProgressUnits,
            Attempt,
            RetryRound,
            Error,
            ErrorKind,
            ExecutionId,
            EntityCount,
            RelationCount,
            MissingUnits,
            TokensUsed,
            StartedAt,
            CompletedAt,
            Version,
            UpdatedAt,
        ]
    };

    const INDEXED: &'static [Self::Column] = &[
        batch_document::Column::Status,
        batch_document::Column::ExtractionId,
    ];

    fn moves(before: &Self::Model, after: &Self::Model) -> bool {
        (&before.status, before.extraction_id) != (&after.status, after.extraction_id)
    }

    fn key(row: &Self::Model) -> Uuid {
        row.id
    }

    fn touch(row: &mut Self::Model, at: DateTime<Utc>) {
        row.version += 1;
        row.updated_at = at;
    }
}

impl Kept for workflow_execution::Entity {
    const KEY: Self::Column = workflow_execution::Column::Id;

    const CHANGING: &'static [Self::Column] = {
        use workflow_execution::Column::{
            Checkpoint, CompletedAt, CurrentActivity, Error, LeaseToken, LostRuns, Output,
            Requested, ResumeAt, RetryCount, RetryOwner, StartedAt, SuspendReason, UpdatedAt,
            Version,
        };
        &[
            Checkpoint,
            CurrentActivity,
            Output,
            Error,
            RetryOwner,
            RetryCount,
            LostRuns,
            LeaseToken,
            SuspendReason,
            ResumeAt,
            Requested,
            StartedAt,
            CompletedAt,
            Version,
            UpdatedAt,
        ]
    };

    const INDEXED: &'static [Self::Column] = &[
        workflow_execution::Column::Status,
        workflow_execution::Column::LeaseOwner,
    ];

    fn moves(before: &Self::Model, after: &Self::Model) -> bool {
        (&before.status, &before.lease_owner) != (&after.status, &after.lease_owner)
    }

    fn key(row: &Self::Model) -> Uuid {
        row.id
    }

    fn touch(row: &mut Self::Model, at: DateTime<Utc>) {
        row.version += 1;
        row.updated_at = at;
    }
}

/// A document's status.
pub(super) fn status(row: &batch_document::Model) -> Result<DocumentStatus, StoreError> {
    convert::from_text("batch_document.status", &row.status)
}

/// Moves a document's status as the domain allows.
pub(super) fn move_to(
    row: &mut batch_document::Model,
    trigger: DocumentTrigger,
) -> Result<(), StoreError> {
    let next = status(row)?
        .apply(trigger)
        .map_err(|error| StoreError::corrupt(format!("{}: {error}", row.id)))?;
    row.status = next.to_string();
    Ok(())
}

/// Whether a process works on the workflow.
pub(super) fn is_running(row: &workflow_execution::Model) -> bool {
    row.status == WorkflowExecutionStatus::Running.to_string()
}
