//! What a history is made of.

use knowledge_domain::batch::FailurePolicy;

/// What a batch is started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) documents: usize,
    pub(crate) policy: FailurePolicy,
    /// Rounds over failed documents, under `retry-failed`.
    pub(crate) rounds: u32,
    pub(crate) resolution: bool,
}

/// How a document fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    Retryable,
    Permanent,
}

/// One command. The first number is the server that gives it, the second the document's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// The request of the batch is sent again, or another one with its key.
    StartAgain {
        same: bool,
    },
    /// The server asks for documents: what nobody runs any more, then what waits; at most so many.
    StartDocuments(usize, u32),
    /// The server loses the tasks of its documents, and does not know it.
    Forget(usize),
    /// So many checkpoints of a document that the server runs.
    Work(usize, usize, u8),
    /// An attempt of the unit that runs fails; it is tried again.
    FailUnit(usize, usize),
    /// The document's outcome.
    Complete(usize, usize),
    /// The same outcome once more: its answer was lost.
    CompleteAgain(usize, usize),
    Fail(usize, usize, Failure),
    PlanRound(usize),
    BeginRound(usize),
    Settle(usize),
    Resolve(usize),
    /// The lead is taken over, by force where no other server can be alive.
    Claim {
        server: usize,
        force: bool,
    },
    /// The lead is taken again by the server that has it.
    Reclaim(usize),
    /// The server's leases are extended.
    Beat(usize),
    /// The server gives its leases up.
    Release(usize),
    /// The server ends, and another takes its place.
    Crash(usize),
    /// Leases run out that are not extended.
    TimePasses,
    Cancel,
    /// Somebody else's command.
    CancelByStranger,
    Retry(usize),
    Prune,
}
