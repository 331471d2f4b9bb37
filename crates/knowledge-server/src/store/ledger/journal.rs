//! The journal: what workflows have begun and finished, read by stage and written in bulk.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use knowledge_domain::{
    ErrorKind,
    ids::ExecutionId,
    workflow::{ActivityCall, ActivityError, WorkflowActivityStatus, WorkflowStage},
};
use knowledge_extraction::sha256_hex;
use knowledge_tables::{
    batch_execution,
    workflow_activity::{self, Column},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{Ledger, LedgerError, again::patiently, writer::Environment};
use crate::store::{StoreError, together::Together};

/// What the journal calls the kind of a failure that every document of the batch would meet.
const OF_BATCH: &str = "batch";

/// What the journal calls the kind of a failure.
pub(super) fn kind_name(error: &ActivityError) -> &'static str {
    if error.ends_batch() {
        OF_BATCH
    } else {
        error.kind().name()
    }
}

/// Names a unit within an execution: the same name with another input is another unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitKey {
    /// The stage and the unit's position: `mentions/3`.
    pub name: String,
    /// SHA-256 of the canonical input, in hex.
    pub input_hash: String,
}

impl UnitKey {
    /// Names a call.
    #[must_use]
    pub fn of(call: &ActivityCall) -> Self {
        Self {
            name: call.name.clone(),
            input_hash: sha256_hex(&call.input),
        }
    }
}

/// A unit that has its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedUnit {
    /// The unit.
    pub key: UnitKey,
    /// Its output, as canonical JSON.
    pub output: Arc<[u8]>,
    /// Milliseconds of the attempt.
    pub duration_ms: i32,
    /// Tokens that its model calls cost.
    pub tokens: u64,
    /// Why it has no result, where it has none: its output says so to the workflow, and another
    /// attempt at the document asks again.
    pub skipped: Option<String>,
}

/// A unit that has its output, with its stage.
pub type StagedUnit = (WorkflowStage, CompletedUnit);

/// A unit whose attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedUnit {
    /// The unit.
    pub key: UnitKey,
    /// Why.
    pub error: ActivityError,
    /// Milliseconds of the attempt.
    pub duration_ms: i32,
    /// When it is tried again; never, when absent.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// What the journal holds of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournaledUnit {
    /// The output, once completed.
    pub output: Option<Vec<u8>>,
    /// The failure that ended it, until its document is started again.
    pub failed: Option<ActivityError>,
    /// Failed attempts since the document was last started.
    pub failures: u32,
    /// Times the body was started.
    pub attempt: u32,
    /// When it is tried again.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

impl Ledger {
    /// What the journal holds of a stage's units.
    pub async fn journal(
        &self,
        execution: ExecutionId,
        stage: WorkflowStage,
    ) -> Result<HashMap<UnitKey, JournaledUnit>, LedgerError> {
        // Given up, the read would cost the units that are done and not recorded yet.
        let rows = patiently(async || {
            let rows = workflow_activity::Entity::find()
                .filter(Column::ExecutionId.eq(execution.uuid()))
                .filter(Column::ActivityType.eq(stage.to_string()));
            Ok(rows.all(self.store().read()).await?)
        })
        .await?;
        rows.into_iter().map(journaled).collect()
    }
}

/// # Errors
/// When a completed unit has lost its output: running it again would pay for it twice.
fn journaled(row: workflow_activity::Model) -> Result<(UnitKey, JournaledUnit), LedgerError> {
    let failed = failure(&row);
    let completed = row.status == WorkflowActivityStatus::Completed.to_string();
    if completed && row.output.is_none() {
        let name = &row.activity_name;
        return Err(StoreError::corrupt(format!("no output of the completed {name}")).into());
    }
    // A unit that was skipped has an output while its document's attempt lasts.
    let skipped = row.status == WorkflowActivityStatus::Skipped.to_string();
    let unit = JournaledUnit {
        output: row.output.filter(|_| completed || skipped),
        failed,
        failures: u32::try_from(row.failure_count).unwrap_or_default(),
        attempt: u32::try_from(row.attempt).unwrap_or_default(),
        next_attempt_at: row.next_attempt_at,
    };
    let key = UnitKey {
        name: row.activity_name,
        input_hash: row.input_hash,
    };
    Ok((key, unit))
}

/// The failure of a unit that is not to be tried again.
fn failure(row: &workflow_activity::Model) -> Option<ActivityError> {
    let failed = row.status == WorkflowActivityStatus::Failed.to_string();
    if !failed || row.failure_count == 0 || row.next_attempt_at.is_some() {
        return None;
    }
    let kind = row.error_kind.as_deref().unwrap_or_default();
    let message = row.error.clone().unwrap_or_default();
    if kind == OF_BATCH {
        return Some(ActivityError::of_batch(message));
    }
    let kind = ErrorKind::from_name(kind);
    Some(ActivityError::new(kind, message))
}

