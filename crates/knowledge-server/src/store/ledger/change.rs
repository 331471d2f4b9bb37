//! One transaction on one batch.

mod flush;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    Entropy,
    batch::{
        Aggregate, BatchConfig, BatchEvent, BatchEventKind, BatchStage, BatchState, BatchTotals,
        BatchTrigger, DocumentsByStage, Pace, Rest, batch_progress,
    },
    ids::{BatchId, ExtractionId},
    workflow::{PROGRESS_UNITS, WorkflowStage},
};
use knowledge_tables::{batch_document, batch_execution, parity_check};
use sea_orm::{DatabaseTransaction, EntityTrait, QuerySelect};
use uuid::Uuid;

use super::{
    LedgerError, attempt,
    journal::JournalWrites,
    lease::{Owner, register},
    proof::Proof,
    right::{Right, Scope},
    rows::{Documents, Executions, is_running},
    tally::Tally,
    turn::Queue,
    writer::Environment,
};
use crate::{progress::EventHub, store::convert};

/// What a change leaves for the next one of the same batch.
pub(super) struct Remembered {
    row: batch_execution::Model,
    state: BatchState,
    config: BatchConfig,
    pace: Pace,
    counts: Option<DocumentsByStage>,
    documents: Documents,
    executions: Executions,
    queue: Queue,
}

impl Remembered {
    /// Documents that run.
    pub(super) fn running(&self) -> usize {
        self.executions.len()
    }
}

/// A batch, with what changes with it.
///
/// Rows are changed in memory and written by [`BatchChange::flush`], so that the changes of many
/// documents share their statements. The batch's row is locked before anything but a graph is
/// written, and at the latest when the transaction ends; every change raises its version, so a
/// version that is the same then says that whatever was remembered, or read before, is still so.
pub(super) struct BatchChange {
    pub(super) env: Arc<Environment>,
    /// The transaction, for rows that are read or written at once.
    pub(super) tx: Arc<DatabaseTransaction>,
    /// The batch's row; its counters may be changed freely, its state by [`Self::apply`] only.
    pub(super) row: batch_execution::Model,
    original: batch_execution::Model,
    /// The row is locked, and its version is the one that is known.
    locked: bool,
    state: BatchState,
    config: BatchConfig,
    pace: Pace,
    counts: Option<DocumentsByStage>,
    events: Vec<BatchEvent>,
    proof: Option<Proof>,
    /// Documents that were read.
    pub(super) documents: Documents,
    /// Their workflows that were read.
    pub(super) executions: Executions,
    /// Which documents come next.
    pub(super) queue: Queue,
    /// What workflows have begun and finished.
    pub(super) journal: JournalWrites,
    /// Documents that are to be compared with what another engine comes to.
    pub(super) checks: Vec<parity_check::ActiveModel>,
    /// What the transaction holds of the graph that the change writes, where that is written.
    pub(super) written: Option<ExtractionId>,
    /// The moment of the change.
    pub(super) at: DateTime<Utc>,
}

impl BatchChange {
    /// Locks the batch; `None` when there is none.
    pub(super) async fn begin(
        env: &Arc<Environment>,
        tx: &Arc<DatabaseTransaction>,
        batch: BatchId,
    ) -> Result<Option<Self>, LedgerError> {
        let row = batch_execution::Entity::find_by_id(batch.uuid())
            .lock_exclusive()
            .one(tx.as_ref())
            .await?;
        row.map(|row| Self::of_row(env, tx, row)).transpose()
    }

    /// Goes on with what is remembered of the batch; [`Self::flush`] and [`Self::confirm`] see
    /// whether it is still so.
    pub(super) fn remembering(
        env: &Arc<Environment>,
        tx: &Arc<DatabaseTransaction>,
        remembered: Remembered,
    ) -> Self {
        Self {
            env: Arc::clone(env),
            tx: Arc::clone(tx),
            original: remembered.row.clone(),
            row: remembered.row,
            locked: false,
            state: remembered.state,
            config: remembered.config,
            pace: remembered.pace,
            counts: remembered.counts,
            events: Vec::new(),
            proof: None,
            documents: remembered.documents,
            executions: remembered.executions,
            queue: remembered.queue,
            journal: JournalWrites::default(),
            checks: Vec::new(),
            written: None,
            at: env.clock.now(),
        }
    }

