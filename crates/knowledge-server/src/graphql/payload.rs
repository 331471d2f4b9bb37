//! What mutations answer: success, or an error that the client can act on.

use async_graphql::{ID, Interface, SimpleObject, Union};
use knowledge_domain::{batch::InvalidTransition, ids::BatchId};

use super::{
    batch::Batch,
    enums::{BatchStage, WorkflowExecutionStatus},
    execution::WorkflowExecution,
};

/// An error that a client can act on.
#[derive(Interface)]
#[expect(
    clippy::duplicated_attributes,
    reason = "two fields of one interface may have one type"
)]
#[graphql(
    name = "Error",
    field(name = "code", ty = "&String", desc = "What a program looks at."),
    field(
        name = "message",
        ty = "&String",
        desc = "What is wrong and what to do."
    )
)]
pub(crate) enum ErrorInterface {
    ValidationError(ValidationError),
    InvalidStateTransition(InvalidStateTransition),
    IdempotencyConflict(IdempotencyConflict),
    WorkflowEnded(WorkflowEnded),
    NotFound(NotFound),
}

/// The workflow has ended and takes no signal.
#[derive(SimpleObject)]
pub(crate) struct WorkflowEnded {
    /// `WORKFLOW_ENDED`.
    code: String,
    /// What is wrong and what to do.
    message: String,
    /// How it ended.
    status: WorkflowExecutionStatus,
}

/// The signal is stored.
#[derive(SimpleObject)]
pub(crate) struct SignalSuccess {
    /// The workflow as it is now.
    pub(super) execution: WorkflowExecution,
    /// Whether it is done already; a workflow that runs pauses when what it has in flight is
    /// finished.
    pub(super) acknowledged: bool,
}

/// What `signalWorkflow` answers.
#[derive(Union)]
pub(crate) enum SignalPayload {
    Success(SignalSuccess),
    WorkflowEnded(WorkflowEnded),
    NotFound(NotFound),
}

impl WorkflowEnded {
    pub(super) fn new(
        message: String,
        status: knowledge_domain::workflow::WorkflowExecutionStatus,
    ) -> Self {
        Self {
            code: "WORKFLOW_ENDED".to_owned(),
            message,
            status: status.into(),
        }
    }
}

/// The request is not valid.
#[derive(SimpleObject)]
pub(crate) struct ValidationError {
    /// `VALIDATION_ERROR`.
    code: String,
    /// What is wrong and what to do.
    message: String,
    /// Where in the input.
    path: Vec<String>,
}

/// The batch's state does not allow it.
#[derive(SimpleObject)]
pub(crate) struct InvalidStateTransition {
    /// `INVALID_STATE_TRANSITION`.
    code: String,
    /// What is wrong and what to do.
    message: String,
    /// The state, unchanged.
    from: BatchStage,
    /// What was refused.
    event: String,
}

/// The idempotency key was used with another request.
#[derive(SimpleObject)]
pub(crate) struct IdempotencyConflict {
    /// `IDEMPOTENCY_CONFLICT`.
    code: String,
    /// What is wrong and what to do.
    message: String,
    /// The batch that the other request started.
    batch_id: ID,
}

/// The organisation has no such thing.
#[derive(SimpleObject)]
pub(crate) struct NotFound {
    /// `NOT_FOUND`.
    code: String,
    /// What is missing.
    message: String,
}

/// The batch was started, now or by the same request before.
#[derive(SimpleObject)]
pub(crate) struct StartBatchSuccess {
    /// The batch.
    batch: Batch,
}

/// What `startBatch` answers.
#[derive(Union)]
pub(crate) enum StartBatchPayload {
    Success(StartBatchSuccess),
    ValidationError(ValidationError),
    IdempotencyConflict(IdempotencyConflict),
    NotFound(NotFound),
}

/// It was done.
#[derive(SimpleObject)]
pub(crate) struct BatchSuccess {
    /// The batch as it is now.
    batch: Batch,
}

/// What raising a token budget answers.
#[derive(Union)]
pub(crate) enum RaiseTokenBudgetPayload {
    BatchSuccess(BatchSuccess),
    ValidationError(ValidationError),
    NotFound(NotFound),
}

/// What steering a batch answers.
#[derive(Union)]
pub(crate) enum BatchPayload {
    Success(BatchSuccess),
    InvalidStateTransition(InvalidStateTransition),
    NotFound(NotFound),
}

impl ValidationError {
    pub(super) fn new(path: Vec<String>, message: String) -> Self {
        Self {
            code: "VALIDATION_ERROR".to_owned(),
            message,
            path,
        }
    }
}

impl InvalidStateTransition {
    pub(super) fn new(source: &InvalidTransition) -> Self {
        let advice = source.advice().map(|advice| format!(": {advice}"));
        Self {
            code: "INVALID_STATE_TRANSITION".to_owned(),
            message: format!("{source}{}", advice.unwrap_or_default()),
            from: source.from.into(),
            event: source.event.to_owned(),
        }
    }
}

impl IdempotencyConflict {
    pub(super) fn new(batch_id: BatchId, message: String) -> Self {
        Self {
            code: "IDEMPOTENCY_CONFLICT".to_owned(),
            message,
            batch_id: batch_id.into(),
        }
    }
}

impl NotFound {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            code: "NOT_FOUND".to_owned(),
            message: message.into(),
        }
    }
}

impl From<Batch> for StartBatchSuccess {
    fn from(batch: Batch) -> Self {
        Self { batch }
    }
}

impl From<Batch> for BatchSuccess {
    fn from(batch: Batch) -> Self {
        Self { batch }
    }
}
