//! Batches from their start to their end: the commands and what they set in motion.
//!
//! Owns which documents run when, what follows a failure, and who runs a batch. Owns no state
//! change (the ledger) and no workflow (the engine).

mod command;
mod decide;
mod estimate;
mod prepare;
mod registry;
mod runner;
mod settings;
mod watchman;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

pub use command::{NewDocument, StartBatch, StartBatchError, SteerError};
pub use estimate::{BatchEstimate, VectorEstimate};
use knowledge_domain::{
    Ontology,
    batch::Extractor,
    ids::{BatchId, ExecutionId, OntologyId, OrganizationId},
    workflow::WorkflowSignal,
};
use registry::Registry;
pub use settings::OrchestratorSettings;

use crate::{
    engine::Executor,
    llm::Gateway,
    ontologies::{CheckedOntology, Ontologies, OntologyUnavailable},
    store::{
        StoreError,
        ledger::{
            Created, Ledger, LedgerError, Owner, PreparedBatch, SignalError, Signalled,
            SteerOutcome,
        },
    },
};

/// Starts and steers batches; cheap to clone.
#[derive(Clone)]
pub struct Orchestrator {
    shared: Arc<Shared>,
    ontologies: Ontologies,
    models: Option<Gateway>,
}

/// What the orchestrator and its runners share.
struct Shared {
    ledger: Ledger,
    executor: Arc<dyn Executor>,
    settings: OrchestratorSettings,
    /// Names this process as an owner of leases.
    name: String,
    /// Whether this process takes its share of every batch.
    shares: AtomicBool,
    /// Processes that take a share of every batch, when last counted.
    servers: AtomicU32,
    registry: Registry,
    /// The way to the models, once it is known.
    models: std::sync::OnceLock<Gateway>,
    /// Permits of documents that run, over all batches.
    documents: tokio::sync::Semaphore,
    /// Told when a batch of this process no longer asks what names mean, so that another may.
    turns: tokio::sync::Notify,
}

impl Orchestrator {
    /// An orchestrator that runs documents on `executor`. Nothing runs before a command or
    /// [`Orchestrator::recover`].
    pub fn new(
        ledger: Ledger,
        executor: Arc<dyn Executor>,
        settings: OrchestratorSettings,
    ) -> Self {
        let name = format!("{}:{}", std::process::id(), ledger.entropy().uuid_v7());
        let documents = tokio::sync::Semaphore::new(settings.max_documents);
        Self {
            ontologies: Ontologies::new(ledger.store().clone()),
            shared: Arc::new(Shared {
                ledger,
                executor,
                settings,
                name,
                shares: AtomicBool::new(false),
                servers: AtomicU32::new(0),
                registry: Registry::default(),
                models: std::sync::OnceLock::new(),
                documents,
                turns: tokio::sync::Notify::new(),
            }),
            models: None,
        }
    }

    /// The same, that knows the models which its documents ask.
    #[must_use]
    pub fn with_models(self, models: Option<Gateway>) -> Self {
        if let Some(models) = &models {
            self.shared.models.get_or_init(|| models.clone());
        }
        Self { models, ..self }
    }

    /// The same, with the ontologies that somebody else reads as well.
    #[must_use]
    pub fn with_ontologies(self, ontologies: Ontologies) -> Self {
        Self { ontologies, ..self }
    }

    /// The way to the models, where there is one.
    #[must_use]
    pub fn models(&self) -> Option<&Gateway> {
        self.models.as_ref()
    }

