//! Writing what a change has changed: the batch's row first, which locks it, then everything else.

use chrono::{DateTime, Utc};
use knowledge_domain::{
    Entropy,
    batch::{BatchEvent, BatchState, DocumentsByStage},
    ids::BatchDocumentId,
};
use knowledge_tables::{batch_event, batch_execution};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryTrait,
};
use uuid::Uuid;

use super::{
    super::{
        LedgerError,
        coalesce::coalesce,
        proof::Proof,
        tally::{self, Tally},
    },
    BatchChange,
};
use crate::{
    metrics::{COALESCED, EVENTS},
    store::{StoreError, convert, notify, portions::portions},
};

impl BatchChange {
    /// Writes what has changed so far. Queries that must see it come after.
    ///
    /// # Errors
    /// [`LedgerError::Stale`] when what was remembered of the batch is not so any more.
    pub(in super::super) async fn flush(&mut self) -> Result<(), LedgerError> {
        let changed = self.executions.are_changed()
            || self.documents.are_changed()
            || self.row != self.original
            || !self.events.is_empty();
        if changed {
            self.number_events().await?;
            self.write_row().await?;
        } else if !self.journal.is_empty() {
            self.confirm().await?;
        }
        self.executions.write(&self.tx, self.at).await?;
        self.documents.write(&self.tx, self.at).await?;
        self.journal
            .write(&self.env, &self.tx, &self.row, self.at)
            .await?;
        let event = write_events(&self.tx, self.entropy(), &self.row, &self.events).await?;
        self.events.clear();
        if changed {
            self.proof = Some(Proof {
                batch: self.batch_id(),
                version: self.row.version,
                updated_at: self.at,
                event: event.or(self.proof.and_then(|proof| proof.event)),
            });
        }
        Ok(())
    }

    /// Writes the batch's row, which locks it, and tells other servers of its events.
    async fn write_row(&mut self) -> Result<(), LedgerError> {
        self.row.version += 1;
        self.row.tally = Some(convert::to_json(&Tally {
            pace: self.pace,
            documents: self.counts,
        })?);
        self.row.state = self.state.stage().to_string();
        let mut changed = changed_row(&self.row, &self.state, self.at)?;
        if self.row.state == self.original.state {
            // Set or not, SQLite would write its entries in the indexes.
            changed.state = NotSet;
        }
        let mut update = batch_execution::Entity::update_many()
            .set(changed)
            .filter(batch_execution::Column::Id.eq(self.row.id))
            .filter(batch_execution::Column::Version.eq(self.original.version))
            .into_query();
        if !self.events.is_empty() {
            let (batch, sequence) = (self.batch_id(), self.row.last_sequence);
            notify::tell_with(&mut update, self.tx.get_database_backend(), batch, sequence);
        }
        if self.tx.execute(&update).await?.rows_affected() != 1 {
            return Err(LedgerError::Stale(self.batch_id()));
        }
        self.locked = true;
        self.original = self.row.clone();
        Ok(())
    }

    /// Gives the events their sequences, without those that later ones make needless.
    async fn number_events(&mut self) -> Result<(), LedgerError> {
        self.counts = tally::after(self.counts, self.documents.moves())?;
        let recorded = self.events.len();
        coalesce(&mut self.events);
        COALESCED.add(recorded - self.events.len());
        EVENTS.add(self.events.len());
        if self.events.is_empty() {
            return Ok(());
        }
        let counts = match self.counts {
            Some(counts) => counts,
            None => self.count_documents().await?,
        };
        self.counts = Some(counts);
        for event in &mut self.events {
            event.aggregate.documents_by_stage = Some(counts);
            self.row.last_sequence += 1;
            event.sequence = u64::try_from(self.row.last_sequence).unwrap_or_default();
        }
        Ok(())
    }

    /// Counts what the batch's documents are doing, once they are written as they are now.
    async fn count_documents(&mut self) -> Result<DocumentsByStage, LedgerError> {
        self.confirm().await?;
        self.executions.write(&self.tx, self.at).await?;
        self.documents.write(&self.tx, self.at).await?;
        Ok(tally::counted(&self.tx, self.row.id).await?)
    }
}

/// What a change may have changed of the batch's row.
fn changed_row(
    row: &batch_execution::Model,
    state: &BatchState,
    at: DateTime<Utc>,
) -> Result<batch_execution::ActiveModel, StoreError> {
    Ok(batch_execution::ActiveModel {
        state: Set(row.state.clone()),
        state_data: Set(convert::to_json(state)?),
        completed_documents: Set(row.completed_documents),
        failed_documents: Set(row.failed_documents),
        skipped_documents: Set(row.skipped_documents),
        partial_documents: Set(row.partial_documents),
        entity_count: Set(row.entity_count),
        relation_count: Set(row.relation_count),
        tokens_used: Set(row.tokens_used),
        resolution_tokens: Set(row.resolution_tokens),
        last_sequence: Set(row.last_sequence),
        progress_units: Set(row.progress_units),
        retry_round: Set(row.retry_round),
        next_round_at: Set(row.next_round_at),
        error: Set(row.error.clone()),
        started_at: Set(row.started_at),
        completed_at: Set(row.completed_at),
        lease_owner: Set(row.lease_owner.clone()),
        lease_token: Set(row.lease_token),
        version: Set(row.version),
        tally: Set(row.tally.clone()),
        updated_at: Set(at),
        ..Default::default()
    })
}

/// Writes events; the id of the last one.
async fn write_events(
    tx: &DatabaseTransaction,
    entropy: &dyn Entropy,
    row: &batch_execution::Model,
    events: &[BatchEvent],
) -> Result<Option<Uuid>, LedgerError> {
    let mut last = None;
    for events in portions(events) {
        let rows = events
            .iter()
            .map(|event| event_row(entropy, row, event))
            .collect::<Result<Vec<_>, StoreError>>()?;
        last = rows.last().and_then(|row| row.id.try_as_ref().copied());
        batch_event::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(last)
}

fn event_row(
    entropy: &dyn Entropy,
    batch: &batch_execution::Model,
    event: &BatchEvent,
) -> Result<batch_event::ActiveModel, StoreError> {
    Ok(batch_event::ActiveModel {
        id: Set(entropy.uuid_v7()),
        organization_id: Set(batch.organization_id),
        batch_id: Set(batch.id),
        sequence: Set(i64::try_from(event.sequence).unwrap_or(i64::MAX)),
        kind: Set(event.kind.name().to_owned()),
        batch_document_id: Set(event.kind.document_id().map(BatchDocumentId::uuid)),
        payload: Set(convert::to_json(event)?),
        timestamp: Set(event.timestamp),
        created_at: Set(event.timestamp),
        updated_at: Set(event.timestamp),
    })
}