    /// Locks the batch, if it is not locked yet.
    ///
    /// # Errors
    /// [`LedgerError::Stale`] when what was remembered of it is not so any more.
    pub(super) async fn confirm(&mut self) -> Result<(), LedgerError> {
        if self.locked {
            return Ok(());
        }
        let version: Option<i64> = batch_execution::Entity::find_by_id(self.row.id)
            .select_only()
            .column(batch_execution::Column::Version)
            .lock_exclusive()
            .into_tuple()
            .one(self.tx.as_ref())
            .await?;
        if version != Some(self.original.version) {
            return Err(LedgerError::Stale(self.batch_id()));
        }
        self.locked = true;
        Ok(())
    }

    /// What the next change of the batch need not read, once this one is committed.
    pub(super) fn remember(mut self) -> Option<Remembered> {
        self.executions.retain(is_running);
        let running = |id: Uuid| self.executions.find(id).is_some();
        self.documents
            .retain(|row| row.execution_id.is_some_and(running));
        (!self.stage().is_terminal()).then_some(Remembered {
            row: self.row,
            state: self.state,
            config: self.config,
            pace: self.pace,
            counts: self.counts,
            documents: self.documents,
            executions: self.executions,
            queue: self.queue,
        })
    }

    /// The change that begins with a row which this transaction has just written.
    pub(super) fn of_row(
        env: &Arc<Environment>,
        tx: &Arc<DatabaseTransaction>,
        row: batch_execution::Model,
    ) -> Result<Self, LedgerError> {
        let state = convert::from_json("batch_execution.state_data", row.state_data.clone())?;
        let config = convert::from_json("batch_execution.config", row.config.clone())?;
        let tally: Tally = match row.tally.clone() {
            Some(tally) => convert::from_json("batch_execution.tally", tally)?,
            None => Tally::default(),
        };
        Ok(Self {
            env: Arc::clone(env),
            tx: Arc::clone(tx),
            original: row.clone(),
            row,
            locked: true,
            state,
            config,
            pace: tally.pace,
            events: Vec::new(),
            proof: None,
            documents: Documents::default(),
            executions: Executions::default(),
            queue: Queue::default(),
            counts: tally.documents,
            journal: JournalWrites::default(),
            checks: Vec::new(),
            written: None,
            at: env.clock.now(),
        })
    }

    /// Reads what a change of this scope needs.
    pub(super) async fn read(&mut self, scopes: &[Scope]) -> Result<(), LedgerError> {
        let runs = scopes.iter().filter_map(Scope::run);
        let documents = runs.clone().map(|run| run.document.uuid());
        self.documents.read(&self.tx, documents).await?;
        let executions = runs.map(|run| run.execution.uuid());
        self.executions.read(&self.tx, executions).await
    }

