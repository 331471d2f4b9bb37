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
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryTrait,
};
use uuid::Uuid;

use super::{
    super::{
        LedgerError,
        coalesce::coalesce,
        parity,
        proof::Proof,
        tally::{self, Tally},
    },
    BatchChange,
};
use crate::{
    metrics::{COALESCED, EVENTS},
    store::{StoreError, convert, notify, together::Together},
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
        } else if !self.journal.is_empty() {
            self.confirm().await?;
        }
        let mut rows = self.changed_documents()?;
        self.journal
            .write(&mut rows, &self.env, &self.row, self.at)?;
        let event = self.write_events(&mut rows)?;
        parity::write(std::mem::take(&mut self.checks), &mut rows)?;
        if changed {
            self.write_with_row(rows).await?;
        } else {
            rows.write(&self.tx).await?;
        }
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

    /// The rows of documents and workflows that have changed.
    fn changed_documents(&mut self) -> Result<Together, LedgerError> {
        let (mut rows, backend) = (Together::default(), self.tx.get_database_backend());
        self.executions.write(&mut rows, backend, self.at)?;
        self.documents.write(&mut rows, backend, self.at)?;
        Ok(rows)
    }

    /// Writes the batch's row, which locks it, and with it what depends on it; tells other servers
    /// of its events.
    async fn write_with_row(&mut self, rows: Together) -> Result<(), LedgerError> {
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
        let update = batch_execution::Entity::update_many()
            .set(changed)
            .filter(batch_execution::Column::Id.eq(self.row.id))
            .filter(batch_execution::Column::Version.eq(self.original.version))
            .into_query();
        let told = || notify::told(self.batch_id(), self.row.last_sequence);
        let told = (!self.events.is_empty()).then(told);
        if !rows.write_guarded(&self.tx, update, told).await? {
            return Err(LedgerError::Stale(self.batch_id()));
        }
        self.locked = true;
        self.original = self.row.clone();
        Ok(())
    }

    /// Adds the events to what is written; the id of the last one.
    fn write_events(&self, rows: &mut Together) -> Result<Option<Uuid>, LedgerError> {
        let events = self.events.iter();
        let events = events
            .map(|event| event_row(self.entropy(), &self.row, event))
            .collect::<Result<Vec<_>, StoreError>>()?;
        let last = events.last();
        let last = last.and_then(|row| row.id.try_as_ref().copied());
        rows.insert(events, None)?;
        Ok(last)
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
        self.changed_documents()?.write(&self.tx).await?;
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
