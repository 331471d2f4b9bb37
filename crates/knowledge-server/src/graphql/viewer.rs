//! On whose behalf a request is run.

use async_graphql::{Context, Result};
use knowledge_domain::ids::OrganizationId;

use super::{gathering::Gathering, loaders::Loaders};
use crate::store::{Store, read::Reads};

/// The organisation that asks, with what it may read; one for each request.
pub(super) struct Viewer {
    pub(super) reads: Reads,
    pub(super) loaders: Gathering,
}

impl Viewer {
    pub(super) fn new(store: &Store, organization: OrganizationId) -> Self {
        let reads = store.reads(organization);
        let loaders = Gathering::new(Loaders::new(reads.clone()));
        Self { reads, loaders }
    }

    pub(super) fn of<'a>(ctx: &Context<'a>) -> Result<&'a Self> {
        ctx.data()
    }
}
