//! One stage: its units, replayed or run, several at a time.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use knowledge_domain::{
    ErrorKind,
    workflow::{
        ActivityCall, ActivityError, StageCall, SuspendReason, Suspension, WorkflowError,
        WorkflowStage,
    },
};
use tokio::{
    task::{JoinError, JoinSet},
    time::timeout,
};

use super::{Execution, durable, journal_error, unit::Attempted};
use crate::store::ledger::{
    Advice, Checkpoint, CompletedUnit, JournaledUnit, Pending, StageEntry, SuspendedRun, UnitKey,
};

/// Units that end within so long of each other are recorded together. A crash meanwhile finds them
/// as it finds those that run.
const TOGETHER: Duration = Duration::from_millis(2);

/// A unit that is to be run.
pub(super) struct Unit {
    /// Its position in the stage.
    pub(super) index: usize,
    /// The stage.
    pub(super) stage: WorkflowStage,
    /// Its key.
    pub(super) key: UnitKey,
    /// The call.
    pub(super) call: ActivityCall,
    /// Attempts that failed since the document was last started.
    pub(super) failures: u32,
    /// Attempts that were ever begun.
    pub(super) attempt: u32,
    /// When it may be tried again.
    pub(super) not_before: Option<chrono::DateTime<chrono::Utc>>,
}

/// A stage's outputs so far and what is left to run.
struct Progress {
    stage: WorkflowStage,
    outputs: Vec<Option<Vec<u8>>>,
    waiting: VecDeque<Unit>,
}

/// Runs a stage. Every unit is a task of its own: one that waits for the journal never keeps
/// another from going on. Dropped, it takes its tasks with it.
///
/// A stage that has to wait for something outside lets finish what is in flight, records it, and
/// suspends the workflow.
pub(super) async fn run(
    execution: &Arc<Execution>,
    call: StageCall,
) -> Result<Vec<Vec<u8>>, WorkflowError> {
    let mut progress = execution.replay(call).await?;
    let window = progress.stage.policy().window;
    let mut running = JoinSet::new();
    let mut halt = None;
    match execution.enter(&mut progress, window).await? {
        Begun::Units(units) => spawn(execution, &mut running, units),
        Begun::Paused => halt = Some(Halt::paused()),
    }
    let mut done = Vec::new();
    while let Some(event) = next_event(&mut running, !done.is_empty()).await {
        match event {
            Ok(Event::Ended(Attempted::Completed { index, unit })) => {
                progress.outputs[index] = Some(unit.output.to_vec());
                done.push(unit);
                if progress.waiting.is_empty() || halt.is_some() {
                    continue;
                }
            }
            Ok(Event::Ended(Attempted::Suspended { key, suspension })) => {
                halt.get_or_insert_with(|| Halt::new(suspension))
                    .released
                    .push(key);
                continue;
            }
            Ok(Event::Quiet) => {}
            Err(error) => {
                execution.keep(&mut progress, done).await?;
                return Err(error);
            }
        }
        // Nobody waits for the record of another unit but the one that takes its place.
        let window = usize::from(halt.is_none());
        let completed = std::mem::take(&mut done);
        let (next, checkpoint) = execution.next(&mut progress, None, completed, window);
        let handed_in = execution.hand_in(checkpoint).await?;
        match next.into_iter().next() {
            Some(unit) if execution.runs_ahead(progress.stage) => {
                execution.leave(handed_in);
                spawn(execution, &mut running, vec![unit]);
            }
            Some(unit) => spawn_when_durable(execution, &mut running, unit, handed_in),
            None => execution.leave(handed_in),
        }
    }
    execution.defer(progress.stage, done);
    if let Some(halt) = halt {
        return Err(execution.suspend(halt).await);
    }
    let outputs = progress.outputs.into_iter();
    outputs
        .map(|output| output.ok_or(WorkflowError::Cancelled))
        .collect()
}

