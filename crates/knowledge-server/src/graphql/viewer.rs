//! On whose behalf a request is run.

use async_graphql::{Context, Result};
use knowledge_domain::Caller;

use super::{gathering::Gathering, loaders::Loaders};
use crate::store::{Store, read::Reads};

/// Who asks, with what they may read; one for each request.
pub(super) struct Viewer {
    pub(super) caller: Caller,
    pub(super) reads: Reads,
    pub(super) loaders: Gathering,
}

impl Viewer {
    pub(super) fn new(store: &Store, caller: Caller) -> Self {
        let reads = store.reads(caller.organization);
        let loaders = Gathering::new(Loaders::new(reads.clone()));
        Self {
            caller,
            reads,
            loaders,
        }
    }

    pub(super) fn of<'a>(ctx: &Context<'a>) -> Result<&'a Self> {
        ctx.data()
    }
}
