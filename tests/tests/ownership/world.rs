//! What the database and the processes hold, and the transactions that change it.

/// How a document stands in the batch; `batch_document.status`, without the difference between a
/// document that waits for its first turn and one that waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    Queued,
    Processing,
    Completed,
    Failed,
    Skipped,
}

impl Status {
    pub(crate) fn is_settled(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Skipped)
    }
}

/// How the batch stands; `batch_execution.state`, the stages of extraction being one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Running,
    Resolving,
    Completed,
    Failed,
    Cancelled,
}

impl Stage {
    pub(crate) fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// The batch's row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Batch {
    pub(crate) stage: Stage,
    /// `lease_token`: grows with the end of a run and with every retry.
    pub(crate) epoch: u8,
    /// Rounds over failed documents that have begun.
    pub(crate) round: u8,
    /// `next_round_at`: a round has been decided and has not begun.
    pub(crate) planned: bool,
}

/// A document's rows: its place in the batch, its execution, its journal of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Document {
    pub(crate) status: Status,
    /// The execution's owner.
    pub(crate) owner: Option<usize>,
    /// The execution's token: grows with every claim.
    pub(crate) token: u8,
    /// Turns that were begun.
    pub(crate) attempts: u8,
    /// Outcomes that were committed.
    pub(crate) outcomes: u8,
    /// The token of the owner that committed the unit to the journal.
    pub(crate) journaled: Option<u8>,
    /// Times that the unit was reported as completed.
    pub(crate) reports: u8,
}

/// What a process does with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    /// The batch's epoch when it took the document.
    pub(crate) epoch: u8,
    /// The document's token when it took the document.
    pub(crate) token: u8,
    pub(crate) step: Step,
}

/// What a process will write of a document next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Unit,
    Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Process {
    Up,
    Paused,
    Dead,
}

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Worker<const D: usize> {
    pub(crate) process: Process,
    /// The epoch of the batch that it takes part in.
    pub(crate) joined: Option<u8>,
    /// It has been told that a round is planned.
    pub(crate) waits_for_round: bool,
    /// Its leases have once run out while it was up.
    pub(crate) late: bool,
    pub(crate) held: [Option<Held>; D],
}

/// What may still go wrong, or be asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Processes that die.
    pub(crate) crashes: u8,
    /// Processes that stop and go on later.
    pub(crate) pauses: u8,
    /// Leases that run out while their owner is up.
    pub(crate) late: u8,
    /// Answers to a commit that are lost with the connection.
    pub(crate) lost: u8,
    /// Units of work that fail.
    pub(crate) failures: u8,
    /// `cancelBatch`.
    pub(crate) cancels: u8,
    /// `retryFailedDocuments`.
    pub(crate) retries: u8,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World<const W: usize, const D: usize> {
    pub(crate) batch: Batch,
    pub(crate) documents: [Document; D],
    /// Whether the owner's row in `server` says that its leases hold.
    pub(crate) alive: [bool; W],
    pub(crate) workers: [Worker<D>; W],
    pub(crate) left: Budget,
    /// A unit was committed by two owners.
    pub(crate) second_commit: bool,
    /// Something was written of a document that does not run, or of a batch that has ended.
    pub(crate) stray: bool,
    /// A round began while documents still ran.
    pub(crate) early_round: bool,
}

impl<const W: usize, const D: usize> World<W, D> {
    /// A batch that the first process has just stored, and that it takes part in.
    pub(crate) fn new(left: Budget) -> Self {
        let mut workers = [Worker {
            process: Process::Up,
            joined: None,
            waits_for_round: false,
            late: false,
            held: [None; D],
        }; W];
        workers[0].joined = Some(1);
        Self {
            batch: Batch {
                stage: Stage::Running,
                epoch: 1,
                round: 0,
                planned: false,
            },
            documents: [Document {
                status: Status::Queued,
                owner: None,
                token: 0,
                attempts: 0,
                outcomes: 0,
                journaled: None,
                reports: 0,
            }; D],
            alive: [true; W],
            workers,
            left,
            second_commit: false,
            stray: false,
            early_round: false,
        }
    }

    pub(crate) fn is_up(&self, worker: usize) -> bool {
        self.workers[worker].process == Process::Up
    }

    /// Whether the process takes part in the batch's present run.
    pub(crate) fn takes_part(&self, worker: usize) -> bool {
        self.is_up(worker)
            && !self.batch.stage.is_terminal()
            && self.workers[worker].joined == Some(self.batch.epoch)
    }

    pub(crate) fn all_settled(&self) -> bool {
        let mut documents = self.documents.iter();
        documents.all(|document| document.status.is_settled())
    }

    pub(crate) fn has(&self, status: Status) -> bool {
        self.documents
            .iter()
            .any(|document| document.status == status)
    }

    /// Whether the process works on the document in the batch's present run.
    pub(crate) fn works_on(&self, worker: usize, document: usize) -> bool {
        let held = self.workers[worker].held[document];
        held.is_some_and(|held| held.epoch == self.batch.epoch)
    }

    /// Gives a document to a process. What the journal holds is not run again.
    pub(crate) fn give(&mut self, worker: usize, document: usize, answered: bool) {
        let epoch = self.batch.epoch;
        let row = &mut self.documents[document];
        row.token += 1;
        row.owner = Some(worker);
        let step = if row.journaled.is_some() {
            Step::Outcome
        } else {
            Step::Unit
        };
        let token = row.token;
        if answered {
            self.workers[worker].held[document] = Some(Held { epoch, token, step });
        }
    }

    /// Settles a document.
    pub(crate) fn settle_document(&mut self, document: usize, status: Status) {
        let row = &mut self.documents[document];
        row.status = status;
        row.owner = None;
    }

    /// Skips what is not settled.
    pub(crate) fn skip_unfinished(&mut self) {
        for document in 0..D {
            if !self.documents[document].status.is_settled() {
                self.settle_document(document, Status::Skipped);
            }
        }
    }

    /// Queues documents of a status again.
    pub(crate) fn queue(&mut self, which: impl Fn(Status) -> bool) {
        for document in &mut self.documents {
            if which(document.status) {
                document.status = Status::Queued;
            }
        }
    }

    /// Moves the batch; the end of a run fences whoever took part in it.
    pub(crate) fn enter(&mut self, stage: Stage) {
        self.batch.stage = stage;
        if stage.is_terminal() {
            self.batch.epoch += 1;
            self.batch.planned = false;
        }
    }
}
