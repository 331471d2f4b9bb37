//! One stage: its units, replayed or run, several at a time.

use std::collections::{HashMap, VecDeque};

use futures::{StreamExt, stream::FuturesUnordered};
use knowledge_domain::workflow::{
    ActivityCall, ActivityError, StageCall, WorkflowError, WorkflowStage,
};
use sha2::{Digest, Sha256};

use super::{LegacyDurable, journal_error, unit::Attempted};
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

impl LegacyDurable {
    pub(super) async fn stage(&self, call: StageCall) -> Result<Vec<Vec<u8>>, WorkflowError> {
        let mut progress = self.replay(call).await?;
        let entry = StageEntry {
            total: count(progress.outputs.len()),
            replayed: count(progress.outputs.iter().flatten().count()),
        };
        let window = progress.stage.policy().window;
        let mut running = FuturesUnordered::new();
        let first = self.begin(&mut progress, Some(entry), None, window).await?;
        running.extend(first.into_iter().map(|unit| self.attempt(unit)));
        while let Some(attempted) = running.next().await {
            let done = self.succeeded(progress.stage, attempted)?;
            let next = self.begin(&mut progress, None, Some(done), 1).await?;
            running.extend(next.into_iter().map(|unit| self.attempt(unit)));
        }
        progress
            .outputs
            .into_iter()
            .map(|output| output.ok_or(WorkflowError::Cancelled))
            .collect()
    }

    /// Fills in what the journal holds.
    async fn replay(&self, call: StageCall) -> Result<Progress, WorkflowError> {
        let mut journal = self
            .ledger
            .journal(self.run.execution, call.stage)
            .await
            .map_err(|error| journal_error(&error))?;
        let mut progress = Progress {
            stage: call.stage,
            outputs: vec![None; call.calls.len()],
            waiting: VecDeque::new(),
        };
        for (index, call) in call.calls.into_iter().enumerate() {
            let unit = unit(progress.stage, index, call, &mut journal);
            match unit {
                Replay::Journaled(output) => progress.outputs[index] = Some(output),
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
        done: Option<(usize, CompletedUnit)>,
        window: usize,
    ) -> Result<Vec<Unit>, WorkflowError> {
        let next = window.min(progress.waiting.len());
        let mut units: Vec<Unit> = progress.waiting.drain(..next).collect();
        let (index, completed) =
            done.map_or((None, None), |(index, unit)| (Some(index), Some(unit)));
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
            .checkpoint(self.lease, self.run, &checkpoint)
            .await
            .map_err(|error| journal_error(&error))?;
        for unit in units.iter_mut().filter(|unit| unit.not_before.is_none()) {
            unit.attempt += 1;
        }
        if let (Some(index), Some(unit)) = (index, checkpoint.completed) {
            progress.outputs[index] = Some(unit.output);
        }
        Ok(units)
    }

    fn succeeded(
        &self,
        stage: WorkflowStage,
        attempted: Result<Attempted, WorkflowError>,
    ) -> Result<(usize, CompletedUnit), WorkflowError> {
        let done = attempted?;
        let limit = self.output_limit();
        if done.unit.output.len() > limit {
            let message = format!(
                "the output of {} has {} bytes, more than the {limit} that a checkpoint holds",
                done.unit.key.name,
                done.unit.output.len(),
            );
            return Err(WorkflowError::Activity {
                stage,
                source: ActivityError::permanent(message),
            });
        }
        Ok((done.index, done.unit))
    }
}

enum Replay {
    Journaled(Vec<u8>),
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
