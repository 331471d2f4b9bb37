//! Graphs that PostgreSQL writes beside everything else: held up, cut off, and written twice.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{sync::Arc, time::Duration};

use knowledge_domain::{
    batch::{BatchOptions, BatchStage, FailurePolicy},
    document::DocumentStatus,
    ids::{BatchId, OrganizationId},
    workflow::WorkflowStage,
};
use knowledge_server::{orchestrator::StartBatch, store::Store};
use knowledge_tables::{batch_document, batch_execution, extraction};
use knowledge_tests::{
    Backend, TestDatabase,
    scripted::{Act, Script, ScriptedApp, batch_of, unit_names},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, PaginatorTrait,
    QueryFilter, QuerySelect, Statement, TransactionTrait,
};

const ORG: OrganizationId = OrganizationId::DEFAULT;
/// For what comes at once, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_mins(1);
/// For what must not come.
const MOMENT: Duration = Duration::from_millis(300);

/// The lock of a table: who writes a graph waits for nothing else while `hold_up` has it.
const TABLE: &str = "wait_event = 'relation'";
/// The lock of a row that another transaction has written or taken.
const ROW: &str = "wait_event = 'transactionid'";
/// Any lock.
const ANY: &str = "wait_event_type = 'Lock'";

/// A process on a PostgreSQL database on which graphs can be held up.
struct Held {
    db: TestDatabase,
    script: Arc<Script>,
    app: ScriptedApp,
}

impl Held {
    async fn new(script: Script) -> Option<Self> {
        let db = TestDatabase::create(Backend::Postgres)?;
        let script = Arc::new(script);
        let app = ScriptedApp::new(db.open().await, &script);
        Some(Self { db, script, app })
    }

    fn store(&self) -> &Store {
        self.app.ledger.store()
    }

    /// Until it ends, no mention can be written, and so no graph.
    async fn hold_up(&self) -> DatabaseTransaction {
        let tx = self.db.connect().await.begin().await.unwrap();
        let lock = "LOCK TABLE mention_record IN SHARE MODE";
        tx.execute_unprepared(lock).await.unwrap();
        tx
    }

    /// Until it ends, nothing of a batch can be recorded.
    async fn hold_up_batch(&self, batch: BatchId) -> DatabaseTransaction {
        let tx = self.db.connect().await.begin().await.unwrap();
        let row = batch_execution::Entity::find_by_id(batch.uuid()).lock_exclusive();
        row.one(&tx).await.unwrap();
        tx
    }

    async fn start(&self, key: &str, names: &[&str], concurrency: i64) -> BatchId {
        self.start_with(key, names, options(concurrency)).await
    }

    async fn start_with(&self, key: &str, names: &[&str], options: BatchOptions) -> BatchId {
        let command = StartBatch {
            options,
            idempotency_key: Some(key.to_owned()),
            ..batch_of(names)
        };
        self.app.orchestrator.start(ORG, command).await.unwrap()
    }

    /// Waits until these documents have run to their last unit.
    async fn have_run(&self, names: &[&str]) {
        let last = unit_names().pop().unwrap();
        eventually("documents run while graphs wait", async || {
            let runs = self.script.runs();
            let ran = |name: &&str| runs.contains_key(&((*name).to_owned(), last.clone()));
            names.iter().all(ran)
        })
        .await;
    }

    /// Sessions that wait for such a lock. A session may say so for a moment after it has got it.
    async fn stuck(&self, lock: &str) -> u64 {
        self.ask(&waiting("*", lock)).await
    }

    /// Cuts the connections that wait for such a lock, and counts them.
    async fn cut(&self, lock: &str) -> u64 {
        self.ask(&waiting("pg_terminate_backend(pid)", lock)).await
    }

    async fn ask(&self, query: &str) -> u64 {
        let query = Statement::from_string(DbBackend::Postgres, query);
        let row = self.store().read().query_one_raw(query).await.unwrap();
        let count: i64 = row.unwrap().try_get_by_index(0).unwrap();
        u64::try_from(count).unwrap()
    }

    async fn completed_documents(&self) -> u64 {
        let completed = batch_document::Column::Status.eq(DocumentStatus::Completed.to_string());
        let documents = batch_document::Entity::find().filter(completed);
        documents.count(self.store().read()).await.unwrap()
    }

    async fn completes(&self, batch: BatchId) {
        self.ends(batch, BatchStage::Completed).await;
    }

    /// Waits until a batch has ended so.
    async fn ends(&self, batch: BatchId, stage: BatchStage) {
        eventually("the batch ends", async || {
            let row = batch_execution::Entity::find_by_id(batch.uuid());
            let row = row.one(self.store().read()).await.unwrap().unwrap();
            row.state == stage.to_string()
        })
        .await;
        knowledge_tests::verify(&self.db).await;
    }

    async fn extractions(&self) -> u64 {
        let stored = extraction::Entity::find();
        stored.count(self.store().read()).await.unwrap()
    }
}

/// Counts something of the sessions that wait for such a lock.
fn waiting(counted: &str, lock: &str) -> String {
    format!(
        "SELECT count({counted}) FROM pg_stat_activity \
         WHERE datname = current_database() AND {lock}"
    )
}

fn options(concurrency: i64) -> BatchOptions {
    BatchOptions {
        concurrency: Some(concurrency),
        enable_entity_resolution: Some(false),
        ..BatchOptions::default()
    }
}

