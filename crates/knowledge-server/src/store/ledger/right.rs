//! By what right a change is made.

use knowledge_domain::ids::{BatchId, OrganizationId};

use super::DocumentRun;

/// The right to lead a batch: to decide on rounds, to settle and to resolve it. Its token grows
/// with every owner and every steering command, so the writes of an earlier owner are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The tenant.
    pub organization: OrganizationId,
    /// The batch.
    pub batch: BatchId,
    /// The token that the batch's row must still hold.
    pub token: i64,
}

/// By what right a change is made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Right {
    /// A user's command: whatever the state allows.
    Command,
    /// A process that runs documents of the batch: while it has not ended.
    Member,
    /// The process that leads the batch: while it holds this token.
    Leader(i64),
    /// Whoever runs a document: while it holds the token of the document's workflow.
    Run(DocumentRun),
}

/// Which batch a change is of, and by what right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    pub(super) organization: OrganizationId,
    pub(super) batch: BatchId,
    pub(super) right: Right,
}

impl Scope {
    /// A user's command.
    pub(super) fn of(organization: OrganizationId, batch: BatchId) -> Self {
        Self {
            organization,
            batch,
            right: Right::Command,
        }
    }

    /// A change by a process that runs documents of the batch.
    pub(super) fn member(organization: OrganizationId, batch: BatchId) -> Self {
        Self {
            right: Right::Member,
            ..Self::of(organization, batch)
        }
    }

    /// A change by the process that leads the batch.
    pub(super) fn owned(lease: Lease) -> Self {
        Self {
            right: Right::Leader(lease.token),
            ..Self::of(lease.organization, lease.batch)
        }
    }

    /// A change by whoever runs a document, of this document.
    pub(super) fn of_run(run: DocumentRun) -> Self {
        Self {
            right: Right::Run(run),
            ..Self::of(run.organization, run.batch)
        }
    }

    /// The document that it changes.
    pub(super) fn run(&self) -> Option<DocumentRun> {
        match self.right {
            Right::Run(run) => Some(run),
            Right::Command | Right::Member | Right::Leader(_) => None,
        }
    }
}
