//! `Query`.

use async_graphql::{Context, ID, Interface, Object, Result};
use knowledge_domain::ids::{
    BatchDocumentId, BatchId, EntityId, ExecutionId, OntologyId, RelationId,
};

use super::{
    access::{self, ApiKey, CallerNode},
    batch::{self, Batch},
    document::BatchDocument,
    duplicates,
    entity::Entity,
    enums::BatchStage,
    error::{bad_input, internal},
    execution::WorkflowExecution,
    input::StartBatchInput,
    models::{ModelEstimate, ModelHealth, ModelUsage},
    ontology::Ontology,
    page::{
        BatchConnection, EntityConnection, OntologyConnection, PossibleDuplicateConnection, cost,
        request,
    },
    relation::Relation,
    resolution::{LinkExplanation, Resolution},
    viewer::Viewer,
};
use crate::{orchestrator::Orchestrator, store::StoreError};

/// Anything with an id of its own.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The id, unique among all nodes."))]
pub(crate) enum Node {
    Batch(Batch),
    BatchDocument(BatchDocument),
    WorkflowExecution(WorkflowExecution),
    Entity(Entity),
    Relation(Relation),
    Ontology(Ontology),
}

pub(crate) struct Query;

/// What can be read.
#[Object]
impl Query {
    /// Anything by its id; `null` when the organisation has nothing of that id.
    #[graphql(complexity = "10 + child_complexity")]
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Node>> {
        node(Viewer::of(ctx)?, &id)
            .await
            .map_err(|error| internal(&error))
    }

    /// A batch; `null` when the organisation has no such batch.
    #[graphql(complexity = "10 + child_complexity")]
    async fn batch(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Batch>> {
        let Ok(id) = id.parse::<BatchId>() else {
            return Ok(None);
        };
        let batch = Viewer::of(ctx)?.reads.batch(id).await;
        Ok(batch.map_err(|error| internal(&error))?.map(Batch::from))
    }

    /// Batches, the newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn batches(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 500; 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Only those that are so far.")] stage: Option<BatchStage>,
    ) -> Result<BatchConnection> {
        let wanted = request(first, after.as_deref())?;
        let page = Viewer::of(ctx)?
            .reads
            .batch_page(stage.map(Into::into), wanted)
            .await
            .map_err(|error| internal(&error))?;
        let page = page.map(|batch| {
            let batch = Batch::from(batch);
            (batch.key(), batch)
        });
        Ok(BatchConnection::new(&wanted, page))
    }

