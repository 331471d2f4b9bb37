//! `Mutation`.

use async_graphql::{Context, ID, Object, Result};
use knowledge_domain::ids::BatchId;

use super::{
    batch::Batch,
    error::{internal, not_found, unavailable},
    input::StartBatchInput,
    payload::{
        BatchPayload, BatchSuccess, IdempotencyConflict, InvalidStateTransition, NotFound,
        RaiseTokenBudgetPayload, StartBatchPayload, StartBatchSuccess, ValidationError,
    },
    scalar::Long,
    viewer::Viewer,
};
use crate::{
    orchestrator::{Orchestrator, StartBatchError, SteerError},
    store::ledger::Raised,
};

pub(crate) struct Mutation;

/// What can be started and steered.
#[Object]
impl Mutation {
    /// Stores a batch with its documents and sets it going.
    async fn start_batch(
        &self,
        ctx: &Context<'_>,
        input: StartBatchInput,
    ) -> Result<StartBatchPayload> {
        let command = match input.command() {
            Ok(command) => command,
            Err(unknown) => {
                let message = format!("there is no ontology {}", unknown.0);
                return Ok(NotFound::new(message).into());
            }
        };
        let organization = Viewer::of(ctx)?.reads.organization();
        let started = ctx
            .data::<Orchestrator>()?
            .start(organization, command)
            .await;
        match started {
            Ok(id) => Ok(StartBatchSuccess::from(load(ctx, id).await?).into()),
            Err(error) => refused_start(error),
        }
    }

    /// Cancels a batch, promptly and for good. Cancelling a cancelled batch changes nothing.
    async fn cancel_batch(&self, ctx: &Context<'_>, id: ID) -> Result<BatchPayload> {
        let Ok(id) = id.parse::<BatchId>() else {
            return Ok(no_batch());
        };
        let organization = Viewer::of(ctx)?.reads.organization();
        let orchestrator = ctx.data::<Orchestrator>()?;
        steered(ctx, id, orchestrator.cancel(organization, id).await).await
    }

    /// Lets a batch use more tokens; documents that wait for its budget go on.
    async fn raise_token_budget(
        &self,
        ctx: &Context<'_>,
        id: ID,
        #[graphql(desc = "The most tokens that the batch may use, all in all.")] token_budget: Long,
    ) -> Result<RaiseTokenBudgetPayload> {
        let Ok(id) = id.parse::<BatchId>() else {
            return Ok(NotFound::new("there is no such batch").into());
        };
        let invalid =
            |message: String| ValidationError::new(vec!["tokenBudget".to_owned()], message);
        let Ok(tokens) = u64::try_from(token_budget.0) else {
            return Ok(invalid("a token budget is at least 1".to_owned()).into());
        };
        let organization = Viewer::of(ctx)?.reads.organization();
        let raised = ctx
            .data::<Orchestrator>()?
            .raise_token_budget(organization, id, tokens)
            .await;
        match raised {
            Ok(Raised::Raised) => Ok(BatchSuccess::from(load(ctx, id).await?).into()),
            Ok(Raised::Enough(Some(budget))) => Ok(invalid(format!(
                "the batch may use {budget} tokens already; say more"
            ))
            .into()),
            Ok(Raised::Enough(None)) => {
                Ok(invalid("the batch has no token budget to raise".to_owned()).into())
            }
            Err(SteerError::Store(error)) => Err(internal(&error)),
            Err(SteerError::Draining) => Err(unavailable(SteerError::Draining.to_string())),
            Err(SteerError::NotFound | SteerError::InvalidStateTransition { .. }) => {
                Ok(NotFound::new("there is no such batch").into())
            }
        }
    }

    /// Tries the failed, abandoned and skipped documents of an ended batch again.
    async fn retry_failed_documents(&self, ctx: &Context<'_>, id: ID) -> Result<BatchPayload> {
        let Ok(id) = id.parse::<BatchId>() else {
            return Ok(no_batch());
        };
        let organization = Viewer::of(ctx)?.reads.organization();
        let orchestrator = ctx.data::<Orchestrator>()?;
        steered(ctx, id, orchestrator.retry_failed(organization, id).await).await
    }
}

async fn load(ctx: &Context<'_>, id: BatchId) -> Result<Batch> {
    let batch = Viewer::of(ctx)?.reads.batch(id).await;
    batch
        .map_err(|error| internal(&error))?
        .map(Batch::from)
        .ok_or_else(|| not_found("the batch was deleted meanwhile"))
}

fn refused_start(error: StartBatchError) -> Result<StartBatchPayload> {
    let message = error.to_string();
    match error {
        StartBatchError::Invalid { path, message } => {
            Ok(ValidationError::new(path, message).into())
        }
        StartBatchError::IdempotencyConflict { batch_id } => {
            Ok(IdempotencyConflict::new(batch_id, message).into())
        }
        StartBatchError::OntologyNotFound(_) => Ok(NotFound::new(message).into()),
        StartBatchError::Draining => Err(unavailable(message)),
        StartBatchError::Store(error) => Err(internal(&error)),
    }
}

async fn steered(
    ctx: &Context<'_>,
    id: BatchId,
    result: Result<(), SteerError>,
) -> Result<BatchPayload> {
    match result {
        Ok(()) => Ok(BatchSuccess::from(load(ctx, id).await?).into()),
        Err(SteerError::NotFound) => Ok(no_batch()),
        Err(SteerError::InvalidStateTransition { source, .. }) => {
            Ok(InvalidStateTransition::new(&source).into())
        }
        Err(error @ SteerError::Draining) => Err(unavailable(error.to_string())),
        Err(SteerError::Store(error)) => Err(internal(&error)),
    }
}

fn no_batch() -> BatchPayload {
    NotFound::new("there is no such batch").into()
}
