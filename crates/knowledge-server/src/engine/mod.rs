//! What runs a document's workflow.
//!
//! The workflow is defined once, in `knowledge-extraction`, against the domain's `Durable` port.
//! An [`Executor`] runs that definition; [`legacy`] is the built-in one, [`restate`] hands documents
//! to workers through Restate. Both record their checkpoints in the same journal, so that either goes
//! on with what the other began; the orchestrator does not know which one it holds.
//! [`parity`] tells whether the other one comes to the same.

pub mod legacy;
pub mod parity;
#[cfg(feature = "restate")]
pub mod restate;

use std::sync::Arc;

use knowledge_domain::{
    batch::BatchConfig,
    ids::OntologyId,
    workflow::{Activities, BoxFuture, Durable, WorkflowError, WorkflowMode},
};

use crate::store::ledger::{DocumentOutcome, DocumentRun};

/// A document whose workflow is to be run.
#[derive(Debug, Clone)]
pub struct Job {
    /// The document, its execution, and the right to run it.
    pub run: DocumentRun,
    /// The batch's settings.
    pub config: Arc<BatchConfig>,
    /// The batch's ontology; the core types when absent.
    pub ontology: Option<OntologyId>,
}

/// How a document's workflow ended well.
#[derive(Debug, Clone, PartialEq)]
pub enum Completed {
    /// With an outcome that is to be recorded.
    With(Box<DocumentOutcome>),
    /// With one that whoever ran it has recorded.
    Recorded,
}

/// Runs workflows.
pub trait Executor: Send + Sync {
    /// What its executions record as their mode.
    fn mode(&self) -> WorkflowMode;

    /// Runs a document's workflow to its end, or goes on with it.
    ///
    /// # Cancel safety
    /// Dropping the future drops the activities in flight; what is checkpointed stays.
    fn run(&self, job: Job) -> BoxFuture<'_, Result<Completed, WorkflowError>>;

    /// Says what keeps it from running workflows just now, where something does.
    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A workflow's definition with the activities of one document.
pub trait Workflow: Send + Sync {
    /// The side effects.
    fn activities(&self) -> Arc<dyn Activities>;

    /// The definition, run on an executor's durable context.
    fn define<'a>(
        &'a self,
        durable: &'a dyn Durable,
    ) -> BoxFuture<'a, Result<DocumentOutcome, WorkflowError>>;
}

/// Makes the workflow of a document.
pub trait Workflows: Send + Sync {
    /// The workflow of a job.
    ///
    /// # Errors
    /// When what the job names (its ontology, its extractor) is not to be had.
    fn workflow<'a>(
        &'a self,
        job: &'a Job,
    ) -> BoxFuture<'a, Result<Arc<dyn Workflow>, WorkflowError>>;
}
