//! The parts of the mode `engine`: servers that submit documents to Restate, and its workers.

use std::sync::Arc;

use knowledge_domain::workflow::WorkflowMode;
use tokio_util::sync::CancellationToken;

use super::{ExtractionWorkflows, ledger, models, orchestrator_on, orchestrator_with};
use crate::{
    config::{Config, ConfigurationError},
    engine::{
        legacy::LegacyExecutor,
        restate::{Ingress, RestateError, RestateExecutor, Worker, WorkerSettings},
    },
    llm::Gateway,
    ontologies::Ontologies,
    orchestrator::Orchestrator,
    progress::EventHub,
    store::{Store, StoreError},
};

/// An orchestrator with the engine that the configuration names.
pub(super) fn orchestrator(
    store: &Store,
    hub: &EventHub,
    config: &Config,
    models: Option<Gateway>,
) -> Result<Orchestrator, RestateError> {
    if config.workflow_mode != WorkflowMode::Engine {
        return Ok(orchestrator_with(store, hub, config, models));
    }
    let address = |error: ConfigurationError| RestateError::Address(error.to_string());
    let ingress = Ingress::new(config.ingress_url().map_err(address)?)?;
    let ledger = ledger(store, hub);
    let executor = RestateExecutor::new(ledger.clone(), ingress);
    Ok(orchestrator_on(
        ledger,
        Arc::new(executor),
        Ontologies::new(store.clone()),
        config,
        models,
    ))
}

/// A worker's parts.
pub struct WorkerApp {
    /// The database.
    pub store: Store,
    /// What runs workflows.
    pub worker: Worker,
}

impl WorkerApp {
    /// Opens the database that the worker shares with its servers, and puts the parts together.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub async fn open(config: &Config, shutdown: CancellationToken) -> Result<Self, StoreError> {
        let store = Store::open(&config.database_url.parse()?).await?;
        let models = models(&store, config).await?;
        let ledger = ledger(&store, &EventHub::default());
        let settings = WorkerSettings {
            max_documents: config.max_documents,
            quarantine_after: config.quarantine_after,
            has_models: models.is_some(),
        };
        let workflows = ExtractionWorkflows::new(ledger.clone()).with_models(models);
        let executor = LegacyExecutor::new(ledger.clone(), Arc::new(workflows), config.retries());
        let worker = Worker::new(ledger, Arc::new(executor), settings, shutdown);
        Ok(Self { store, worker })
    }
}