    /// Whether the organisation has this batch, and whoever changes it still may.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`] when the lease has passed on or the batch has ended.
    pub(super) fn admit(&self, scope: &Scope) -> Result<(), LedgerError> {
        if self.row.organization_id != scope.organization.uuid() {
            return Err(LedgerError::NotFound(scope.batch));
        }
        let ended = self.stage().is_terminal();
        let fenced = match &scope.right {
            Right::Command => false,
            Right::Member => ended,
            Right::Leader(token) => ended || *token != self.row.lease_token,
            Right::Run(run) => {
                let row = self.executions.find(run.execution.uuid());
                ended || row.is_none_or(|row| !attempt::may_write(run, row))
            }
        };
        if fenced {
            return Err(LedgerError::Fenced(scope.batch));
        }
        Ok(())
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

    /// Lets the batch use so many tokens; who calls it writes the row's `config`.
    pub(super) fn set_token_budget(&mut self, tokens: u64) -> Result<(), LedgerError> {
        self.config.token_budget = Some(tokens);
        self.row.config = convert::to_json(&self.config)?;
        Ok(())
    }

    pub(super) fn entropy(&self) -> &dyn Entropy {
        self.env.entropy.as_ref()
    }

    /// Gives the batch to an owner; the new token, which fences every earlier owner.
    pub(super) async fn lease_to(&mut self, owner: &Owner) -> Result<i64, LedgerError> {
        register(&self.tx, owner, self.env.entropy.as_ref(), self.at).await?;
        self.row.lease_owner = Some(owner.name.clone());
        self.row.lease_token += 1;
        Ok(self.row.lease_token)
    }

    /// From here on the change happens now: what came before took its time.
    pub(super) fn refresh(&mut self) {
        self.at = self.env.clock.now();
    }

    /// Raises a document's progress to `units`, and the batch's by the difference; never lowers it.
    pub(super) fn raise_progress(&mut self, document: &mut batch_document::Model, units: u32) {
        let units = convert::count(units);
        if units > document.progress_units {
            let done = i64::from(units - document.progress_units);
            self.row.progress_units += done;
            self.pace.advance(done, self.at);
            document.progress_units = units;
        }
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
            self.row.lease_token += 1;
        } else if self.stage() == BatchStage::Pending {
            self.row.completed_at = None;
            self.row.error = None;
            self.pace = Pace::default();
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

    /// Records an event with the counters as they stand; it gets its sequence when it is written.
    pub(super) fn record(&mut self, kind: BatchEventKind) {
        if let BatchEventKind::DocumentStarted { .. } = kind {
            self.pace.begin(self.at);
        }
        self.events.push(BatchEvent {
            batch_id: self.batch_id(),
            sequence: 0,
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
            partial: count(self.row.partial_documents),
        }
    }

    fn aggregate(&self) -> Aggregate {
        let totals = self.totals();
        Aggregate {
            progress: batch_progress(
                self.stage(),
                self.row.progress_units,
                totals.documents,
                self.row.enable_entity_resolution,
            ),
            completed_documents: totals.completed,
            failed_documents: totals.failed,
            total_documents: totals.documents,
            documents_by_stage: None,
            documents_per_minute: self
                .works()
                .then(|| self.pace.documents_per_minute())
                .flatten(),
            remaining_seconds: self
                .works()
                .then(|| self.pace.remaining(self.rest()))
                .flatten(),
        }
    }

    /// Whether documents are worked on, so that there is something to estimate.
    fn works(&self) -> bool {
        !self.stage().is_terminal() && self.stage() != BatchStage::Resolving
    }

    /// What documents are left to do.
    fn rest(&self) -> Rest {
        let totals = self.totals();
        let settled = totals.completed + totals.failed + totals.skipped;
        let whole = i64::from(totals.documents) * i64::from(PROGRESS_UNITS);
        Rest {
            units: whole - self.row.progress_units,
            documents: totals.documents.saturating_sub(settled),
            concurrency: self.config.concurrency,
        }
    }

    /// What shows that the change was committed; `None` where it writes nothing of the batch.
    pub(super) fn proof(&self) -> Option<Proof> {
        self.proof
    }

    /// What the batch's subscribers are to be told once the change is committed.
    pub(super) fn announcement(&self) -> Announcement {
        Announcement {
            hub: self.env.hub.clone(),
            batch: self.batch_id(),
            sequence: u64::try_from(self.row.last_sequence).unwrap_or_default(),
        }
    }
}

/// Wakes a batch's subscribers.
pub(super) struct Announcement {
    hub: EventHub,
    batch: BatchId,
    sequence: u64,
}

impl Announcement {
    pub(super) fn send(&self) {
        self.hub.notify(self.batch, self.sequence);
    }
}
