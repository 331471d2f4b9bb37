//! The rules of one document: its stages, its outcome.

use std::collections::BTreeSet;

use knowledge_domain::{
    batch::{BatchStage, FailurePolicy},
    document::DocumentStatus,
    workflow::{DocumentProgress, PROGRESS_UNITS, StageStatus, WorkflowStage},
};
use strum::IntoEnumIterator;

use super::{
    command::Failure,
    plan::{Step, Unit},
    reference::{Process, Reference},
};

/// A document in the batch.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// Who runs it, or ran it last.
    pub(crate) owner: Option<Process>,
    /// The token that it was handed out with.
    pub(crate) token: u32,
    /// Which of the documents it was to begin.
    pub(crate) begun: Option<usize>,
    pub(crate) status: DocumentStatus,
    pub(crate) attempt: u32,
    pub(crate) stage: Option<WorkflowStage>,
    pub(crate) current: u32,
    pub(crate) total: u32,
    pub(crate) units: u32,
    retryable: bool,
    pub(crate) journaled: BTreeSet<Unit>,
}

impl Document {
    /// A document that waits for its first turn.
    pub(crate) fn new() -> Self {
        Self {
            owner: None,
            token: 0,
            begun: None,
            status: DocumentStatus::Queued,
            attempt: 0,
            stage: None,
            current: 0,
            total: 0,
            units: 0,
            retryable: false,
            journaled: BTreeSet::new(),
        }
    }

    /// Whether a round tries it again.
    pub(crate) fn may_be_mended(&self) -> bool {
        self.status == DocumentStatus::Failed && self.retryable
    }

    pub(crate) fn line(&self) -> String {
        let stage = self
            .stage
            .map_or_else(String::new, |stage| stage.to_string());
        format!(
            "{} attempt {} {stage} {}/{} journal {:?}",
            self.status,
            self.attempt,
            self.current,
            self.total,
            names(&self.journaled)
        )
    }
}

impl Reference {
    pub(crate) fn work(&mut self, server: usize, position: usize) {
        let held = self.servers[server].runs.get_mut(&position);
        let Some(Step {
            stage,
            entered,
            completed,
            ..
        }) = held.and_then(|held| held.run.advance())
        else {
            return;
        };
        if let Some(unit) = completed {
            self.record_unit(position, unit);
        }
        if let Some((total, replayed)) = entered {
            self.enter(position, stage, total, replayed);
        }
    }

    fn record_unit(&mut self, position: usize, unit: Unit) {
        self.documents[position].journaled.insert(unit);
        self.progress(position, unit.0, 1);
    }

    fn enter(&mut self, position: usize, stage: WorkflowStage, total: u32, replayed: u32) {
        let document = &mut self.documents[position];
        if document.stage >= Some(stage) {
            return;
        }
        document.stage = Some(stage);
        document.current = 0;
        document.total = total;
        // A batch in which documents have completed has been through every stage.
        let reached = if self.completed() > 0 {
            WorkflowStage::Assemble
        } else {
            stage
        };
        self.advance_to(reached);
        self.report(position, stage, StageStatus::Started);
        if replayed > 0 || total == 0 {
            self.progress(position, stage, replayed);
        }
    }

    pub(crate) fn advance_to(&mut self, stage: WorkflowStage) {
        for step in WorkflowStage::iter().filter(|step| *step <= stage) {
            let entered = BatchStage::from(step);
            if self.stage < entered {
                self.stage = entered;
                self.event(&format!("BatchStageEntered {entered}"));
            }
        }
    }

    fn progress(&mut self, position: usize, stage: WorkflowStage, units: u32) {
        let document = &mut self.documents[position];
        document.current = (document.current + units).min(document.total);
        let done = DocumentProgress {
            stage,
            current: document.current,
            total: document.total,
        };
        document.units = document.units.max(done.units());
        let status = if document.current == document.total {
            StageStatus::Completed
        } else {
            StageStatus::InProgress
        };
        self.report(position, stage, status);
    }

    fn report(&mut self, position: usize, stage: WorkflowStage, status: StageStatus) {
        let Document { current, total, .. } = self.documents[position];
        self.event(&format!(
            "StageProgress {position} {stage} {status:?} {current}/{total}"
        ));
    }

    pub(crate) fn complete(&mut self, server: usize, position: usize) {
        let run = self.servers[server].runs.remove(&position);
        if let Some(unit) = run.and_then(|held| held.run.running) {
            self.record_unit(position, unit);
        }
        let document = &mut self.documents[position];
        document.status = DocumentStatus::Completed;
        document.units = PROGRESS_UNITS;
        self.servers[server].completed.insert(position);
        self.event(&format!("DocumentCompleted {position}"));
    }

    pub(crate) fn fail(&mut self, server: usize, position: usize, failure: Failure) {
        let run = self.servers[server].runs.remove(&position);
        let stage = run.and_then(|held| held.run.stage());
        let retryable = failure == Failure::Retryable;
        let will_retry = retryable && self.round < self.rounds();
        let document = &mut self.documents[position];
        document.retryable = retryable;
        document.status = DocumentStatus::Failed;
        if !will_retry {
            document.units = PROGRESS_UNITS;
            if self.request.policy == FailurePolicy::RetryFailed {
                document.status = DocumentStatus::Abandoned;
            }
        }
        if let Some(stage) = stage {
            self.documents[position].stage = Some(stage);
            self.report(position, stage, StageStatus::Failed);
        }
        let stage = stage.map_or_else(|| "nowhere".to_owned(), |stage| stage.to_string());
        self.event(&format!("DocumentFailed {position} {stage} {will_retry}"));
        if self.documents[position].status == DocumentStatus::Abandoned {
            self.event(&format!("DocumentQuarantined {position}"));
        }
        if self.request.policy == FailurePolicy::AbortAll {
            self.skip_unfinished();
            self.end(BatchStage::Failed, "BatchFailed");
        }
    }
}

/// Units as they are named in the journal.
pub(crate) fn names(units: &BTreeSet<Unit>) -> Vec<String> {
    let names = units.iter().map(|(stage, unit)| format!("{stage}/{unit}"));
    let names: BTreeSet<String> = names.collect();
    names.into_iter().collect()
}
