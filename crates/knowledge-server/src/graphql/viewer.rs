//! On whose behalf a request is run.

use async_graphql::{
    Context, Result,
    dataloader::{DataLoader, HashMapCache},
};
use knowledge_domain::ids::OrganizationId;

use super::loaders::Loaders;
use crate::store::{Store, read::Reads};

/// The organisation that asks, with what it may read; one for each request.
pub(super) struct Viewer {
    pub(super) reads: Reads,
    pub(super) loaders: DataLoader<Loaders, HashMapCache>,
}

impl Viewer {
    pub(super) fn new(store: &Store, organization: OrganizationId) -> Self {
        let reads = store.reads(organization);
        let loaders = Loaders::new(reads.clone());
        Self {
            reads,
            loaders: DataLoader::with_cache(loaders, tokio::spawn, HashMapCache::default()),
        }
    }

    pub(super) fn of<'a>(ctx: &Context<'a>) -> Result<&'a Self> {
        ctx.data()
    }
}
