//! Whose turn it is: which documents a process runs next.
//!
//! Every process that works on a batch asks for documents by itself. One that is handed out is
//! leased to the process that asked, by the token of its workflow; when that process dies or
//! stands still, another takes the document over, and the token grows.

use std::collections::{HashSet, VecDeque};

use chrono::{DateTime, Utc};
use knowledge_domain::{
    batch::{BatchEventKind, FailurePolicy},
    document::{DocumentStatus, DocumentTrigger},
    ids::{BatchDocumentId, BatchId, DocumentId, ExecutionId, OrganizationId},
    workflow::{RetryOwner, WorkflowExecutionStatus},
};
use knowledge_tables::{batch_document, workflow_execution};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Ledger, LedgerError, Owner,
    change::BatchChange,
    document::{in_order, of_status},
    execution,
    lease::{alive, register},
    quarantine,
    right::Scope,
    rows::{is_running, move_to},
};
use crate::{
    faults::{FailurePoint, hit},
    store::StoreError,
};

/// Waiting documents that are read ahead.
const READ_AHEAD: usize = 64;

/// A document whose turn has come, and the right to run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRun {
    /// The tenant.
    pub organization: OrganizationId,
    /// The batch.
    pub batch: BatchId,
    /// Its place in the batch.
    pub document: BatchDocumentId,
    /// Its content.
    pub content: DocumentId,
    /// Its workflow; the same over all its attempts.
    pub execution: ExecutionId,
    /// The token of the workflow's lease; writes with an earlier one are refused.
    pub token: i64,
    /// From 1.
    pub attempt: u32,
    /// Who retries its activities.
    pub retry_owner: RetryOwner,
    /// Whether its journal is empty, so that it need not be read.
    pub fresh: bool,
    /// Which attempt of a worker it is, from 1; none for the process that holds the lease. Writes of
    /// an earlier attempt are refused.
    pub worker: Option<u32>,
}

/// What a process asks for.
#[derive(Debug, Clone)]
pub struct StartRequest {
    /// The process.
    pub owner: Owner,
    /// Documents of the batch that it runs already, or is about to.
    pub running: u32,
    /// The workflows of these, and those whose outcome it has handed in.
    pub held: Vec<ExecutionId>,
    /// Documents that it can run beside these.
    pub free: u32,
    /// Documents of the batch that it should run at most, so that other processes have their share.
    pub share: u32,
    /// Look again for what other processes run, have left, or what waited.
    pub recheck: bool,
    /// No other process can be alive.
    pub alone: bool,
    /// Processes that may die with a document, one after another, before it is quarantined; 0 is
    /// never.
    pub quarantine_after: u32,
}

/// What a process was given, and what remains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Started {
    /// Documents whose turn has come, in the order of their turns.
    pub runs: Vec<DocumentRun>,
    /// Documents still wait for their turn.
    pub waiting: bool,
    /// The batch has room for more documents, but the process has its share.
    pub shared: bool,
    /// Documents that other processes run.
    pub elsewhere: u32,
    /// Documents that are suspended.
    pub suspended: u32,
    /// When the first of these goes on by itself.
    pub next_resume: Option<DateTime<Utc>>,
    /// The batch has ended with this: a document had ended the processes that ran it.
    pub ended: bool,
}

/// What is known of a batch's documents that this process does not run.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Option<Waiting>,
    others: Option<Others>,
}

/// The next documents that wait, in their order.
struct Waiting {
    rows: VecDeque<batch_document::Model>,
    /// No other document waits.
    all: bool,
}

/// Documents that are begun, and that this process does not run.
#[derive(Clone, Copy, Default)]
struct Others {
    /// Other processes run these.
    running: u32,
    /// These wait for something outside.
    suspended: u32,
    /// When the first of these goes on by itself.
    next_resume: Option<DateTime<Utc>>,
    /// Some could go on, had the process room for them.
    more: bool,
}

impl Queue {
    /// Another document of this process is suspended.
    pub(super) fn suspend(&mut self, until: Option<DateTime<Utc>>) {
        if let Some(others) = &mut self.others {
            others.suspended += 1;
            others.next_resume = earlier(others.next_resume, until);
        }
    }
}

fn earlier(a: Option<DateTime<Utc>>, b: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    a.into_iter().chain(b).min()
}

impl Ledger {
    /// Gives a process documents to run: those that a dead process left or whose wait is over,
    /// then those that wait their turn, within the batch's concurrency over all processes.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`] when the batch has ended.
    pub async fn start_documents(
        &self,
        organization: OrganizationId,
        batch: BatchId,
        request: StartRequest,
    ) -> Result<Started, LedgerError> {
        let started = self
            .writer
            .submit(Scope::member(organization, batch), move |change| {
                let request = request.clone();
                Box::pin(async move { give(change, &request).await })
            })
            .await?;
        hit(if started.runs.iter().any(|run| !run.fresh) {
            FailurePoint::ResumeAfterCommit
        } else {
            FailurePoint::StartAfterCommit
        });
        Ok(started)
    }
}

