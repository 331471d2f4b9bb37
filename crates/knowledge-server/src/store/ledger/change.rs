//! One transaction on one batch.

use chrono::{DateTime, Utc};
use knowledge_domain::{
    ErrorKind,
    batch::{
        Aggregate, BatchConfig, BatchEvent, BatchEventKind, BatchStage, BatchState, BatchTotals,
        BatchTrigger, InvalidTransition,
    },
    ids::{BatchId, OrganizationId},
    workflow::{PROGRESS_UNITS, WorkflowStage},
};
use knowledge_tables::{batch_event, batch_execution};
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect,
};

use super::Ledger;
use crate::store::{StoreError, convert};

/// The share of a batch's progress that its documents make up when entities are resolved after.
const DOCUMENTS_SHARE: f64 = 0.95;

/// Events that one INSERT writes at most; SQLite binds at most 32,766 values.
const EVENTS_PER_INSERT: usize = 500;

/// The right to run a batch. Its token grows with every owner and every steering command, so the
/// writes of an earlier owner are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The tenant.
    pub organization: OrganizationId,
    /// The batch.
    pub batch: BatchId,
    /// The token that the batch's row must still hold.
    pub token: i64,
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The organisation has no such batch.
    #[error("there is no batch {0}")]
    NotFound(BatchId),
    /// The batch ended, was steered, or was taken over by another process.
    #[error("batch {0} is no longer run by this process")]
    Fenced(BatchId),
    /// The state machine refused.
    #[error("batch {batch_id} refused the change")]
    Refused {
        /// The batch.
        batch_id: BatchId,
        /// The state and what it refused.
        source: InvalidTransition,
    },
    /// The store failed.
    #[error("the change could not be stored")]
    Store(#[from] StoreError),
}

impl LedgerError {
    /// What a policy may do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Fenced(_) => ErrorKind::Cancelled,
            Self::NotFound(_) | Self::Refused { .. } => ErrorKind::Permanent,
            Self::Store(error) => error.kind(),
        }
    }
}

impl From<sea_orm::DbErr> for LedgerError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(error.into())
    }
}

/// A batch whose row is locked, with the events that its changes give rise to.
///
/// Dropped without [`BatchChange::commit`] it changes nothing.
pub(super) struct BatchChange<'a> {
    ledger: &'a Ledger,
    /// The transaction, for the other rows that change with the batch.
    pub(super) tx: DatabaseTransaction,
    /// The batch's row; its counters may be changed freely, its state by [`Self::apply`] only.
    pub(super) row: batch_execution::Model,
    state: BatchState,
    config: BatchConfig,
    events: Vec<BatchEvent>,
    /// The moment of the change.
    pub(super) at: DateTime<Utc>,
}

impl<'a> BatchChange<'a> {
    /// Locks the batch.
    pub(super) async fn begin(
        ledger: &'a Ledger,
        organization: OrganizationId,
        batch: BatchId,
    ) -> Result<Self, LedgerError> {
        let tx = ledger.store.begin().await?;
        let row = batch_execution::Entity::find_by_id(batch.uuid())
            .filter(batch_execution::Column::OrganizationId.eq(organization.uuid()))
            .lock_exclusive()
            .one(&tx)
            .await?
            .ok_or(LedgerError::NotFound(batch))?;
        Self::of_row(ledger, tx, row)
    }

    /// Locks the batch for its owner.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`] when the lease has passed on or the batch has ended.
    pub(super) async fn begin_owned(ledger: &'a Ledger, lease: Lease) -> Result<Self, LedgerError> {
        let change = Self::begin(ledger, lease.organization, lease.batch).await?;
        if change.row.lease_token != lease.token || change.state.stage().is_terminal() {
            return Err(LedgerError::Fenced(lease.batch));
        }
        Ok(change)
    }

    /// The change that begins with a row which this transaction has just written.
    pub(super) fn of_row(
        ledger: &'a Ledger,
        tx: DatabaseTransaction,
        row: batch_execution::Model,
    ) -> Result<Self, LedgerError> {
        let state = convert::from_json("batch_execution.state_data", row.state_data.clone())?;
        let config = convert::from_json("batch_execution.config", row.config.clone())?;
        Ok(Self {
            ledger,
            tx,
            row,
            state,
            config,
            events: Vec::new(),
            at: ledger.clock.now(),
        })
    }

    pub(super) fn batch_id(&self) -> BatchId {
        BatchId::from_uuid(self.row.id)
    }

    pub(super) fn stage(&self) -> BatchStage {
        self.state.stage()
    }

    pub(super) fn config(&self) -> &BatchConfig {
        &self.config
    }

