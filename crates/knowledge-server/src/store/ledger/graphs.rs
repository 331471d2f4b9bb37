//! Graphs that are written with the outcomes of their documents.
//!
//! A graph has some hundreds of rows, and a checkpoint of another document must not wait for them.
//! SQLite has one who writes: there graphs take turns with groups of other changes, where these
//! leave a lull (`lull.rs`). On PostgreSQL each is written over a connection of its own, beside the
//! writer, which adds the outcome to the same transaction and commits it: a graph becomes visible
//! with its outcome or not at all. Such a transaction locks nothing of a batch before the writer
//! takes it, and the writer never waits for the rows of a graph; so it cannot wait for one that
//! waits for it.
//!
//! What may end the batch for other documents comes after the graphs that were there before it: one
//! document at a time, the one that failed is never recorded before the one that came before it.

use std::{collections::VecDeque, sync::Arc};

use knowledge_domain::ids::ExtractionId;
use sea_orm::DatabaseTransaction;
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, sleep, sleep_until},
};

use super::{
    LedgerError,
    again::{away, patiently},
    gather::GROUP,
    lull::Lull,
    writer::{Change, Environment},
};
use crate::store::{
    GRAPHS_AT_A_TIME,
    graph::{FoundGraph, write_graph},
};

/// Rows of graphs that a turn on SQLite writes, give or take a graph.
const TURN: usize = 400;

/// Changes that wait for a graph to be written, or write it, in the order in which they came.
pub(super) struct Graphs {
    env: Arc<Environment>,
    waiting: VecDeque<Box<dyn Change>>,
    lull: Lull,
    /// Documents that run, including those whose changes wait here.
    running: usize,
    /// What is written beside the writer.
    beside: JoinSet<Ready>,
    /// Transactions with graphs that were lost before they were committed, one after another.
    lost: usize,
}

/// What the writer goes on with.
pub(super) enum Ready {
    /// Changes whose turn it is; each writes its graph itself.
    Turn(Vec<Box<dyn Change>>),
    /// A change whose graph is written, in a transaction that is to be committed with the rest.
    Written(Box<dyn Change>, Written),
    /// A change whose graph the database refuses.
    Refused(Box<dyn Change>, LedgerError),
}

/// A transaction that holds a graph.
pub(super) struct Written {
    pub(super) tx: Arc<DatabaseTransaction>,
    pub(super) extraction: ExtractionId,
}

