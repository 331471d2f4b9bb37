//! `Relation`.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result};
use knowledge_domain::ids::{BatchId, EntityId};

use super::{
    entity::{Entity, Evidence, evidence},
    error::{internal, not_found},
    loaders::EvidenceOf,
    viewer::Viewer,
};
use crate::store::read::{EvidenceView, RelationView};

/// A relation after resolution.
#[derive(Clone)]
pub(crate) struct Relation {
    view: Arc<RelationView>,
    /// The batch through which it was reached.
    batch: Option<BatchId>,
}

impl Relation {
    pub(super) fn new(view: RelationView, batch: Option<BatchId>) -> Self {
        Self {
            view: Arc::new(view),
            batch,
        }
    }

    async fn end(&self, ctx: &Context<'_>, id: EntityId) -> Result<Option<Entity>> {
        let entity = Viewer::of(ctx)?.loaders.load_one(id).await;
        Ok(entity
            .map_err(|error| internal(&error))?
            .map(|view| Entity::new(view, self.batch)))
    }
}

/// A relation after resolution: one node for all statements that agree.
#[Object]
impl Relation {
    /// The id.
    pub(super) async fn id(&self) -> ID {
        self.view.id.into()
    }

    /// What the relation is about.
    async fn subject(&self, ctx: &Context<'_>) -> Result<Entity> {
        self.end(ctx, self.view.subject)
            .await?
            .ok_or_else(|| not_found("the subject is gone; read the relation again"))
    }

    /// The predicate.
    async fn predicate(&self) -> &str {
        &self.view.predicate
    }

    /// What the subject is related to, when it is an entity.
    async fn object(&self, ctx: &Context<'_>) -> Result<Option<Entity>> {
        match self.view.object {
            Some(id) => self.end(ctx, id).await,
            None => Ok(None),
        }
    }

    /// What the subject is related to, when it is a value.
    async fn literal(&self) -> Option<&str> {
        self.view.literal.as_deref()
    }

    /// How sure the extractor is, from 0 to 1: the highest of the statements.
    async fn confidence(&self) -> f64 {
        self.view.confidence.value()
    }

    /// Where documents say so, sorted by document and position.
    #[graphql(complexity = "1 + 4 * child_complexity")]
    async fn evidence(&self, ctx: &Context<'_>) -> Result<Vec<Evidence>> {
        let found = Viewer::of(ctx)?
            .loaders
            .load_many(self.view.members.iter().copied().map(EvidenceOf))
            .await
            .map_err(|error| internal(&error))?;
        let mut all: Vec<&EvidenceView> = found.values().flat_map(|list| list.iter()).collect();
        all.sort_by_key(|evidence| evidence.order());
        all.dedup_by_key(|evidence| evidence.order());
        evidence(ctx, self.batch, all.into_iter()).await
    }
}
