//! Work in this process, on behalf of one organisation.

use anyhow::Context;
use knowledge_domain::{Slug, ids::OrganizationId, workflow::WorkflowMode};

use crate::{
    app::{App, DatabaseLock},
    config::Config,
    store::{DatabaseUrl, Store, StoreError},
};

/// A process's parts, and whom it works for.
pub(super) struct Local {
    pub(super) app: App,
    pub(super) organization: OrganizationId,
}

impl Local {
    /// Opens the database for running batches of an organisation.
    pub(super) async fn open(config: &Config, name: &Slug) -> anyhow::Result<Self> {
        // Whoever waits for it is this process.
        let config = Config {
            workflow_mode: WorkflowMode::Legacy,
            ..config.clone()
        };
        let app = App::open(&config).await?;
        match organization(&app.store, name).await {
            Ok(organization) => Ok(Self { app, organization }),
            Err(error) => {
                app.close().await;
                Err(error)
            }
        }
    }

    /// Where the organisation's graph is.
    pub(super) fn source(&self) -> (&Store, OrganizationId) {
        (&self.app.store, self.organization)
    }
}

/// The database, beside a server that may own it; made where there is none, so that it has its first
/// key before a server listens.
pub(super) async fn database(config: &Config) -> anyhow::Result<Store> {
    let url: DatabaseUrl = config.database_url.parse()?;
    match Store::open_beside(&url).await {
        Err(StoreError::Outdated { .. }) => {
            // No server works on a file whose schema changes.
            let _lock = DatabaseLock::acquire(&url)?;
            Ok(Store::open(&url).await?)
        }
        opened => Ok(opened?),
    }
}

/// The organisation of this name.
pub(super) async fn organization(store: &Store, name: &Slug) -> anyhow::Result<OrganizationId> {
    let found = store.organization(name).await?;
    found.with_context(|| {
        format!(
            "there is no organisation {name}; make it with `knowledge organization create {name}`"
        )
    })
}