async fn give(change: &mut BatchChange, request: &StartRequest) -> Result<Started, LedgerError> {
    let (mut runs, others) = take_over(change, request).await?;
    if change.stage().is_terminal() {
        return Ok(Started {
            ended: true,
            ..Started::default()
        });
    }
    let concurrency = change.config().concurrency;
    let given = u32::try_from(runs.len()).unwrap_or(u32::MAX);
    let running = request.running.saturating_add(given);
    // What is suspended keeps its place before those that have not begun: a provider that is away
    // must not draw the whole batch into waiting for it.
    let begun = running.saturating_add(others.running + others.suspended);
    let room = concurrency.saturating_sub(begun);
    let share = request.share.saturating_sub(running);
    let limit = room.min(share).min(request.free.saturating_sub(given));
    let (started, waiting) = start_some(change, request, limit).await?;
    let left = room.saturating_sub(u32::try_from(started.len()).unwrap_or(u32::MAX));
    runs.extend(started);
    Ok(Started {
        runs,
        waiting,
        shared: waiting && left > 0 && share <= limit,
        elsewhere: others.running,
        suspended: others.suspended,
        next_resume: others.next_resume,
        ended: false,
    })
}

/// Takes over what nobody runs any more, as far as the process has room, and counts the rest.
async fn take_over(
    change: &mut BatchChange,
    request: &StartRequest,
) -> Result<(Vec<DocumentRun>, Others), LedgerError> {
    let now = change.at;
    if let Some(others) = change.queue.others {
        let due = others.next_resume.is_some_and(|at| at <= now);
        if !(request.recheck || due || others.more) {
            return Ok((Vec::new(), others));
        }
    }
    change.flush().await?;
    let rows = begun(change).await?;
    let owners = owners_alive(change, request, &rows).await?;
    let died = quarantine::died(change, &rows).await?;
    let mut others = Others::default();
    let mut runs = Vec::new();
    let held: HashSet<Uuid> = request.held.iter().map(|id| id.uuid()).collect();
    for row in rows.into_iter().filter(|row| !held.contains(&row.id)) {
        let suspended = !is_running(&row);
        let held = match &row.lease_owner {
            // What was begun here and is not held has lost its task.
            Some(owner) => owners.contains(owner) && *owner != request.owner.name,
            None => suspended && row.resume_at.is_none_or(|at| at > now),
        };
        let has_room = runs.len() < request.free as usize;
        if !held && has_room {
            let lost = row.lease_owner.as_ref().is_some_and(|it| died.contains(it));
            runs.extend(resume(change, row, request, lost).await?);
            if change.stage().is_terminal() {
                return Ok((Vec::new(), others));
            }
            continue;
        }
        others.more |= !held;
        if suspended {
            others.suspended += 1;
            others.next_resume = earlier(others.next_resume, row.resume_at);
        } else {
            others.running += 1;
        }
    }
    change.queue.others = Some(others);
    if !runs.is_empty() {
        // Two whose leases have run out would take a document from each other again and again.
        register(&change.tx, &request.owner, change.entropy(), now).await?;
        hit(FailurePoint::ResumeBeforeCommit);
    }
    Ok((runs, others))
}

/// Workflows of the batch that are begun and have not ended, in the order of their start.
async fn begun(change: &BatchChange) -> Result<Vec<workflow_execution::Model>, LedgerError> {
    use sea_orm::QueryOrder;
    use workflow_execution::Column;
    let processing = of_status(change, &[DocumentStatus::Processing])
        .select_only()
        .column(batch_document::Column::ExecutionId)
        .into_query();
    let status = |status: WorkflowExecutionStatus| status.to_string();
    let begun = [
        status(WorkflowExecutionStatus::Running),
        status(WorkflowExecutionStatus::Suspended),
    ];
    Ok(workflow_execution::Entity::find()
        .filter(Column::Id.in_subquery(processing))
        .filter(Column::Status.is_in(begun))
        .order_by_asc(Column::Id)
        .all(change.tx.as_ref())
        .await?)
}

/// The processes whose leases hold.
async fn owners_alive(
    change: &BatchChange,
    request: &StartRequest,
    rows: &[workflow_execution::Model],
) -> Result<HashSet<String>, LedgerError> {
    if request.alone || rows.iter().all(|row| row.lease_owner.is_none()) {
        return Ok(HashSet::new());
    }
    let names: Vec<String> = alive(change.at)
        .into_tuple()
        .all(change.tx.as_ref())
        .await?;
    Ok(names.into_iter().collect())
}