/// What happens to the units that run.
enum Event {
    /// One has ended.
    Ended(Attempted),
    /// None has ended for a while.
    Quiet,
}

/// The next event; `None` when no unit runs. It is quiet only where `unrecorded` says that some
/// units are done and not recorded.
async fn next_event(
    running: &mut JoinSet<Result<Attempted, WorkflowError>>,
    unrecorded: bool,
) -> Option<Result<Event, WorkflowError>> {
    let ended = if unrecorded {
        match timeout(TOGETHER, running.join_next()).await {
            Ok(ended) => ended?,
            Err(_) => return Some(Ok(Event::Quiet)),
        }
    } else {
        running.join_next().await?
    };
    let ended = ended.unwrap_or_else(|error| Err(lost(&error)));
    Some(ended.map(Event::Ended))
}

fn spawn(
    execution: &Arc<Execution>,
    running: &mut JoinSet<Result<Attempted, WorkflowError>>,
    units: Vec<Unit>,
) {
    for unit in units {
        let execution = Arc::clone(execution);
        running.spawn(async move { execution.attempt(unit).await });
    }
}

/// Runs a unit once its attempt is durable.
fn spawn_when_durable(
    execution: &Arc<Execution>,
    running: &mut JoinSet<Result<Attempted, WorkflowError>>,
    unit: Unit,
    handed_in: Pending<Advice>,
) {
    let execution = Arc::clone(execution);
    running.spawn(async move {
        match durable(handed_in).await? {
            Advice::Continue => execution.attempt(unit).await,
            Advice::Pause => Ok(Attempted::Suspended {
                suspension: paused(),
                key: unit.key,
            }),
        }
    });
}

/// Why a stage stands still.
struct Halt {
    suspension: Suspension,
    /// Units that were begun, and wait.
    released: Vec<UnitKey>,
}

impl Halt {
    fn new(suspension: Suspension) -> Self {
        Self {
            suspension,
            released: Vec::new(),
        }
    }

    fn paused() -> Self {
        Self::new(paused())
    }
}

/// What a paused workflow waits for.
pub(super) fn paused() -> Suspension {
    Suspension {
        reason: SuspendReason::Paused,
        message: "paused by a user; resume the workflow to go on".to_owned(),
        until: None,
    }
}

/// What a checkpoint set going.
enum Begun {
    /// These units.
    Units(Vec<Unit>),
    /// Nothing: the workflow is to be paused.
    Paused,
}

/// A unit's task that ended without a result: the process stops, or the engine has a defect.
fn lost(error: &JoinError) -> WorkflowError {
    if error.is_cancelled() {
        return WorkflowError::Cancelled;
    }
    WorkflowError::Journal {
        message: "the engine panicked, which is a defect of knowledge; please report it".to_owned(),
        kind: ErrorKind::Permanent,
    }
}

impl Execution {
    /// Fills in what the journal holds.
    async fn replay(&self, call: StageCall) -> Result<Progress, WorkflowError> {
        let mut journal = if self.run.fresh {
            HashMap::new()
        } else {
            self.ledger
                .journal(self.run.execution, call.stage)
                .await
                .map_err(|error| journal_error(&error))?
        };
        let mut progress = Progress {
            stage: call.stage,
            outputs: vec![None; call.calls.len()],
            waiting: VecDeque::new(),
        };
        for (index, call) in call.calls.into_iter().enumerate() {
            let unit = unit(progress.stage, index, call, &mut journal);
            match unit {
                Replay::Journaled(output) => progress.outputs[index] = Some(output),
                Replay::Failed(source) => {
                    let stage = progress.stage;
                    return Err(WorkflowError::Activity { stage, source });
                }
                Replay::ToRun(unit) => progress.waiting.push_back(unit),
            }
        }
        Ok(progress)
    }

