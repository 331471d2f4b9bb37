//! `Mutation`.

use async_graphql::{Context, ID, Object, Result};
use knowledge_domain::ids::{BatchId, ExecutionId};

use super::{
    access::{self, CreateApiKeyInput, CreateApiKeyPayload, RevokeApiKeyPayload},
    batch::Batch,
    enums::WorkflowSignal,
    error::{internal, not_found, unavailable},
    input::StartBatchInput,
    ontology::{self, RegisterOntologyInput, RegisterOntologyPayload},
    payload::{
        BatchPayload, BatchSuccess, IdempotencyConflict, InvalidStateTransition, NotFound,
        RaiseTokenBudgetPayload, SignalPayload, SignalSuccess, StartBatchPayload,
        StartBatchSuccess, ValidationError, WorkflowEnded,
    },
    resolution::{Decision, EntitiesPayload, decide},
    scalar::Long,
    viewer::Viewer,
};
use crate::{
    orchestrator::{Orchestrator, StartBatchError, SteerError},
    store::ledger::{LedgerError, Raised, SignalError},
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

    /// Registers an ontology, for batches to name. The same content again is the same ontology.
    async fn register_ontology(
        &self,
        ctx: &Context<'_>,
        input: RegisterOntologyInput,
    ) -> Result<RegisterOntologyPayload> {
        ontology::register(ctx, input).await
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

    /// Tries the failed, abandoned and skipped documents of an ended batch again, and asks for the
    /// units that completed documents are without. What was finished is not done again.
    async fn retry_failed_documents(&self, ctx: &Context<'_>, id: ID) -> Result<BatchPayload> {
        let Ok(id) = id.parse::<BatchId>() else {
            return Ok(no_batch());
        };
        let organization = Viewer::of(ctx)?.reads.organization();
        let orchestrator = ctx.data::<Orchestrator>()?;
        steered(ctx, id, orchestrator.retry_failed(organization, id).await).await
    }

    /// Makes entities one, whatever speaks against it. No later batch undoes it.
    async fn merge_entities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Two or more entities.")] ids: Vec<ID>,
    ) -> Result<EntitiesPayload> {
        decide(ctx, Decision::Merge(ids)).await
    }

    /// Takes members out of the entity that they are part of, to be one of their own. No later
    /// batch undoes it.
    async fn split_entity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Members of one entity.")] members: Vec<ID>,
    ) -> Result<EntitiesPayload> {
        decide(ctx, Decision::Split(members)).await
    }

    /// Undoes the merge of a member: it leaves its entity, with all members of its very name, or
    /// alone where it has the name of the entity. No later batch merges it again.
    async fn unmerge(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A member that does not face its entity.")] id: ID,
    ) -> Result<EntitiesPayload> {
        decide(ctx, Decision::Unmerge(id)).await
    }

    /// Keeps entities apart that are not one now. No later batch makes them one.
    async fn keep_apart(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Two or more entities.")] ids: Vec<ID>,
    ) -> Result<EntitiesPayload> {
        decide(ctx, Decision::KeepApart(ids)).await
    }

    /// Makes an API key of the caller's organisation; for the role `ADMIN`. The first one makes the
    /// server ask everybody for a key.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        input: CreateApiKeyInput,
    ) -> Result<CreateApiKeyPayload> {
        access::create(ctx, input).await
    }

    /// Ends an API key for good; for the role `ADMIN`. Streams that it has opened end within seconds.
    async fn revoke_api_key(&self, ctx: &Context<'_>, id: ID) -> Result<RevokeApiKeyPayload> {
        access::revoke(ctx, &id).await
    }

    /// Tells the workflow of one document to pause, to go on, or to drop what it does for good.
    async fn signal_workflow(
        &self,
        ctx: &Context<'_>,
        execution_id: ID,
        signal: WorkflowSignal,
    ) -> Result<SignalPayload> {
        let Ok(id) = execution_id.parse::<ExecutionId>() else {
            return Ok(NotFound::new("there is no such workflow").into());
        };
        let organization = Viewer::of(ctx)?.reads.organization();
        let orchestrator = ctx.data::<Orchestrator>()?;
        match orchestrator.signal(organization, id, signal.into()).await {
            Ok(signalled) => signal_taken(ctx, id, signalled.acknowledged).await,
            Err(error @ SignalError::NotFound(_)) => Ok(NotFound::new(error.to_string()).into()),
            Err(error @ SignalError::Ended { status, .. }) => {
                Ok(WorkflowEnded::new(error.to_string(), status).into())
            }
            Err(SignalError::Ledger(LedgerError::Store(error))) => Err(internal(&error)),
            // Steered by somebody else in the same moment.
            Err(SignalError::Ledger(error)) => Err(unavailable(error.to_string())),
        }
    }
}

async fn signal_taken(
    ctx: &Context<'_>,
    id: ExecutionId,
    acknowledged: bool,
) -> Result<SignalPayload> {
    let execution = Viewer::of(ctx)?.reads.execution(id).await;
    let execution = execution
        .map_err(|error| internal(&error))?
        .ok_or_else(|| not_found("the workflow was deleted meanwhile"))?;
    let success = SignalSuccess {
        execution: execution.into(),
        acknowledged,
    };
    Ok(success.into())
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