/// The next waiting documents, and whether others still wait.
async fn start_some(
    change: &mut BatchChange,
    request: &StartRequest,
    limit: u32,
) -> Result<(Vec<DocumentRun>, bool), LedgerError> {
    let limit = limit as usize;
    let mut waiting = match change.queue.waiting.take() {
        Some(waiting) if waiting.all || waiting.rows.len() > limit => waiting,
        _ => read_waiting(change, limit).await?,
    };
    let mut runs = Vec::with_capacity(limit.min(waiting.rows.len()));
    while runs.len() < limit
        && let Some(row) = waiting.rows.pop_front()
    {
        runs.push(start(change, row, &request.owner).await?);
    }
    let more = !waiting.rows.is_empty() || !waiting.all;
    change.queue.waiting = Some(waiting);
    if !runs.is_empty() {
        hit(FailurePoint::StartBeforeCommit);
    }
    Ok((runs, more))
}

async fn read_waiting(change: &mut BatchChange, limit: usize) -> Result<Waiting, LedgerError> {
    // What this transaction has started waits no longer.
    change.flush().await?;
    let count = READ_AHEAD.max(limit) + 1;
    let statuses = [DocumentStatus::Queued, DocumentStatus::Retry];
    let rows = in_order(of_status(change, &statuses))
        .limit(count as u64)
        .all(change.tx.as_ref())
        .await?;
    Ok(Waiting {
        all: rows.len() < count,
        rows: rows.into(),
    })
}

async fn start(
    change: &mut BatchChange,
    mut row: batch_document::Model,
    owner: &Owner,
) -> Result<DocumentRun, LedgerError> {
    change.documents.know(row.clone());
    move_to(&mut row, DocumentTrigger::Start)?;
    row.attempt += 1;
    row.retry_round = change.row.retry_round;
    row.stage = None;
    row.stage_current = 0;
    row.stage_total = 0;
    row.started_at.get_or_insert(change.at);
    row.completed_at = None;
    let retries = retry_owner(change);
    let fresh = row.execution_id.is_none();
    let execution = match row.execution_id {
        Some(id) => {
            change.executions.read(&change.tx, [id]).await?;
            let mut execution = change.executions.get(id)?;
            execution::restart(change, &mut execution, retries, owner).await?;
            execution
        }
        None => execution::begin(change, &row, retries, owner),
    };
    row.execution_id = Some(execution.id);
    change.row.started_at.get_or_insert(change.at);
    let run = run_of(change, &row, &execution, fresh);
    change.record(BatchEventKind::DocumentStarted {
        document_id: run.document,
        document_index: u32::try_from(row.position).unwrap_or_default(),
    });
    change.executions.put(execution);
    change.documents.put(row);
    Ok(run)
}

/// A document that was begun goes on where it was; one with which processes die again and again is
/// quarantined instead.
async fn resume(
    change: &mut BatchChange,
    mut execution: workflow_execution::Model,
    request: &StartRequest,
    lost: bool,
) -> Result<Option<DocumentRun>, LedgerError> {
    let document = execution.batch_document_id.ok_or_else(|| {
        StoreError::corrupt(format!("execution {} without document", execution.id))
    })?;
    change.documents.read(&change.tx, [document]).await?;
    let row = change.documents.get(document)?;
    let suspended = !is_running(&execution);
    change.executions.know(execution.clone());
    execution::lease(&mut execution, &request.owner);
    execution.lost_runs += i32::from(lost);
    let run = run_of(change, &row, &execution, false);
    if quarantine::ends_processes(&execution, request.quarantine_after) {
        quarantine::isolate(change, run, row, execution).await?;
        return Ok(None);
    }
    if suspended {
        change.record(BatchEventKind::DocumentResumed {
            document_id: run.document,
        });
    }
    change.executions.put(execution);
    Ok(Some(run))
}

fn run_of(
    change: &BatchChange,
    row: &batch_document::Model,
    execution: &workflow_execution::Model,
    fresh: bool,
) -> DocumentRun {
    DocumentRun {
        organization: OrganizationId::from_uuid(row.organization_id),
        batch: change.batch_id(),
        document: BatchDocumentId::from_uuid(row.id),
        content: DocumentId::from_uuid(row.document_id),
        execution: ExecutionId::from_uuid(execution.id),
        token: execution.lease_token,
        attempt: u32::try_from(row.attempt).unwrap_or(1),
        retry_owner: retry_owner(change),
        fresh,
        worker: None,
    }
}

/// One owner of retries per activity, never two.
fn retry_owner(change: &BatchChange) -> RetryOwner {
    match change.config().failure_policy {
        FailurePolicy::RetryFailed => RetryOwner::Orchestrator,
        FailurePolicy::ContinueOnFailure | FailurePolicy::AbortAll => RetryOwner::Activity,
    }
}
