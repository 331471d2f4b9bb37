//! The parts put together, as `serve` and `extract` use them.

mod lock;
mod workflows;

use std::sync::Arc;

pub use lock::DatabaseLock;
pub use workflows::ExtractionWorkflows;

use crate::{
    config::Config,
    engine::legacy::LegacyExecutor,
    environment::{SystemClock, SystemEntropy},
    orchestrator::Orchestrator,
    progress::{EventHub, Listener},
    store::{DatabaseUrl, Store, StoreError, ledger::Ledger},
};

/// A process's parts.
pub struct App {
    /// The database.
    pub store: Store,
    /// The wake-up of subscribers.
    pub hub: EventHub,
    /// The commands.
    pub orchestrator: Orchestrator,
    /// Hears the commits of other servers on the same PostgreSQL.
    _listener: Option<Listener>,
    /// Held while this process may write to a SQLite file.
    lock: Option<DatabaseLock>,
}

impl App {
    /// Opens the database for running batches and puts the parts together.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process runs batches on the same SQLite file.
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        let url: DatabaseUrl = config.database_url.parse()?;
        let lock = DatabaseLock::acquire(&url)?;
        let store = Store::open(&url).await?;
        let hub = EventHub::default();
        let listener = Listener::start(&store, &hub);
        let orchestrator = orchestrator(&store, &hub, config);
        Ok(Self {
            store,
            hub,
            orchestrator,
            _listener: listener,
            lock,
        })
    }

    /// Whether no other process can run batches on this database.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.lock.is_some()
    }
}

/// An orchestrator with the built-in engine and the configured extractor over a store.
#[must_use]
pub fn orchestrator(store: &Store, hub: &EventHub, config: &Config) -> Orchestrator {
    let ledger = Ledger::new(
        store.clone(),
        hub.clone(),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    );
    let workflows = ExtractionWorkflows::new(ledger.clone());
    let executor = LegacyExecutor::new(ledger.clone(), Arc::new(workflows), config.retries());
    Orchestrator::new(ledger, Arc::new(executor), config.orchestrator())
}
