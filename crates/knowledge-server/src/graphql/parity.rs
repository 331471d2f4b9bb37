//! Comparisons with what another engine comes to, on the wire.

use std::sync::Arc;

use async_graphql::{Context, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use knowledge_domain::{ids::BatchId, workflow::ParityDifference as Difference};

use super::{
    document::BatchDocument,
    enums::ParityStatus,
    error::internal,
    page::{ParityCheckConnection, cost, request},
    scalar::int,
    viewer::Viewer,
};
use crate::store::read::{PageRequest, ParityCheckView, ParityCounts};

/// Whether Restate's workers come to the same as the built-in engine, document by document.
pub(crate) struct ParityReport {
    batch: BatchId,
    counts: ParityCounts,
}

impl ParityReport {
    pub(super) fn new(batch: BatchId, counts: ParityCounts) -> Self {
        Self { batch, counts }
    }
}

/// Whether Restate's workers come to the same as the built-in engine, document by document.
#[Object]
impl ParityReport {
    /// Completed documents that are still to be compared.
    async fn pending(&self) -> i32 {
        int(self.counts.pending)
    }

    /// Documents with which both came to the same.
    async fn same(&self) -> i32 {
        int(self.counts.same)
    }

    /// Documents with which they differ.
    async fn different(&self) -> i32 {
        int(self.counts.different)
    }

    /// Documents that could not be compared.
    async fn unavailable(&self) -> i32 {
        int(self.counts.unavailable)
    }

    /// The comparisons, in the order of the documents.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn checks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 500; 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Only those that fare so.")] status: Option<ParityStatus>,
    ) -> Result<ParityCheckConnection> {
        let wanted: PageRequest<u32> = request(first, after.as_deref())?;
        let status = status.map(Into::into);
        let reads = &Viewer::of(ctx)?.reads;
        let page = reads.parity_checks(self.batch, status, wanted).await;
        let page = page.map_err(|error| internal(&error))?;
        let page = page.map(|check| (check.position, ParityCheck(Arc::new(check))));
        Ok(ParityCheckConnection::new(&wanted, page))
    }
}

/// The comparison of one document.
#[derive(Clone)]
pub(crate) struct ParityCheck(Arc<ParityCheckView>);

/// The comparison of one document.
#[Object]
impl ParityCheck {
    /// The document.
    #[graphql(complexity = "10 + child_complexity")]
    async fn document(&self, ctx: &Context<'_>) -> Result<Option<BatchDocument>> {
        let found = Viewer::of(ctx)?.loaders.load_one(self.0.document_id).await;
        let found = found.map_err(|error| internal(&error))?;
        Ok(found.map(BatchDocument::from))
    }

    /// How it fares.
    async fn status(&self) -> ParityStatus {
        self.0.status.into()
    }

    /// In what the two differ; the first twenty, and how many more.
    async fn differences(&self) -> Vec<ParityDifference> {
        let differences = self.0.differences.iter().cloned();
        differences.map(Into::into).collect()
    }

    /// Why they could not be compared.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The release of the worker that ran it again.
    async fn release(&self) -> Option<&str> {
        self.0.release.as_deref()
    }

    /// When it was compared.
    async fn compared_at(&self) -> Option<DateTime<Utc>> {
        self.0.compared_at
    }
}

/// Something in which the two differ.
#[derive(SimpleObject)]
pub(crate) struct ParityDifference {
    /// A unit (`mentions/3`), a part of the graph (`entities`), the `extractor` or the `outcome`.
    what: String,
    /// What the built-in engine came to, which is what is served.
    legacy: String,
    /// What the worker came to.
    engine: String,
}

impl From<Difference> for ParityDifference {
    fn from(difference: Difference) -> Self {
        let Difference {
            what,
            legacy,
            engine,
        } = difference;
        Self {
            what,
            legacy,
            engine,
        }
    }
}
