//! `BatchDocument`.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result};

use super::{
    enums::{DocumentStatus, WorkflowStage},
    error::internal,
    execution::WorkflowExecution,
    scalar::{Long, int},
    viewer::Viewer,
};
use crate::store::read::DocumentView;

/// A document in a batch.
#[derive(Clone)]
pub(crate) struct BatchDocument(Arc<DocumentView>);

impl From<DocumentView> for BatchDocument {
    fn from(document: DocumentView) -> Self {
        Self(Arc::new(document))
    }
}

impl From<Arc<DocumentView>> for BatchDocument {
    fn from(document: Arc<DocumentView>) -> Self {
        Self(document)
    }
}

/// A document in a batch.
#[Object]
impl BatchDocument {
    /// The id; what events call `documentId`.
    pub(super) async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The batch.
    async fn batch_id(&self) -> ID {
        self.0.batch_id.into()
    }

    /// The id of its content, by which exports name the document; the same in every batch.
    async fn content_id(&self) -> ID {
        self.0.content_id.into()
    }

    /// The name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Where it came from.
    async fn source_uri(&self) -> Option<&str> {
        self.0.source_uri.as_deref()
    }

    /// Its position in the batch, from 0.
    async fn position(&self) -> i32 {
        int(self.0.position)
    }

    /// How it fares.
    async fn status(&self) -> DocumentStatus {
        self.0.status.into()
    }

    /// The stage that it is in, or failed in.
    async fn stage(&self) -> Option<WorkflowStage> {
        self.0.stage.map(Into::into)
    }

    /// Times it was started.
    async fn attempt(&self) -> i32 {
        int(self.0.attempt)
    }

    /// Why it failed.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }

    /// What a policy may do about the error: `retryable`, `permanent`, `rate_limited` or
    /// `cancelled`.
    async fn error_kind(&self) -> Option<&str> {
        self.0.error_kind.as_deref()
    }

    /// Entities found in it.
    async fn entity_count(&self) -> i32 {
        int(self.0.entity_count)
    }

    /// Relations found in it.
    async fn relation_count(&self) -> i32 {
        int(self.0.relation_count)
    }

    /// Units of model calls that its graph is without; `retryFailedDocuments` asks for those.
    async fn missing_units(&self) -> i32 {
        int(self.0.missing_units)
    }

    /// Tokens of its model calls.
    async fn tokens_used(&self) -> Long {
        self.0.tokens_used.into()
    }

    /// Its workflow, once it has begun.
    async fn execution(&self, ctx: &Context<'_>) -> Result<Option<WorkflowExecution>> {
        let Some(id) = self.0.execution_id else {
            return Ok(None);
        };
        let execution = Viewer::of(ctx)?.loaders.load_one(id).await;
        Ok(execution
            .map_err(|error| internal(&error))?
            .map(WorkflowExecution::from))
    }
}
