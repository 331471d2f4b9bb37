//! Failure points: places at which a test ends or suspends the process, and activities that fail
//! as a test says.
//!
//! Compiled in with the feature `failpoints` and debug assertions only; a release build has
//! neither the code nor the switch, whatever features it is built with. What the switches are:
//! - `KNOWLEDGE_FAILPOINT=name[:nth]`: the process ends by SIGKILL when it comes to this point for
//!   the nth time (from 1).
//! - `KNOWLEDGE_FAILPOINT_ACTION=stop`: it suspends itself by SIGSTOP instead.
//! - `KNOWLEDGE_RUN_LOG=path`: a line is appended to this file before and after each run of an
//!   activity's body (`script.rs`).
//! - `KNOWLEDGE_FAULTS=text`: documents say in their text which of their activities fail.

#[cfg(all(feature = "failpoints", debug_assertions))]
mod armed;
#[cfg(all(feature = "failpoints", debug_assertions))]
mod script;

#[cfg(all(feature = "failpoints", debug_assertions))]
pub(crate) use armed::{check, hit};
#[cfg(all(feature = "failpoints", debug_assertions))]
pub(crate) use script::watched;

#[cfg(not(all(feature = "failpoints", debug_assertions)))]
mod inert;
#[cfg(not(all(feature = "failpoints", debug_assertions)))]
pub(crate) use inert::{check, hit, watched};

/// Where a process may end. `…BeforeCommit` is within the transaction, with its changes made;
/// `…AfterCommit` is before anybody is told that it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum FailurePoint {
    /// A batch is being stored.
    CreateBeforeCommit,
    /// A batch is stored; its client has no answer yet.
    CreateAfterCommit,
    /// Documents are being started.
    StartBeforeCommit,
    /// Documents are started; none runs yet.
    StartAfterCommit,
    /// A group of changes is written.
    GroupBeforeCommit,
    /// A group of changes is durable; nobody knows yet.
    GroupAfterCommit,
    /// Progress of one document is being recorded.
    CheckpointBeforeCommit,
    /// Progress of one document is recorded.
    CheckpointAfterCommit,
    /// An attempt is recorded; its body has not run.
    ActivityBeforeBody,
    /// A body has run; its result is not recorded.
    ActivityAfterBody,
    /// A failed attempt is being recorded.
    UnitFailureBeforeCommit,
    /// A failed attempt is recorded; its document has not failed yet.
    UnitFailureAfterCommit,
    /// A document's graph is about to be written.
    GraphBeforeWrite,
    /// Some rows of a document's graph are written.
    GraphHalfWritten,
    /// All rows of a document's graph are written, its outcome is not.
    GraphWritten,
    /// A document's completion is being recorded.
    CompletionBeforeCommit,
    /// A document's completion is recorded.
    CompletionAfterCommit,
    /// A document's failure is being recorded.
    DocumentFailureBeforeCommit,
    /// A document's failure is recorded.
    DocumentFailureAfterCommit,
    /// A round over failed documents is being planned.
    RoundPlanBeforeCommit,
    /// A round is planned; it waits for its moment.
    RoundPlanAfterCommit,
    /// The documents of a round are being queued.
    RoundBeginBeforeCommit,
    /// The documents of a round are queued.
    RoundBeginAfterCommit,
    /// Every document is settled, and the batch is being told.
    SettleBeforeCommit,
    /// The batch is resolving or has ended.
    SettleAfterCommit,
    /// Clusters are written; mentions do not know them yet.
    ResolutionHalfWritten,
    /// Everything of the resolution is made.
    ResolutionBeforeCommit,
    /// The batch is resolved and completed.
    ResolutionAfterCommit,
    /// A batch is being cancelled.
    CancelBeforeCommit,
    /// A batch is cancelled; its documents still run.
    CancelAfterCommit,
    /// A batch is being retried.
    RetryBeforeCommit,
    /// A batch is retried; nothing runs yet.
    RetryAfterCommit,
    /// A batch is being taken over.
    TakeoverBeforeCommit,
    /// A batch is taken over; nothing runs yet.
    TakeoverAfterCommit,
    /// The documents of a dead owner are being taken over.
    ResumeBeforeCommit,
    /// The documents of a dead owner are taken over; none runs yet.
    ResumeAfterCommit,
    /// Leases are being extended.
    HeartbeatBeforeCommit,
    /// Leases are extended.
    HeartbeatAfterCommit,
    /// Leases are being given up.
    ReleaseBeforeCommit,
    /// Leases are given up.
    ReleaseAfterCommit,
    /// Some payloads are being removed.
    PruneBeforeCommit,
    /// Some payloads are removed, others may be left.
    PruneAfterCommit,
}