impl Graphs {
    pub(super) fn new(env: &Arc<Environment>) -> Self {
        Self {
            env: Arc::clone(env),
            waiting: VecDeque::new(),
            lull: Lull::new(Instant::now()),
            running: 0,
            beside: JoinSet::new(),
            lost: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.beside.is_empty()
    }

    pub(super) fn add(&mut self, changes: Vec<Box<dyn Change>>) {
        if changes.is_empty() {
            return;
        }
        if self.waiting.is_empty() {
            self.lull.begins(Instant::now());
        }
        self.waiting.extend(changes);
        self.begin();
    }

    /// The writer had nothing to write since then, and no graph waited.
    pub(super) fn idled(&mut self, since: Instant) {
        self.lull.idled(since.elapsed());
    }

    /// A group of other changes was written, and so many documents run.
    pub(super) fn stirred(&mut self, running: usize) {
        self.lull.stirred(Instant::now());
        self.running = running;
    }

    /// A turn was written, and so many documents run.
    pub(super) fn turned(&mut self, running: usize) {
        self.lull.begins(Instant::now());
        self.running = running;
    }

    /// Writes a graph again whose transaction was lost: before what came after it, and after a wait.
    pub(super) fn again(&mut self, change: Box<dyn Change>) {
        self.lost += 1;
        self.waiting.push_front(change);
        self.begin();
    }

    /// A graph is committed, or refused for good.
    pub(super) fn settled(&mut self) {
        self.lost = 0;
    }

    /// What comes next; `None` where nothing waits.
    ///
    /// # Cancel safety
    /// Nothing is taken where the answer is not awaited.
    pub(super) async fn next(&mut self) -> Option<Ready> {
        if let Some(end) = self.lull(Instant::now()) {
            sleep_until(end).await;
        }
        if let Some(ready) = self.turn() {
            return Some(ready);
        }
        while let Some(written) = self.beside.join_next().await {
            if let Some(ready) = self.went_on(written) {
                return Some(ready);
            }
        }
        None
    }

    /// What comes next, if it is there.
    pub(super) fn try_next(&mut self) -> Option<Ready> {
        if self.lull(Instant::now()).is_some() {
            return None;
        }
        if let Some(ready) = self.turn() {
            return Some(ready);
        }
        let written = self.beside.try_join_next()?;
        self.went_on(written)
    }

    /// When the next turn is, where it has to wait: there is a graph to write, and other documents
    /// run.
    fn lull(&self, now: Instant) -> Option<Instant> {
        let takes_turns = !self.env.store.writes_graphs_beside() && self.next_graph().is_some();
        let waits = takes_turns && self.running > self.waiting.len();
        // A timer that is due is due at its next tick, and a turn that is due now.
        let end = self.lull.ends();
        (waits && end > now).then_some(end)
    }

    /// The next changes that the writer makes itself: as few as keep the others from waiting long.
    fn turn(&mut self) -> Option<Ready> {
        let beside = self.env.store.writes_graphs_beside();
        if beside && !self.beside.is_empty() {
            return None;
        }
        let mut changes = Vec::new();
        let mut rows = 0;
        while rows < TURN
            && changes.len() < GROUP
            && let Some(change) = self
                .waiting
                .pop_front_if(|change| !beside || change.when().graph().is_none())
        {
            rows += change.when().graph().map_or(0, FoundGraph::rows);
            changes.push(change);
        }
        self.begin();
        if changes.is_empty() {
            return None;
        }
        self.lull.is_over(Instant::now());
        Some(Ready::Turn(changes))
    }

    /// Begins what can be written beside the writer: up to the next change that waits for it.
    fn begin(&mut self) {
        while self.env.store.writes_graphs_beside()
            && self.beside.len() < GRAPHS_AT_A_TIME
            && let Some(graph) = self.next_graph().cloned()
            && let Some(change) = self.waiting.pop_front()
        {
            let (env, lost) = (Arc::clone(&self.env), self.lost);
            self.beside.spawn(async move {
                if lost > 0 {
                    sleep(away(lost - 1)).await;
                }
                beside(&env, change, &graph).await
            });
        }
    }

    /// The graph of the change that is the next.
    fn next_graph(&self) -> Option<&FoundGraph> {
        self.waiting.front()?.when().graph()
    }

    /// Begins the next in the place of one that is written.
    fn went_on(&mut self, written: Result<Ready, JoinError>) -> Option<Ready> {
        self.begin();
        match written {
            Ok(ready) => Some(ready),
            // The process stops, and the writer with it.
            Err(error) if error.is_cancelled() => None,
            // A panic there is one of the writer.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Writes a change's graph, however long the store is away.
async fn beside(env: &Environment, change: Box<dyn Change>, graph: &FoundGraph) -> Ready {
    match patiently(|| write(env, graph)).await {
        Ok(written) => Ready::Written(change, written),
        Err(error) => Ready::Refused(change, error),
    }
}

async fn write(env: &Environment, graph: &FoundGraph) -> Result<Written, LedgerError> {
    let tx = Arc::new(env.store.begin_graph().await?);
    let extraction = write_graph(&tx, graph, env.clock.now()).await?;
    Ok(Written { tx, extraction })
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicU64, time::Duration};

    use knowledge_domain::{
        graph::DocumentGraph,
        ids::{BatchId, DocumentId, ExecutionId, OrganizationId},
        workflow::BoxFuture,
    };
    use uuid::Uuid;

    use super::*;
    use crate::{
        environment::{SystemClock, SystemEntropy},
        fixture::Fixture,
        progress::EventHub,
        store::{
            ExtractionOrigin,
            ledger::{change::BatchChange, right::Scope, writer::When},
        },
    };

    struct Late(Scope, When);

    impl Change for Late {
        fn scope(&self) -> &Scope {
            &self.0
        }

        fn when(&self) -> &When {
            &self.1
        }

        fn make<'c>(
            &'c mut self,
            _change: &'c mut BatchChange,
        ) -> BoxFuture<'c, Result<(), LedgerError>> {
            Box::pin(std::future::ready(Ok(())))
        }

        fn acknowledge(self: Box<Self>, _result: Result<(), LedgerError>) {}
    }

    fn late(when: When) -> Vec<Box<dyn Change>> {
        let batch = BatchId::from_uuid(Uuid::nil());
        vec![Box::new(Late(
            Scope::of(OrganizationId::DEFAULT, batch),
            when,
        ))]
    }

    fn with_graph() -> Vec<Box<dyn Change>> {
        let origin = ExtractionOrigin {
            organization: OrganizationId::DEFAULT,
            document: DocumentId::from_uuid(Uuid::nil()),
            execution: ExecutionId::from_uuid(Uuid::nil()),
            ontology: None,
            fingerprint: String::new(),
            extractor: String::new(),
            model: None,
            prompt_version: None,
        };
        let graph = Arc::new(DocumentGraph::default());
        late(When::WithGraph(FoundGraph { origin, graph }))
    }

    /// Of a writer that was idle for long, and has just written checkpoints while so many documents
    /// run.
    fn stirred(fixture: &Fixture, running: usize) -> Graphs {
        let env = Environment {
            store: fixture.store.clone(),
            hub: EventHub::default(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            fenced: AtomicU64::new(0),
        };
        let mut graphs = Graphs::new(&Arc::new(env));
        graphs.idled(Instant::now() - Duration::from_mins(1));
        graphs.stirred(running);
        graphs
    }

    #[tokio::test]
    async fn graphs_wait_for_a_lull_only_where_others_run() {
        let fixture = Fixture::new().await;
        if fixture.store.writes_graphs_beside() {
            return;
        }
        for (running, late, waits) in [
            (2, with_graph(), true),
            (1, with_graph(), false),
            (2, late(When::AfterGraphs), false),
        ] {
            let before = Instant::now();
            let mut graphs = stirred(&fixture, running);
            graphs.add(late);
            assert_eq!(graphs.lull(before).is_some(), waits);
            assert!(graphs.next().await.is_some(), "at most for a moment");
        }
    }
}
