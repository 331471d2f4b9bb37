//! The gateway as one workflow sees it.

use knowledge_domain::{
    ids::{BatchId, ExecutionId, OrganizationId},
    workflow::BoxFuture,
};
use knowledge_extraction::llm::{Answer, Call, CallError, Models};

use super::{gateway::Gateway, queue::Caller};

/// Whose calls are made.
#[derive(Clone)]
pub struct Session {
    gateway: Gateway,
    pub(super) organization: OrganizationId,
    pub(super) batch: Option<BatchId>,
    pub(super) execution: Option<ExecutionId>,
    pub(super) budget: Option<u64>,
}

impl Session {
    /// Calls for an organisation, of no batch.
    #[must_use]
    pub fn new(gateway: Gateway, organization: OrganizationId) -> Self {
        Self {
            gateway,
            organization,
            batch: None,
            execution: None,
            budget: None,
        }
    }

    /// The same, for a workflow of a batch with its budget.
    #[must_use]
    pub fn of_workflow(self, batch: BatchId, execution: ExecutionId, budget: Option<u64>) -> Self {
        Self {
            batch: Some(batch),
            execution: Some(execution),
            budget,
            ..self
        }
    }

    pub(super) fn caller(&self) -> Caller {
        Caller {
            organization: self.organization,
            batch: self.batch,
        }
    }
}

impl Models for Session {
    fn model(&self) -> &str {
        self.gateway.model()
    }

    fn ask<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Answer, CallError>> {
        Box::pin(self.gateway.ask(self, call))
    }

    fn forget<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(self.gateway.forget(self, call))
    }
}
