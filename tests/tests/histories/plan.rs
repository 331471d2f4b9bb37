//! The workflow that every document of a history has, and how far one run of it is.

use std::collections::BTreeSet;

use knowledge_domain::workflow::WorkflowStage;

/// The stages with the number of their units.
pub(crate) const PLAN: [(WorkflowStage, u32); 5] = [
    (WorkflowStage::Chunk, 1),
    (WorkflowStage::Mentions, 2),
    (WorkflowStage::Entities, 1),
    (WorkflowStage::Relations, 0),
    (WorkflowStage::Assemble, 1),
];

/// Checkpoints that lead any run to its outcome.
pub(crate) const CHECKPOINTS: u8 = 10;

/// A unit, by its stage and its position there.
pub(crate) type Unit = (WorkflowStage, u32);

/// How far a server is with a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// Stages that were entered.
    entered: usize,
    /// The unit whose body runs, or has run and is not recorded.
    pub(crate) running: Option<Unit>,
    /// Its attempt failed, and it waits for the next one.
    waits: bool,
    /// Units that the journal holds.
    journaled: BTreeSet<Unit>,
}

/// What a checkpoint records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) stage: WorkflowStage,
    /// The stage is entered: its units, and how many the journal holds.
    pub(crate) entered: Option<(u32, u32)>,
    pub(crate) completed: Option<Unit>,
    pub(crate) starting: Option<Unit>,
}

impl Run {
    /// A run of a document whose journal holds these units.
    pub(crate) fn new(journaled: &BTreeSet<Unit>) -> Self {
        Self {
            journaled: journaled.clone(),
            ..Self::default()
        }
    }

    /// The stage that the run is in.
    pub(crate) fn stage(&self) -> Option<WorkflowStage> {
        self.entered.checked_sub(1).map(|stage| PLAN[stage].0)
    }

    /// Whether nothing is left but the outcome, which records the last unit.
    pub(crate) fn is_done(&self) -> bool {
        self.entered == PLAN.len() && !self.waits && self.next_unit().is_none()
    }

    /// The attempt of the unit that runs failed.
    pub(crate) fn fail_unit(&mut self) {
        self.waits = true;
    }

    /// Whether a unit runs.
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some() && !self.waits
    }

    /// The next checkpoint; `None` when only the outcome is left.
    pub(crate) fn advance(&mut self) -> Option<Step> {
        if self.waits {
            self.waits = false;
            return self.running.map(|(stage, unit)| Step {
                stage,
                entered: None,
                completed: None,
                starting: Some((stage, unit)),
            });
        }
        if self.is_done() {
            return None;
        }
        let completed = self.running.take();
        self.journaled.extend(completed);
        let entered = self.next_unit().is_none().then(|| self.enter());
        self.running = self.next_unit();
        Some(Step {
            stage: PLAN[self.entered - 1].0,
            entered,
            completed,
            starting: self.running,
        })
    }

    fn enter(&mut self) -> (u32, u32) {
        let (stage, units) = PLAN[self.entered];
        self.entered += 1;
        let held = self.journaled.iter().filter(|unit| unit.0 == stage);
        (units, u32::try_from(held.count()).unwrap_or(u32::MAX))
    }

    /// The first unit of the stage that neither runs nor is journaled.
    fn next_unit(&self) -> Option<Unit> {
        let (stage, units) = *PLAN.get(self.entered.checked_sub(1)?)?;
        let mut units = (0..units).map(|unit| (stage, unit));
        units.find(|unit| !self.journaled.contains(unit) && self.running != Some(*unit))
    }
}
