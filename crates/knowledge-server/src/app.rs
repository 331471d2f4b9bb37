//! The parts put together, as `serve` and `extract` use them.

mod lock;
#[cfg(feature = "restate")]
mod restate;
mod workflows;

use std::{sync::Arc, time::Duration};

use knowledge_domain::Clock;
pub use lock::DatabaseLock;
#[cfg(feature = "restate")]
pub use restate::WorkerApp;
pub use workflows::ExtractionWorkflows;

use crate::{
    access::Access,
    config::Config,
    engine::{Executor, legacy::LegacyExecutor},
    environment::{SystemClock, SystemEntropy},
    llm::{Gateway, OpenAi, Provider},
    ontologies::Ontologies,
    orchestrator::Orchestrator,
    progress::{EventHub, Listener},
    store::{DatabaseUrl, Store, StoreError, calls::CallLog, ledger::Ledger},
};

/// A call that was sent so long after its time-out has ended for certain.
const CALL_MARGIN: Duration = Duration::from_secs(10);

/// How long statements in flight may take to end when the database is closed.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Why the parts cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Restate cannot be asked.
    #[cfg(feature = "restate")]
    #[error(transparent)]
    Restate(#[from] crate::engine::restate::RestateError),
}

/// A process's parts.
pub struct App {
    /// The database.
    pub store: Store,
    /// The wake-up of subscribers.
    pub hub: EventHub,
    /// The commands.
    pub orchestrator: Orchestrator,
    /// The way to the models, where there is one.
    pub models: Option<Gateway>,
    /// Has completed documents compared with what workers come to.
    #[cfg(feature = "restate")]
    comparisons: Option<tokio_util::task::AbortOnDropHandle<()>>,
    /// Hears the commits of other servers on the same PostgreSQL.
    _listener: Option<Listener>,
    /// Held while this process may write to a SQLite file.
    lock: Option<DatabaseLock>,
}

impl App {
    /// Opens the database for running batches and puts the parts together.
    ///
    /// # Errors
    /// [`StoreError::InUse`], in [`OpenError::Store`], when another process runs batches on the same
    /// SQLite file.
    pub async fn open(config: &Config) -> Result<Self, OpenError> {
        let url: DatabaseUrl = config.database_url.parse()?;
        let lock = DatabaseLock::acquire(&url)?;
        let store = Store::open(&url).await?;
        let hub = EventHub::default();
        let listener = Listener::start(&store, &hub);
        let models = models(&store, config).await?;
        #[cfg(feature = "restate")]
        let orchestrator = restate::orchestrator(&store, &hub, config, models.clone())?;
        #[cfg(not(feature = "restate"))]
        let orchestrator = orchestrator_with(&store, &hub, config, models.clone());
        Ok(Self {
            #[cfg(feature = "restate")]
            comparisons: restate::comparisons(&store, config)?,
            store,
            hub,
            orchestrator,
            _listener: listener,
            models,
            lock,
        })
    }

    /// Closes the database when all work on it has ended. SQLite then puts its log into the file,
    /// which can be copied on its own.
    pub async fn close(self) {
        #[cfg(feature = "restate")]
        drop(self.comparisons);
        drop(self.orchestrator);
        close(self.store).await;
    }

    /// Whether no other process can run batches on this database.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.lock.is_some()
    }
}

/// Closes a database, as far as that does not take long.
pub async fn close(store: Store) {
    let closed = tokio::time::timeout(CLOSE_PATIENCE, store.close()).await;
    if !matches!(closed, Ok(Ok(()))) {
        tracing::debug!("the database was left open; nothing is lost by that");
    }
}

/// Who may call the server over a store.
#[must_use]
pub fn access(store: &Store) -> Access {
    Access::new(
        store.clone(),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    )
}

/// The way to the configured models over a store; `None` where none is configured.
///
/// # Errors
/// When what is recorded of the providers cannot be read.
pub async fn models(store: &Store, config: &Config) -> Result<Option<Gateway>, StoreError> {
    let Some(settings) = config.llm() else {
        return Ok(None);
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut clients: Vec<Arc<dyn Provider>> = Vec::new();
    for endpoint in std::iter::once(&settings.primary).chain(&settings.fallback) {
        let client = OpenAi::new(endpoint.clone(), settings.timeout, Arc::clone(&clock))
            .map_err(|error| StoreError::corrupt(error.to_string()))?;
        clients.push(Arc::new(client));
    }
    let patience = settings.timeout + CALL_MARGIN;
    let log = CallLog::new(
        store.clone(),
        Arc::clone(&clock),
        Arc::new(SystemEntropy),
        patience,
    );
    Gateway::open(settings, clients, log, clock).await.map(Some)
}

/// An orchestrator with the built-in engine and the offline extractor over a store.
#[must_use]
pub fn orchestrator(store: &Store, hub: &EventHub, config: &Config) -> Orchestrator {
    orchestrator_with(store, hub, config, None)
}

/// The same, with models for the batches that ask for them.
#[must_use]
pub fn orchestrator_with(
    store: &Store,
    hub: &EventHub,
    config: &Config,
    models: Option<Gateway>,
) -> Orchestrator {
    let ledger = ledger(store, hub);
    let ontologies = Ontologies::new(store.clone());
    let executor = built_in(&ledger, &ontologies, config, models.as_ref());
    orchestrator_on(ledger, Arc::new(executor), ontologies, config, models)
}

/// The built-in engine.
fn built_in(
    ledger: &Ledger,
    ontologies: &Ontologies,
    config: &Config,
    models: Option<&Gateway>,
) -> LegacyExecutor {
    let workflows = ExtractionWorkflows::new(ledger.clone())
        .with_ontologies(ontologies.clone())
        .with_models(models.cloned());
    LegacyExecutor::new(ledger.clone(), Arc::new(workflows), config.retries())
}

fn orchestrator_on(
    ledger: Ledger,
    executor: Arc<dyn Executor>,
    ontologies: Ontologies,
    config: &Config,
    models: Option<Gateway>,
) -> Orchestrator {
    Orchestrator::new(ledger, executor, config.orchestrator())
        .with_ontologies(ontologies)
        .with_models(models)
}

fn ledger(store: &Store, hub: &EventHub) -> Ledger {
    Ledger::new(
        store.clone(),
        hub.clone(),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    )
}
