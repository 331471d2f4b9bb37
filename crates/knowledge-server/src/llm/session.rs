//! The gateway as one workflow sees it.

use std::sync::Arc;

use knowledge_domain::{
    ids::{BatchId, ExecutionId, OrganizationId},
    workflow::BoxFuture,
};
use knowledge_extraction::llm::{Answer, Call, CallError, Models, Usage};

use super::{
    gateway::{Gateway, key},
    question::Question,
    queue::Caller,
};
use crate::store::calls::CallKey;

/// Whose calls are made.
#[derive(Clone)]
pub struct Session {
    gateway: Gateway,
    model: Arc<str>,
    pub(super) organization: OrganizationId,
    pub(super) batch: Option<BatchId>,
    pub(super) execution: Option<ExecutionId>,
    pub(super) budget: Option<u64>,
    /// Nobody is asked: what is not kept has no answer.
    pub(super) only_kept: bool,
}

impl Session {
    /// Calls for an organisation, of no batch.
    #[must_use]
    pub fn new(gateway: Gateway, organization: OrganizationId) -> Self {
        Self {
            model: gateway.model().into(),
            gateway,
            organization,
            batch: None,
            execution: None,
            budget: None,
            only_kept: false,
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

    /// The same, answered by what is kept of earlier calls only: nothing is paid for.
    #[must_use]
    pub fn of_kept_answers(self) -> Self {
        Self {
            only_kept: true,
            ..self
        }
    }

    /// The same, to another model of the first endpoint: a batch goes on with what it began with.
    #[must_use]
    pub fn asking(self, model: &str) -> Self {
        Self {
            model: model.into(),
            ..self
        }
    }

    /// The vectors of some texts by a model of vectors, and what they cost: one call, cached, limited
    /// and accounted for as every other. `unit` names what asks over all its attempts.
    ///
    /// # Errors
    /// [`CallError`], as [`Models::ask`].
    pub async fn vectors(
        &self,
        model: &str,
        unit: &str,
        texts: Vec<String>,
    ) -> Result<(Vec<Vec<f32>>, Usage), CallError> {
        self.gateway.vectors(self, model, unit, texts).await
    }

    /// Names the question about some texts in the record of calls.
    #[must_use]
    pub fn key_of_vectors(&self, model: &str, texts: Vec<String>) -> CallKey {
        let unit = String::new();
        key(self, model, &Question::Vectors { texts, unit })
    }

    pub(super) fn model(&self) -> &str {
        &self.model
    }

    pub(super) fn caller(&self) -> Caller {
        Caller {
            organization: self.organization,
            batch: self.batch,
            execution: self.execution,
        }
    }
}

impl Models for Session {
    fn model(&self) -> &str {
        &self.model
    }

    fn ask<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Answer, CallError>> {
        Box::pin(self.gateway.ask(self, call))
    }

    fn forget<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(self.gateway.forget(self, call))
    }
}