    /// Enters a stage and begins its first units.
    ///
    /// Where these only compute, the first run of a workflow does not wait until their attempts are
    /// durable; a crash may find them begun and their attempts not counted.
    async fn enter(&self, progress: &mut Progress, window: usize) -> Result<Begun, WorkflowError> {
        let entry = StageEntry {
            total: count(progress.outputs.len()),
            replayed: count(progress.outputs.iter().flatten().count()),
        };
        let (units, checkpoint) = self.next(progress, Some(entry), Vec::new(), window);
        if checkpoint.under_way {
            self.leave(self.hand_in(checkpoint).await?);
            return Ok(Begun::Units(units));
        }
        Ok(match self.record(checkpoint).await? {
            Advice::Continue => Begun::Units(units),
            Advice::Pause => Begun::Paused,
        })
    }

    /// Whether units of a stage run before their attempts are durable: those of the first run of a
    /// workflow that only compute.
    fn runs_ahead(&self, stage: WorkflowStage) -> bool {
        self.run.fresh && self.activities.only_computes(stage)
    }

    /// The next `window` units with the checkpoint that begins them.
    fn next(
        &self,
        progress: &mut Progress,
        entered: Option<StageEntry>,
        done: Vec<CompletedUnit>,
        window: usize,
    ) -> (Vec<Unit>, Checkpoint) {
        let next = window.min(progress.waiting.len());
        let mut units: Vec<Unit> = progress.waiting.drain(..next).collect();
        let completed = self
            .take_deferred()
            .into_iter()
            .chain(done.into_iter().map(|unit| (progress.stage, unit)))
            .collect();
        let begun = || units.iter().filter(|unit| unit.not_before.is_none());
        let checkpoint = Checkpoint {
            stage: progress.stage,
            entered,
            completed,
            starting: begun().map(|unit| unit.key.clone()).collect(),
            under_way: self.runs_ahead(progress.stage),
        };
        for unit in units.iter_mut().filter(|unit| unit.not_before.is_none()) {
            unit.attempt += 1;
        }
        (units, checkpoint)
    }

    /// Records what completed beside a unit that failed.
    async fn keep(
        &self,
        progress: &mut Progress,
        done: Vec<CompletedUnit>,
    ) -> Result<(), WorkflowError> {
        if !done.is_empty() {
            let (_, checkpoint) = self.next(progress, None, done, 0);
            self.record(checkpoint).await?;
        }
        Ok(())
    }

    /// Records that the workflow waits; what the run ends with.
    async fn suspend(&self, halt: Halt) -> WorkflowError {
        if let Err(error) = self.settle_ahead().await {
            return error;
        }
        let what = SuspendedRun {
            suspension: halt.suspension,
            completed: self.take_deferred(),
            released: halt.released,
        };
        match self.ledger.suspend(self.run, what).await {
            Ok(()) => WorkflowError::Suspended,
            Err(error) => journal_error(&error),
        }
    }
}

enum Replay {
    Journaled(Vec<u8>),
    Failed(ActivityError),
    ToRun(Unit),
}

fn unit(
    stage: WorkflowStage,
    index: usize,
    call: ActivityCall,
    journal: &mut HashMap<UnitKey, JournaledUnit>,
) -> Replay {
    let key = UnitKey::of(&call);
    let journaled = journal.remove(&key);
    let (failures, attempt, not_before) = match journaled {
        Some(JournaledUnit {
            output: Some(output),
            ..
        }) => return Replay::Journaled(output),
        Some(JournaledUnit {
            failed: Some(error),
            ..
        }) => return Replay::Failed(error),
        Some(unit) => (unit.failures, unit.attempt, unit.next_attempt_at),
        None => (0, 0, None),
    };
    Replay::ToRun(Unit {
        index,
        stage,
        key,
        call,
        failures,
        attempt,
        not_before,
    })
}

fn count(units: usize) -> u32 {
    u32::try_from(units).unwrap_or(u32::MAX)
}