/// What is to be written of the journal: each unit once, whatever happens to it in one transaction.
#[derive(Default)]
pub(super) struct JournalWrites {
    units: BTreeMap<(ExecutionId, UnitKey), UnitWrite>,
}

struct UnitWrite {
    stage: WorkflowStage,
    /// An attempt begins.
    begun: bool,
    completed: Option<CompletedUnit>,
}

impl JournalWrites {
    /// An attempt of a unit is about to begin.
    pub(super) fn begin(&mut self, execution: ExecutionId, stage: WorkflowStage, unit: UnitKey) {
        self.write_of(execution, stage, unit).begun = true;
    }

    /// A unit has its output.
    pub(super) fn complete(
        &mut self,
        execution: ExecutionId,
        stage: WorkflowStage,
        unit: CompletedUnit,
    ) {
        let write = self.write_of(execution, stage, unit.key.clone());
        write.completed = Some(unit);
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    fn write_of(
        &mut self,
        execution: ExecutionId,
        stage: WorkflowStage,
        unit: UnitKey,
    ) -> &mut UnitWrite {
        self.units.entry((execution, unit)).or_insert(UnitWrite {
            stage,
            begun: false,
            completed: None,
        })
    }

    /// Adds everything to what is written.
    pub(super) fn write(
        &mut self,
        together: &mut Together,
        env: &Environment,
        batch: &batch_execution::Model,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let template = Template { env, batch, at };
        let rows: Vec<_> = std::mem::take(&mut self.units)
            .into_iter()
            .map(|((execution, key), write)| template.row(execution, key, write))
            .collect();
        Ok(together.insert(rows, Some(once_completed_never_again()))?)
    }
}

/// What the rows of one change share.
struct Template<'a> {
    env: &'a Environment,
    batch: &'a batch_execution::Model,
    at: DateTime<Utc>,
}

impl Template<'_> {
    fn row(
        &self,
        execution: ExecutionId,
        key: UnitKey,
        write: UnitWrite,
    ) -> workflow_activity::ActiveModel {
        let completed = write.completed;
        let status = match &completed {
            Some(unit) if unit.skipped.is_some() => WorkflowActivityStatus::Skipped,
            Some(_) => WorkflowActivityStatus::Completed,
            None => WorkflowActivityStatus::Running,
        };
        workflow_activity::ActiveModel {
            id: Set(self.env.entropy.uuid_v7()),
            organization_id: Set(self.batch.organization_id),
            execution_id: Set(execution.uuid()),
            activity_name: Set(key.name),
            activity_type: Set(write.stage.to_string()),
            input_hash: Set(key.input_hash),
            status: Set(status.to_string()),
            // What the attempts of a row that is there grow by.
            attempt: Set(i32::from(write.begun)),
            failure_count: Set(0),
            input: Set(None),
            error_kind: Set(None),
            next_attempt_at: Set(None),
            duration_ms: Set(completed.as_ref().map(|unit| unit.duration_ms)),
            started_at: Set(Some(self.at)),
            completed_at: Set(completed.as_ref().map(|_| self.at)),
            output: Set(completed.as_ref().map(|unit| unit.output.to_vec())),
            error: Set(completed.and_then(|unit| unit.skipped)),
            pruned_at: Set(None),
            created_at: Set(self.at),
            updated_at: Set(self.at),
        }
    }
}

/// Begins another attempt of a unit or records its output. A completed unit is never changed
/// again, whoever asks.
fn once_completed_never_again() -> OnConflict {
    use workflow_activity::Entity as Activity;
    let begins = || {
        let running = WorkflowActivityStatus::Running.to_string();
        excluded(Column::Status).eq(running)
    };
    let kept_while_running = |column: Column| {
        let kept = Expr::case(begins(), Expr::col((Activity, column)));
        (column, kept.finally(excluded(column)).into())
    };
    let begun = || excluded(Column::Attempt).gt(0);
    let attempt = Expr::col((Activity, Column::Attempt)).add(excluded(Column::Attempt));
    let started_at = Expr::case(begun(), excluded(Column::StartedAt))
        .finally(Expr::col((Activity, Column::StartedAt)));
    let completed = WorkflowActivityStatus::Completed.to_string();
    OnConflict::columns([Column::ExecutionId, Column::ActivityName, Column::InputHash])
        .update_columns([
            Column::Status,
            Column::Output,
            Column::NextAttemptAt,
            Column::DurationMs,
            Column::CompletedAt,
            Column::UpdatedAt,
        ])
        .values([
            kept_while_running(Column::Error),
            kept_while_running(Column::ErrorKind),
            (Column::Attempt, attempt),
            (Column::StartedAt, started_at.into()),
        ])
        .action_and_where(Expr::col((Activity, Column::Status)).ne(completed))
        .to_owned()
}

/// The value that the conflicting row would have had.
fn excluded(column: Column) -> Expr {
    Expr::col(("excluded", column))
}