    /// Whether it takes commands: it does not drain, and what it records is written.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.shared.registry.is_draining() && self.shared.ledger.is_alive()
    }

    /// Says what keeps documents from being run just now, where something does.
    pub async fn engine_ready(&self) -> Result<(), String> {
        self.shared.executor.ready().await
    }

    /// Stores a batch with its documents and sets it going. Idempotent by its key.
    pub async fn start(
        &self,
        organization: OrganizationId,
        command: StartBatch,
    ) -> Result<BatchId, StartBatchError> {
        if self.shared.registry.is_draining() {
            return Err(StartBatchError::Draining);
        }
        let mode = self.shared.executor.mode();
        let mut batch = prepare::prepare(organization, command, mode, &self.shared.settings)?;
        self.ontology_of(&batch).await?;
        if batch.config.extractor == Extractor::Llm {
            batch.config.asks = self.models.as_ref().map(|it| it.asks(&batch.config));
        }
        let created = self
            .shared
            .ledger
            .create(&batch, &self.shared.owner())
            .await
            .map_err(start_error)?;
        match created {
            Created::New(id) => {
                tracing::info!(batch = %id, documents = batch.documents.len(), "batch started");
                runner::lead(&self.shared, runner::first_lease(organization, id), false);
                Ok(id)
            }
            Created::Existing(id) => Ok(id),
            Created::Conflict(batch_id) => Err(StartBatchError::IdempotencyConflict { batch_id }),
        }
    }

    /// Cancels a batch, promptly and for good. Cancelling a cancelled batch changes nothing.
    pub async fn cancel(
        &self,
        organization: OrganizationId,
        batch: BatchId,
    ) -> Result<(), SteerError> {
        let outcome = self
            .shared
            .ledger
            .cancel(organization, batch)
            .await
            .map_err(steer_error)?;
        if outcome == SteerOutcome::Changed {
            self.shared.registry.stop(batch);
            tracing::info!(batch = %batch, "batch cancelled");
        }
        Ok(())
    }

    /// Tries the failed, abandoned and skipped documents of an ended batch again.
    pub async fn retry_failed(
        &self,
        organization: OrganizationId,
        batch: BatchId,
    ) -> Result<(), SteerError> {
        if self.shared.registry.is_draining() {
            return Err(SteerError::Draining);
        }
        let lease = self
            .shared
            .ledger
            .retry(organization, batch, &self.shared.owner())
            .await
            .map_err(steer_error)?;
        tracing::info!(batch = %batch, "batch retried");
        runner::lead(&self.shared, lease, false);
        Ok(())
    }

    /// Tells one document's workflow to pause, to go on, or to drop what it does for good.
    pub async fn signal(
        &self,
        organization: OrganizationId,
        execution: ExecutionId,
        signal: WorkflowSignal,
    ) -> Result<Signalled, SignalError> {
        let signalled = self
            .shared
            .ledger
            .signal(organization, execution, signal)
            .await?;
        if signal == WorkflowSignal::Cancel {
            self.shared
                .registry
                .stop_document(signalled.batch, execution);
        } else {
            self.shared.registry.nudge(signalled.batch);
        }
        tracing::info!(%execution, %signal, acknowledged = signalled.acknowledged, "signal taken");
        Ok(signalled)
    }

    /// Lets a batch use more tokens; documents that wait for its budget go on.
    pub async fn raise_token_budget(
        &self,
        organization: OrganizationId,
        batch: BatchId,
        tokens: u64,
    ) -> Result<crate::store::ledger::Raised, SteerError> {
        let ledger = &self.shared.ledger;
        let raised = ledger.raise_token_budget(organization, batch, tokens).await;
        let raised = raised.map_err(steer_error)?;
        if raised == crate::store::ledger::Raised::Raised {
            self.shared.registry.nudge(batch);
            tracing::info!(batch = %batch, tokens, "token budget raised");
        }
        Ok(raised)
    }

    /// Takes over a batch that nobody runs and sets it going; whether it did. A batch that this
    /// process runs, or that has ended, is left alone.
    pub async fn resume(
        &self,
        organization: OrganizationId,
        batch: BatchId,
        whatever_lease: bool,
    ) -> Result<bool, LedgerError> {
        runner::adopt(&self.shared, organization, batch, whatever_lease).await
    }

    /// Takes over what a dead process left, now and from then on, and keeps this process's leases.
    ///
    /// `alone` says that no other process can be alive on this database (SQLite's file is locked
    /// by this one), so that every unfinished batch is taken over at once.
    pub async fn recover(&self, alone: bool) -> Result<(), LedgerError> {
        self.shared.shares.store(true, Ordering::Relaxed);
        let adopted = watchman::adopt_orphans(&self.shared, alone).await?;
        if adopted > 0 {
            tracing::info!(batches = adopted, "unfinished batches resumed");
        }
        watchman::spawn(&self.shared, alone);
        Ok(())
    }

    /// Keeps this process's leases without taking over any other batch.
    pub fn keep_leases(&self) {
        watchman::spawn_heartbeat(&self.shared);
    }

    /// Waits until this process runs the batch no longer.
    pub async fn wait(&self, batch: BatchId) {
        self.shared.registry.wait(batch).await;
    }

    /// Stops: starts nothing new, drops what is in flight, and gives the leases up, so that every
    /// batch can be resumed at once. `patience` is how long documents in flight may take to finish.
    pub async fn drain(&self, patience: Duration) {
        self.shared.registry.drain(patience).await;
        if let Err(error) = self.shared.ledger.release(&self.shared.owner()).await {
            tracing::warn!(
                "leases could not be given up and run out by themselves: {}",
                crate::text::chain(&error)
            );
        }
    }

    /// Stores an ontology, once per content.
    pub async fn register_ontology(
        &self,
        organization: OrganizationId,
        ontology: CheckedOntology,
    ) -> Result<OntologyId, StoreError> {
        let clock = self.shared.ledger.clock();
        let registered = self.ontologies.register(organization, ontology, clock);
        let id = registered.await?;
        tracing::info!(ontology = %id, "ontology registered");
        Ok(id)
    }

    /// The classes and properties that a batch names; the core types when it names none.
    async fn ontology_of(&self, batch: &PreparedBatch) -> Result<Arc<Ontology>, StartBatchError> {
        let Some(id) = batch.ontology_id else {
            return Ok(Arc::new(Ontology::core()));
        };
        let found = self.ontologies.get(batch.organization, id).await;
        found.map_err(|error| match error {
            OntologyUnavailable::NotFound(id) => StartBatchError::OntologyNotFound(id),
            OntologyUnavailable::Unreadable { .. } => StartBatchError::Invalid {
                path: vec!["ontologyId".to_owned()],
                message: error.to_string(),
            },
            OntologyUnavailable::Store(error) => StartBatchError::Store(error),
        })
    }
}

impl Shared {
    /// This process as an owner of leases.
    fn owner(&self) -> Owner {
        Owner {
            name: self.name.clone(),
            ttl: self.settings.lease,
            shares: self.shares.load(Ordering::Relaxed),
        }
    }

    /// Processes that share a batch, this one among them.
    fn servers(&self) -> u32 {
        let counted = self.servers.load(Ordering::Relaxed);
        if self.shares.load(Ordering::Relaxed) {
            counted.max(1)
        } else {
            counted + 1
        }
    }
}

fn start_error(error: LedgerError) -> StartBatchError {
    StartBatchError::Store(store_error(error))
}

fn steer_error(error: LedgerError) -> SteerError {
    match error {
        LedgerError::NotFound(_) => SteerError::NotFound,
        LedgerError::Refused { batch_id, source } => {
            SteerError::InvalidStateTransition { batch_id, source }
        }
        error => SteerError::Store(store_error(error)),
    }
}

fn store_error(error: LedgerError) -> StoreError {
    match error {
        LedgerError::Store(error) => error,
        other => StoreError::corrupt(other.to_string()),
    }
}
