//! One stage: its units, replayed or run, several at a time.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use knowledge_domain::{
    ErrorKind,
    workflow::{
        ActivityCall, ActivityError, StageCall, SuspendReason, Suspension, WorkflowError,
        WorkflowStage,
    },
};
use sha2::{Digest, Sha256};
use tokio::task::{JoinError, JoinSet};

use super::{Execution, journal_error, unit::Attempted};
use crate::{
    store::ledger::{
        Advice, Checkpoint, CompletedUnit, JournaledUnit, StageEntry, SuspendedRun, UnitKey,
    },
    text::hex,
};

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
    while let Some(attempted) = running.join_next().await {
        let done = match attempted.map_err(|error| lost(&error))?? {
            Attempted::Completed { index, unit } => {
                progress.outputs[index] = Some(unit.output.to_vec());
                unit
            }
            Attempted::Suspended { key, suspension } => {
                halt.get_or_insert_with(|| Halt::new(suspension))
                    .released
                    .push(key);
                continue;
            }
        };
        if running.is_empty() && (progress.waiting.is_empty() || halt.is_some()) {
            execution.defer(progress.stage, done);
            break;
        }
        let window = usize::from(halt.is_none());
        match execution
            .begin(&mut progress, None, Some(done), window)
            .await?
        {
            Begun::Units(units) => spawn(execution, &mut running, units),
            Begun::Paused => {
                halt.get_or_insert_with(Halt::paused);
            }
        }
    }
    if let Some(halt) = halt {
        return Err(execution.suspend(halt).await);
    }
    let outputs = progress.outputs.into_iter();
    outputs
        .map(|output| output.ok_or(WorkflowError::Cancelled))
        .collect()
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
    /// The first unit of a workflow that has just begun computes and calls nobody, so it does not
    /// wait until its attempt is durable.
    async fn enter(&self, progress: &mut Progress, window: usize) -> Result<Begun, WorkflowError> {
        let entry = StageEntry {
            total: count(progress.outputs.len()),
            replayed: count(progress.outputs.iter().flatten().count()),
        };
        if self.run.fresh && progress.stage == WorkflowStage::Chunk {
            let (units, checkpoint) = self.next(progress, Some(entry), None, window);
            self.record_ahead(checkpoint).await?;
            return Ok(Begun::Units(units));
        }
        self.begin(progress, Some(entry), None, window).await
    }

    /// Records what completed and the attempts of the next `window` units, in one transaction.
    async fn begin(
        &self,
        progress: &mut Progress,
        entered: Option<StageEntry>,
        done: Option<CompletedUnit>,
        window: usize,
    ) -> Result<Begun, WorkflowError> {
        let (units, checkpoint) = self.next(progress, entered, done, window);
        Ok(match self.record(checkpoint).await? {
            Advice::Continue => Begun::Units(units),
            Advice::Pause => Begun::Paused,
        })
    }

    /// The next `window` units with the checkpoint that begins them.
    fn next(
        &self,
        progress: &mut Progress,
        entered: Option<StageEntry>,
        done: Option<CompletedUnit>,
        window: usize,
    ) -> (Vec<Unit>, Checkpoint) {
        let next = window.min(progress.waiting.len());
        let mut units: Vec<Unit> = progress.waiting.drain(..next).collect();
        let completed = self
            .take_deferred()
            .into_iter()
            .chain(done.map(|unit| (progress.stage, unit)))
            .collect();
        let begun = || units.iter().filter(|unit| unit.not_before.is_none());
        let checkpoint = Checkpoint {
            stage: progress.stage,
            entered,
            completed,
            starting: begun().map(|unit| unit.key.clone()).collect(),
            under_way: false,
        };
        for unit in units.iter_mut().filter(|unit| unit.not_before.is_none()) {
            unit.attempt += 1;
        }
        (units, checkpoint)
    }

    /// Records that the workflow waits; what the run ends with.
    async fn suspend(&self, halt: Halt) -> WorkflowError {
        if let Err(error) = self.settle_ahead().await {
            return error;
        }
        let what = SuspendedRun {
            suspension: halt.suspension,
            completed: self.take_deferred().into_iter().collect(),
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
    let key = UnitKey {
        name: call.name.clone(),
        input_hash: hex(&Sha256::digest(&call.input)),
    };
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