    /// A workflow; `null` when the organisation has no such workflow.
    #[graphql(complexity = "10 + child_complexity")]
    async fn workflow_execution(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> Result<Option<WorkflowExecution>> {
        let Ok(id) = id.parse::<ExecutionId>() else {
            return Ok(None);
        };
        let execution = Viewer::of(ctx)?.reads.execution(id).await;
        Ok(execution
            .map_err(|error| internal(&error))?
            .map(WorkflowExecution::from))
    }

    /// A registered ontology; `null` when the organisation has no such ontology.
    #[graphql(complexity = "10 + child_complexity")]
    async fn ontology(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Ontology>> {
        let Ok(id) = id.parse::<OntologyId>() else {
            return Ok(None);
        };
        let ontology = Viewer::of(ctx)?.reads.ontology(id).await;
        Ok(ontology
            .map_err(|error| internal(&error))?
            .map(Ontology::from))
    }

    /// Registered ontologies, in the order of their ids.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn ontologies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 500; 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<OntologyConnection> {
        let wanted = request(first, after.as_deref())?;
        let page = Viewer::of(ctx)?.reads.ontology_page(wanted).await;
        let page = page.map_err(|error| internal(&error))?.map(|ontology| {
            let ontology = Ontology::from(ontology);
            (ontology.key(), ontology)
        });
        Ok(OntologyConnection::new(&wanted, page))
    }

    /// What a batch would take, before anything is asked or stored. What is in the cache already
    /// costs nothing and is not known beforehand.
    #[graphql(complexity = "100 + child_complexity")]
    async fn estimate_batch(
        &self,
        ctx: &Context<'_>,
        input: StartBatchInput,
    ) -> Result<ModelEstimate> {
        let command = input
            .command()
            .map_err(|unknown| bad_input(format!("there is no ontology {}", unknown.0)))?;
        let orchestrator = ctx.data::<Orchestrator>()?;
        let estimate = orchestrator
            .estimate(Viewer::of(ctx)?.reads.organization(), command)
            .await
            .map_err(|error| bad_input(error.to_string()))?;
        Ok(estimate.into())
    }

    /// Who asks.
    async fn caller(&self, ctx: &Context<'_>) -> Result<CallerNode> {
        access::caller(ctx).await
    }

    /// The organisation's API keys, in the order in which they were made; for the role `ADMIN`.
    #[graphql(complexity = "100 + child_complexity")]
    async fn api_keys(&self, ctx: &Context<'_>) -> Result<Vec<ApiKey>> {
        access::keys(ctx).await
    }

    /// What the organisation's model calls have cost.
    #[graphql(complexity = "10 + child_complexity")]
    async fn model_usage(&self, ctx: &Context<'_>) -> Result<ModelUsage> {
        let totals = Viewer::of(ctx)?.reads.call_totals().await;
        Ok(totals.map_err(|error| internal(&error))?.into())
    }

    /// How the calls of models of all organisations fare on this server; `null` where no model is
    /// configured. For the role `ADMIN`.
    async fn model_health(&self, ctx: &Context<'_>) -> Result<Option<ModelHealth>> {
        access::administrator(ctx)?;
        match ctx.data::<Orchestrator>()?.models() {
            Some(models) => Ok(Some(models.health().await.into())),
            None => Ok(None),
        }
    }

    /// The organisation's entities after resolution.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn entities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 500; 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
        #[graphql(
            name = "type",
            desc = "Only those of this class, or of one that specialises it."
        )]
        class: Option<String>,
        #[graphql(desc = "Only those whose name or alias contains this, ignoring case.")]
        search: Option<String>,
    ) -> Result<EntityConnection> {
        let wanted = request(first, after.as_deref())?;
        let filter = batch::entity_filter(class, search)?;
        batch::entities(ctx, None, &filter, wanted).await
    }

    /// Why two entities, of documents or after resolution, are one or are not; `null` when the
    /// organisation lacks one of them.
    #[graphql(complexity = "10 + child_complexity")]
    async fn explain_link(
        &self,
        ctx: &Context<'_>,
        left: ID,
        right: ID,
    ) -> Result<Option<LinkExplanation>> {
        let (Ok(left), Ok(right)) = (left.parse(), right.parse()) else {
            return Ok(None);
        };
        let explained = Viewer::of(ctx)?.reads.explain_link(left, right).await;
        let explained = explained.map_err(|error| internal(&error))?;
        Ok(explained.map(LinkExplanation::from))
    }

    /// Entities that may be one and were left apart, for a person to decide.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn possible_duplicates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 500; 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "The `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<PossibleDuplicateConnection> {
        duplicates::page(ctx, first, after.as_deref()).await
    }

    /// What resolution amounts to in the organisation.
    #[graphql(complexity = "10 + child_complexity")]
    async fn resolution(&self, ctx: &Context<'_>) -> Result<Resolution> {
        let found = Viewer::of(ctx)?.reads.resolution(None).await;
        Ok(found.map_err(|error| internal(&error))?.into())
    }
}

/// The prefix of the id says what it is an id of.
async fn node(viewer: &Viewer, id: &str) -> Result<Option<Node>, StoreError> {
    let reads = &viewer.reads;
    let prefix = id.split('_').next().unwrap_or_default();
    Ok(match prefix {
        BatchId::PREFIX => match id.parse() {
            Ok(id) => reads.batch(id).await?.map(|it| Batch::from(it).into()),
            Err(_) => None,
        },
        BatchDocumentId::PREFIX => match id.parse() {
            Ok(id) => (reads.document(id).await?).map(|it| BatchDocument::from(it).into()),
            Err(_) => None,
        },
        ExecutionId::PREFIX => match id.parse() {
            Ok(id) => (reads.execution(id).await?).map(|it| WorkflowExecution::from(it).into()),
            Err(_) => None,
        },
        EntityId::PREFIX => match id.parse() {
            Ok(id) => entity(viewer, id).await?.map(Node::from),
            Err(_) => None,
        },
        OntologyId::PREFIX => match id.parse() {
            Ok(id) => reads
                .ontology(id)
                .await?
                .map(|it| Ontology::from(it).into()),
            Err(_) => None,
        },
        RelationId::PREFIX => match id.parse() {
            Ok(id) => (reads.relation(id).await?).map(|it| Relation::new(it, None).into()),
            Err(_) => None,
        },
        _ => None,
    })
}

/// The canonical entity of any member.
async fn entity(viewer: &Viewer, id: EntityId) -> Result<Option<Entity>, StoreError> {
    let Some(canonical) = viewer.reads.canonical_of(id).await? else {
        return Ok(None);
    };
    let mut found = viewer.reads.entities(&[canonical]).await?;
    Ok(found.pop().map(|view| Entity::new(view.into(), None)))
}
