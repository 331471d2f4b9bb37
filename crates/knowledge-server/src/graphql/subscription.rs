//! `Subscription`.

use async_graphql::{Context, ID, Result, Subscription};
use futures::{Stream, StreamExt};
use knowledge_domain::ids::{BatchId, ExecutionId};

use super::{
    error::{bad_input, internal, not_found},
    event::{BatchEvent, StageProgress},
    scalar::Long,
    viewer::Viewer,
};
use crate::{
    progress::{EventHub, batch_events, workflow_events},
    store::Store,
};

pub(crate) struct Subscription;

/// What can be watched.
#[Subscription]
impl Subscription {
    /// Every event after `afterSequence` (default 0: from the first), once and in order, then the
    /// live tail; ends after the terminal event.
    async fn batch_progress(
        &self,
        ctx: &Context<'_>,
        batch_id: ID,
        after_sequence: Option<Long>,
    ) -> Result<impl Stream<Item = Result<BatchEvent>>> {
        let after = sequence(after_sequence)?;
        let reads = &Viewer::of(ctx)?.reads;
        let unknown = || not_found("there is no such batch");
        let id: BatchId = batch_id.parse().map_err(|_| unknown())?;
        let head = reads.batch_head(id).await;
        head.map_err(|error| internal(&error))?
            .ok_or_else(unknown)?;
        let events = batch_events(
            ctx.data::<Store>()?,
            ctx.data::<EventHub>()?,
            reads.organization(),
            id,
            after,
        );
        Ok(events.map(|event| {
            event
                .map(|event| BatchEvent::from((**event).clone()))
                .map_err(|error| internal(&error))
        }))
    }

    /// The same for the workflow of one document: its `StageProgress` only.
    async fn workflow_progress(
        &self,
        ctx: &Context<'_>,
        execution_id: ID,
        after_sequence: Option<Long>,
    ) -> Result<impl Stream<Item = Result<StageProgress>>> {
        let after = sequence(after_sequence)?;
        let reads = &Viewer::of(ctx)?.reads;
        let unknown = || not_found("there is no such workflow");
        let id: ExecutionId = execution_id.parse().map_err(|_| unknown())?;
        let head = reads.workflow_head(id).await;
        let head = head
            .map_err(|error| internal(&error))?
            .ok_or_else(unknown)?;
        let events = workflow_events(
            ctx.data::<Store>()?,
            ctx.data::<EventHub>()?,
            reads.organization(),
            id,
            head,
            after,
        );
        Ok(events.filter_map(async |event| match event {
            Ok(event) => StageProgress::of((**event).clone()).map(Ok),
            Err(error) => Some(Err(internal(&error))),
        }))
    }
}

fn sequence(after: Option<Long>) -> Result<u64> {
    let after = after.map_or(0, |after| after.0);
    u64::try_from(after)
        .map_err(|_| bad_input(format!("`afterSequence` is {after}, but must be 0 or more")))
}
