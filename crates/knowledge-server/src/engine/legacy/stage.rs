//! One stage: its units, replayed or run, several at a time.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use knowledge_domain::{
    ErrorKind,
    workflow::{ActivityCall, ActivityError, StageCall, WorkflowError, WorkflowStage},
};
use sha2::{Digest, Sha256};
use tokio::task::{JoinError, JoinSet};

use super::{Execution, journal_error};
use crate::{
    store::ledger::{Checkpoint, CompletedUnit, JournaledUnit, StageEntry, UnitKey},
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
pub(super) async fn run(
    execution: &Arc<Execution>,
    call: StageCall,
) -> Result<Vec<Vec<u8>>, WorkflowError> {
    let mut progress = execution.replay(call).await?;
    let entry = StageEntry {
        total: count(progress.outputs.len()),
        replayed: count(progress.outputs.iter().flatten().count()),
    };
    let window = progress.stage.policy().window;
    let mut running = JoinSet::new();
    let mut next = execution
        .begin(&mut progress, Some(entry), None, window)
        .await?;
    loop {
        for unit in next {
            let execution = Arc::clone(execution);
            running.spawn(async move { execution.attempt(unit).await });
        }
        let Some(attempted) = running.join_next().await else {
            break;
        };
        let done = attempted.map_err(|error| lost(&error))??;
        progress.outputs[done.index] = Some(done.unit.output.to_vec());
        if running.is_empty() && progress.waiting.is_empty() {
            execution.defer(progress.stage, done.unit);
            break;
        }
        next = execution
            .begin(&mut progress, None, Some(done.unit), 1)
            .await?;
    }
    let outputs = progress.outputs.into_iter();
    outputs
        .map(|output| output.ok_or(WorkflowError::Cancelled))
        .collect()
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

    /// Records what completed and the attempts of the next `window` units, in one transaction.
    async fn begin(
        &self,
        progress: &mut Progress,
        entered: Option<StageEntry>,
        done: Option<CompletedUnit>,
        window: usize,
    ) -> Result<Vec<Unit>, WorkflowError> {
        let next = window.min(progress.waiting.len());
        let mut units: Vec<Unit> = progress.waiting.drain(..next).collect();
        let completed = self
            .take_deferred()
            .into_iter()
            .chain(done.map(|unit| (progress.stage, unit)))
            .collect();
        let checkpoint = Checkpoint {
            stage: progress.stage,
            entered,
            completed,
            starting: units
                .iter()
                .filter(|unit| unit.not_before.is_none())
                .map(|unit| unit.key.clone())
                .collect(),
        };
        self.ledger
            .checkpoint(self.lease, self.run, checkpoint)
            .await
            .map_err(|error| journal_error(&error))?;
        for unit in units.iter_mut().filter(|unit| unit.not_before.is_none()) {
            unit.attempt += 1;
        }
        Ok(units)
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