async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let so = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let came = tokio::time::timeout(PATIENCE, so).await;
    came.unwrap_or_else(|_| panic!("not so within {PATIENCE:?}: {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_that_waits_holds_up_no_checkpoint_and_they_are_few_in_memory() {
    let Some(held) = Held::new(Script::new()).await else {
        return;
    };
    let lock = held.hold_up().await;
    let batch = held.start("one", &["d0", "d1", "d2", "d3", "d4"], 2).await;
    held.have_run(&["d0", "d1", "d2"]).await;
    tokio::time::sleep(MOMENT).await;
    assert_eq!(held.completed_documents().await, 0);
    let runs = held.script.runs();
    let begun = |name: &str| runs.keys().any(|(document, _)| document == name);
    assert!(!begun("d3"), "of two at a time three are not recorded yet");
    lock.commit().await.unwrap();
    held.completes(batch).await;
    assert_eq!(held.extractions().await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_whose_connection_is_cut_is_written_again() {
    let Some(held) = Held::new(Script::new()).await else {
        return;
    };
    let lock = held.hold_up().await;
    let batch = held.start("one", &["d0", "d1", "d2"], 3).await;
    eventually("three graphs wait", async || held.stuck(TABLE).await == 3).await;
    assert_eq!(held.cut(TABLE).await, 3);
    eventually("three graphs wait again", async || {
        held.stuck(TABLE).await == 3
    })
    .await;
    lock.commit().await.unwrap();
    held.completes(batch).await;
    assert_eq!(held.extractions().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_graph_of_two_batches_is_written_once_and_neither_waits_for_the_other_for_ever() {
    let Some(held) = Held::new(Script::new()).await else {
        return;
    };
    let lock = held.hold_up().await;
    let first = held.start("one", &["d0", "d1", "d2"], 3).await;
    let second = held.start("two", &["d2", "d1", "d0"], 3).await;
    held.have_run(&["d0", "d1", "d2"]).await;
    eventually("as many graphs wait as may", async || {
        held.stuck(ANY).await == 4
    })
    .await;
    lock.commit().await.unwrap();
    held.completes(first).await;
    held.completes(second).await;
    assert_eq!(held.extractions().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_ends_the_batch_comes_after_what_was_done_before_it() {
    let fails = Script::new().with("d1", "mentions/0", &[Act::Wait]).with(
        "d1",
        "entities/1",
        &[Act::FailPermanent],
    );
    let Some(held) = Held::new(fails).await else {
        return;
    };
    let lock = held.hold_up().await;
    let options = BatchOptions {
        failure_policy: Some(FailurePolicy::AbortAll),
        ..options(2)
    };
    let batch = held.start_with("one", &["d0", "d1"], options).await;
    eventually("a graph waits", async || held.stuck(TABLE).await == 1).await;
    held.script.go_on();
    eventually("the other one has failed", async || {
        let failed = ("d1".to_owned(), "entities/1".to_owned());
        held.script.runs().contains_key(&failed)
    })
    .await;
    tokio::time::sleep(MOMENT).await;
    // The connection is cut when the graph is written and its outcome is not.
    let batch_held = held.hold_up_batch(batch).await;
    lock.commit().await.unwrap();
    eventually("its outcome waits", async || held.stuck(ROW).await == 1).await;
    assert_eq!(held.cut(ROW).await, 1);
    tokio::time::sleep(MOMENT).await;
    batch_held.commit().await.unwrap();
    held.ends(batch, BatchStage::Failed).await;
    assert_eq!(
        (held.completed_documents().await, held.extractions().await),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_is_recorded_late_drops_what_runs() {
    let mut script = Script::new().with("d1", "mentions/0", &[Act::Wait]).with(
        "d1",
        "entities/1",
        &[Act::FailPermanent],
    );
    for hangs in ["d2", "d3", "d4"] {
        script = script.with(hangs, "mentions/0", &[Act::Hang]);
    }
    let Some(held) = Held::new(script).await else {
        return;
    };
    let lock = held.hold_up().await;
    let options = BatchOptions {
        failure_policy: Some(FailurePolicy::AbortAll),
        ..options(3)
    };
    let names = ["d0", "d1", "d2", "d3", "d4"];
    let batch = held.start_with("one", &names, options).await;
    eventually("a graph waits", async || held.stuck(TABLE).await == 1).await;
    held.script.go_on();
    eventually(
        "others run in the places of the two that ended",
        async || {
            let runs = held.script.runs();
            let hangs =
                |name: &&str| runs.contains_key(&((*name).to_owned(), "mentions/0".to_owned()));
            ["d2", "d3", "d4"].iter().all(hangs)
        },
    )
    .await;
    lock.commit().await.unwrap();
    held.ends(batch, BatchStage::Failed).await;
    // Without being dropped they would end with the time of their stage.
    let dropped = WorkflowStage::Mentions.policy().hard_timeout / 2;
    let ended = tokio::time::timeout(dropped, held.app.orchestrator.wait(batch));
    ended.await.expect("what runs is dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_cancelled_while_its_graph_waits_has_none() {
    let Some(held) = Held::new(Script::new()).await else {
        return;
    };
    let lock = held.hold_up().await;
    let batch = held.start("one", &["d0", "d1"], 2).await;
    eventually("two graphs wait", async || held.stuck(TABLE).await == 2).await;
    let cancelled = held.app.orchestrator.cancel(ORG, batch).await;
    cancelled.unwrap();
    lock.commit().await.unwrap();
    // A request for more documents may be refused as well.
    eventually("both outcomes are refused", async || {
        held.app.ledger.fenced_writes() >= 2
    })
    .await;
    assert_eq!(
        (held.completed_documents().await, held.extractions().await),
        (0, 0)
    );
    knowledge_tests::verify(&held.db).await;
}