    pub(super) fn ledger(&self) -> &'a Ledger {
        self.ledger
    }

    /// Moves the state and records the event that reports it.
    pub(super) fn apply(&mut self, trigger: BatchTrigger) -> Result<(), LedgerError> {
        let next = self
            .state
            .apply(trigger, self.at)
            .map_err(|source| LedgerError::Refused {
                batch_id: self.batch_id(),
                source,
            })?;
        self.state = next.state;
        if self.stage().is_terminal() {
            self.row.completed_at = Some(self.at);
            self.row.lease_owner = None;
            self.row.lease_expires_at = None;
            self.row.lease_token += 1;
        } else if self.stage() == BatchStage::Pending {
            self.row.completed_at = None;
            self.row.error = None;
        }
        if let BatchState::Failed { failure, .. } = &self.state {
            self.row.error = Some(failure.error.clone());
        }
        self.record(next.event);
        Ok(())
    }

    /// Moves the stage forward to `stage`, through every stage between.
    pub(super) fn advance_to(&mut self, stage: WorkflowStage) -> Result<(), LedgerError> {
        use strum::IntoEnumIterator;
        for step in WorkflowStage::iter().filter(|step| *step <= stage) {
            if self.stage() < BatchStage::from(step) {
                self.apply(BatchTrigger::EnterStage(step))?;
            }
        }
        Ok(())
    }

    /// Records an event with the counters as they stand.
    pub(super) fn record(&mut self, kind: BatchEventKind) {
        self.row.last_sequence += 1;
        self.events.push(BatchEvent {
            batch_id: self.batch_id(),
            sequence: u64::try_from(self.row.last_sequence).unwrap_or_default(),
            timestamp: self.at,
            aggregate: self.aggregate(),
            kind,
        });
    }

    /// What the batch amounts to with the counters as they stand.
    pub(super) fn totals(&self) -> BatchTotals {
        let count = |value: i32| u32::try_from(value).unwrap_or_default();
        BatchTotals {
            documents: count(self.row.total_documents),
            completed: count(self.row.completed_documents),
            failed: count(self.row.failed_documents),
            skipped: count(self.row.skipped_documents),
            entities: count(self.row.entity_count),
            relations: count(self.row.relation_count),
        }
    }

    fn aggregate(&self) -> Aggregate {
        let totals = self.totals();
        Aggregate {
            progress: batch_progress(&self.row, self.stage()),
            completed_documents: totals.completed,
            failed_documents: totals.failed,
            total_documents: totals.documents,
        }
    }

    /// Writes the row and the events, commits, and wakes the subscribers.
    pub(super) async fn commit(self) -> Result<(), LedgerError> {
        let (batch, sequence) = (self.batch_id(), self.row.last_sequence);
        write_row(&self.tx, &self.row, &self.state, self.at).await?;
        write_events(&self.tx, self.ledger, &self.row, &self.events).await?;
        self.tx.commit().await?;
        self.ledger
            .hub
            .notify(batch, u64::try_from(sequence).unwrap_or_default());
        Ok(())
    }
}

/// A batch's share that is done, in `0.0..=1.0`. It never goes back within a run because a
/// document's progress does not, not even when it fails and waits for another round.
pub(crate) fn batch_progress(row: &batch_execution::Model, stage: BatchStage) -> f64 {
    if stage == BatchStage::Completed {
        return 1.0;
    }
    let whole = f64::from(row.total_documents.max(1)) * f64::from(PROGRESS_UNITS);
    let documents = (row.progress_units as f64 / whole).clamp(0.0, 1.0);
    let share = if row.enable_entity_resolution {
        DOCUMENTS_SHARE
    } else {
        1.0
    };
    (documents * share * 1e6).round() / 1e6
}

async fn write_row(
    tx: &DatabaseTransaction,
    row: &batch_execution::Model,
    state: &BatchState,
    at: DateTime<Utc>,
) -> Result<(), LedgerError> {
    batch_execution::Entity::update(batch_execution::ActiveModel {
        id: Unchanged(row.id),
        state: Set(state.stage().to_string()),
        state_data: Set(convert::to_json(state)?),
        completed_documents: Set(row.completed_documents),
        failed_documents: Set(row.failed_documents),
        skipped_documents: Set(row.skipped_documents),
        entity_count: Set(row.entity_count),
        relation_count: Set(row.relation_count),
        tokens_used: Set(row.tokens_used),
        last_sequence: Set(row.last_sequence),
        progress_units: Set(row.progress_units),
        retry_round: Set(row.retry_round),
        next_round_at: Set(row.next_round_at),
        error: Set(row.error.clone()),
        started_at: Set(row.started_at),
        completed_at: Set(row.completed_at),
        lease_owner: Set(row.lease_owner.clone()),
        lease_token: Set(row.lease_token),
        lease_expires_at: Set(row.lease_expires_at),
        version: Set(row.version + 1),
        updated_at: Set(at),
        ..Default::default()
    })
    .exec_without_returning(tx)
    .await?;
    Ok(())
}

async fn write_events(
    tx: &DatabaseTransaction,
    ledger: &Ledger,
    row: &batch_execution::Model,
    events: &[BatchEvent],
) -> Result<(), LedgerError> {
    for events in events.chunks(EVENTS_PER_INSERT) {
        let rows = events
            .iter()
            .map(|event| event_row(ledger, row, event))
            .collect::<Result<Vec<_>, StoreError>>()?;
        batch_event::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

fn event_row(
    ledger: &Ledger,
    batch: &batch_execution::Model,
    event: &BatchEvent,
) -> Result<batch_event::ActiveModel, StoreError> {
    Ok(batch_event::ActiveModel {
        id: Set(ledger.entropy.uuid_v7()),
        organization_id: Set(batch.organization_id),
        batch_id: Set(batch.id),
        sequence: Set(i64::try_from(event.sequence).unwrap_or(i64::MAX)),
        kind: Set(event.kind.name().to_owned()),
        batch_document_id: Set(event.kind.document_id().map(|id| id.uuid())),
        payload: Set(convert::to_json(event)?),
        timestamp: Set(event.timestamp),
        created_at: Set(event.timestamp),
        updated_at: Set(event.timestamp),
    })
}
