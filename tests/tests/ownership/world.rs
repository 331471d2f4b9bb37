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
    /// The process that leads it.
    pub(crate) leader: Option<usize>,
    /// `lease_token`: grows with every leader and with the end of a run.
    pub(crate) token: u8,
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
    /// The execution's token: grows with every owner and with a cancel.
    pub(crate) token: u8,
    /// Times that it was queued again.
    pub(crate) queued: u8,
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
    /// How often the document had been queued again.
    pub(crate) queued: u8,
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
    /// The token that it believes to lead the batch with.
    pub(crate) lead: Option<u8>,
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
    /// Leaders that give a batch up because of a defect.
    pub(crate) defects: u8,
    /// Units of work that fail.
    pub(crate) failures: u8,
    /// `cancelBatch`.
    pub(crate) cancels: u8,
    /// `retryFailedDocuments`.
    pub(crate) retries: u8,
}

/// Everything.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is what one property asks for"
)]
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
    /// Somebody decided on the batch who did not lead it.
    pub(crate) usurped: bool,
    /// A round began while documents still ran.
    pub(crate) early_round: bool,
}

impl<const W: usize, const D: usize> World<W, D> {
    /// A batch that the first process has just stored, and that it leads.
    pub(crate) fn new(left: Budget) -> Self {
        let mut workers = [Worker {
            process: Process::Up,
            lead: None,
            waits_for_round: false,
            late: false,
            held: [None; D],
        }; W];
        workers[0].lead = Some(1);
        Self {
            batch: Batch {
                stage: Stage::Running,
                leader: Some(0),
                token: 1,
                round: 0,
                planned: false,
            },
            documents: [Document {
                status: Status::Queued,
                owner: None,
                token: 0,
                queued: 0,
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
            usurped: false,
            early_round: false,
        }
    }

    pub(crate) fn is_up(&self, worker: usize) -> bool {
        self.workers[worker].process == Process::Up
    }

    /// Whether the process may decide on the batch.
    pub(crate) fn leads(&self, worker: usize) -> bool {
        self.workers[worker].lead == Some(self.batch.token) && !self.batch.stage.is_terminal()
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

    /// Whether the process works on the document as far as it knows.
    pub(crate) fn works_on(&self, worker: usize, document: usize) -> bool {
        let held = self.workers[worker].held[document];
        held.is_some_and(|held| held.token == self.documents[document].token)
    }

    /// Gives the batch's lead to a process.
    pub(crate) fn lead(&mut self, worker: usize) {
        self.batch.token += 1;
        self.batch.leader = Some(worker);
        self.workers[worker].lead = Some(self.batch.token);
        self.workers[worker].waits_for_round = false;
        self.alive[worker] = true;
    }

    /// Gives a document to a process. What the journal holds is not run again.
    pub(crate) fn give(&mut self, worker: usize, document: usize, answered: bool) {
        let row = &mut self.documents[document];
        row.token += 1;
        row.owner = Some(worker);
        let step = if row.journaled.is_some() {
            Step::Outcome
        } else {
            Step::Unit
        };
        let (queued, token) = (row.queued, row.token);
        if answered {
            self.workers[worker].held[document] = Some(Held {
                queued,
                token,
                step,
            });
        }
    }

    /// Settles a document.
    pub(crate) fn settle_document(&mut self, document: usize, status: Status) {
        let row = &mut self.documents[document];
        row.status = status;
        row.owner = None;
    }

    /// Skips what is not settled; whoever runs it can write no more.
    pub(crate) fn skip_unfinished(&mut self) {
        for document in 0..D {
            let status = self.documents[document].status;
            if status == Status::Processing {
                self.documents[document].token += 1;
            }
            if !status.is_settled() {
                self.settle_document(document, Status::Skipped);
            }
        }
    }

    /// Queues documents of a status again.
    pub(crate) fn queue(&mut self, which: impl Fn(Status) -> bool) {
        for document in &mut self.documents {
            if which(document.status) {
                document.status = Status::Queued;
                document.queued += 1;
            }
        }
    }

    /// Moves the batch; the end of a run fences whoever led it.
    pub(crate) fn enter(&mut self, stage: Stage) {
        self.batch.stage = stage;
        if stage.is_terminal() {
            self.batch.leader = None;
            self.batch.token += 1;
            self.batch.planned = false;
        }
    }
}
