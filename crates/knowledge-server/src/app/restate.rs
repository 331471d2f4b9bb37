//! The parts of the mode `engine`: servers that submit documents to Restate, and its workers.

use std::sync::Arc;

use knowledge_domain::workflow::WorkflowMode;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{ExtractionWorkflows, built_in, ledger, models, orchestrator_on, orchestrator_with};
use crate::{
    config::{Config, ConfigurationError},
    engine::{
        Executor,
        parity::Rehearsals,
        restate::{Comparisons, Ingress, RestateError, RestateExecutor, Worker, WorkerSettings},
    },
    environment::SystemClock,
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
    let mode = config.workflow_mode;
    if mode == WorkflowMode::Legacy {
        return Ok(orchestrator_with(store, hub, config, models));
    }
    let (ledger, ontologies) = (ledger(store, hub), Ontologies::new(store.clone()));
    let executor: Arc<dyn Executor> = if mode == WorkflowMode::Shadow {
        Arc::new(built_in(&ledger, &ontologies, config, models.as_ref()).compared())
    } else {
        Arc::new(RestateExecutor::new(ledger.clone(), ingress(config)?))
    };
    Ok(orchestrator_on(
        ledger, executor, ontologies, config, models,
    ))
}

/// What has completed documents compared with what workers come to, where the configuration asks for
/// that.
pub(super) fn comparisons(
    store: &Store,
    config: &Config,
) -> Result<Option<AbortOnDropHandle<()>>, RestateError> {
    if config.workflow_mode != WorkflowMode::Shadow {
        return Ok(None);
    }
    let clock = Arc::new(SystemClock);
    let comparisons = Comparisons::new(store.clone(), ingress(config)?, clock);
    Ok(Some(comparisons.start()))
}

fn ingress(config: &Config) -> Result<Ingress, RestateError> {
    let address = |error: ConfigurationError| RestateError::Address(error.to_string());
    Ingress::new(config.ingress_url().map_err(address)?)
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
        let ontologies = Ontologies::new(store.clone());
        let executor = built_in(&ledger, &ontologies, config, models.as_ref());
        let rehearsed = ExtractionWorkflows::new(ledger.clone())
            .with_ontologies(ontologies)
            .with_models(models)
            .for_rehearsals();
        let rehearsals = Rehearsals::new(
            store.clone(),
            Arc::new(rehearsed),
            Arc::new(SystemClock),
            config.quarantine_after,
        );
        let worker = Worker::new(ledger, Arc::new(executor), rehearsals, settings, shutdown);
        Ok(Self { store, worker })
    }
}
