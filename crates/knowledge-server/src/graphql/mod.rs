//! The GraphQL API: the schema, its limits and how a request is run.
//!
//! Owns the translation between the domain and the wire. Owns no query: reads go to
//! [`crate::store::read`], commands to [`crate::orchestrator`]. Transports are in `crate::http`.

mod access;
mod batch;
mod document;
mod duplicates;
mod entity;
mod enums;
mod error;
mod estimate;
mod event;
mod execution;
mod form;
mod gathering;
mod guard;
mod input;
mod loaders;
mod models;
mod mutation;
mod ontology;
mod page;
mod parity;
mod payload;
mod query;
mod relation;
mod resolution;
mod scalar;
mod shape;
mod subscription;
#[cfg(test)]
mod tests;
mod viewer;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_graphql::{Request, Response, SDLExportOptions, Schema, SchemaBuilder};
use chrono::{DateTime, Utc};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use knowledge_domain::{Caller, Role};

pub(crate) use error::{classify, has_failed, is_request_error};
pub use guard::{Operation, Prepared, prepare};

use self::{
    mutation::Mutation, payload::ErrorInterface, query::Query, shape::Shapes,
    subscription::Subscription, viewer::Viewer,
};
use crate::{access::Access, orchestrator::Orchestrator, progress::EventHub, store::Store};

/// Introspection, as explorers ask for it, is 15 deep.
const MAX_DEPTH: usize = 20;

/// A page of 500 entities with their evidence is about 10,000.
const MAX_COMPLEXITY: usize = 100_000;

const MAX_DIRECTIVES: usize = 16;

/// How long a query may take where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The API; cheap to clone.
#[derive(Clone)]
pub struct Api {
    schema: Schema<Query, Mutation, Subscription>,
    shapes: Arc<Shapes>,
    store: Store,
    /// How long a query may take.
    timeout: Duration,
}

impl Api {
    /// The API over a store, for those who start and steer through the orchestrator.
    #[must_use]
    pub fn new(store: Store, orchestrator: Orchestrator, access: Access, hub: EventHub) -> Self {
        let schema = builder()
            .limit_depth(MAX_DEPTH)
            .limit_complexity(MAX_COMPLEXITY)
            .limit_directives(MAX_DIRECTIVES)
            .data(store.clone())
            .data(orchestrator)
            .data(access)
            .data(hub)
            .finish();
        Self {
            shapes: Arc::new(Shapes::new(&schema.sdl())),
            schema,
            store,
            timeout: TIMEOUT,
        }
    }

    /// The same API, where a query may take so long.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Runs a query or a mutation on behalf of somebody.
    pub async fn execute(&self, caller: Caller, prepared: Prepared) -> Response {
        let reads = prepared.operation() == Operation::Query;
        let changes = prepared.operation() == Operation::Mutation;
        if changes && caller.role < Role::Editor {
            return error::forbidden(caller.role, Role::Editor);
        }
        let (request, finish) = self.begin(caller, prepared);
        let executed = self.schema.execute(request);
        if !reads {
            // What a mutation has begun it ends, and says so.
            return finish(executed.await);
        }
        let begun = Instant::now();
        let executed = tokio::time::timeout(self.timeout, executed).await;
        // The timer is coarse: an answer may come after its time and before the timer.
        let in_time = executed.ok().filter(|_| begun.elapsed() <= self.timeout);
        finish(in_time.unwrap_or_else(|| error::timed_out(self.timeout)))
    }

    /// Runs any operation on behalf of somebody; a query gives one response.
    #[must_use]
    pub fn execute_stream(
        &self,
        caller: Caller,
        prepared: Prepared,
    ) -> BoxStream<'static, Response> {
        if prepared.operation() != Operation::Subscription {
            let api = self.clone();
            let answer = async move { api.execute(caller, prepared).await };
            return stream::once(answer).boxed();
        }
        let (request, finish) = self.begin(caller, prepared);
        self.schema.execute_stream(request).map(finish).boxed()
    }

    /// The request as the schema takes it, and what makes of a result what a client gets.
    fn begin(
        &self,
        caller: Caller,
        prepared: Prepared,
    ) -> (Request, impl Fn(Response) -> Response + Send + 'static) {
        let document = prepared.document();
        let shapes = Arc::clone(&self.shapes);
        let finish = move |mut response| {
            document.restore(&shapes, &mut response);
            classify(response)
        };
        let viewer = Viewer::new(&self.store, caller);
        (prepared.into_request().data(viewer), finish)
    }
}

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query, Mutation, Subscription)
        .register_output_type::<ErrorInterface>()
        .override_output_type_description::<DateTime<Utc>>(
            "A moment in UTC: `2026-11-20T08:15:30.123Z`, as RFC 3339 has it.",
        )
}

/// The schema in GraphQL's definition language, sorted; what `docs/schema.graphql` holds.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .prefer_single_line_descriptions()
        .use_space_ident();
    let sdl = builder().finish().sdl_with_options(options);
    let mut sdl = sdl.trim().to_owned();
    sdl.push('\n');
    sdl
}
