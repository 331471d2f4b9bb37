//! `knowledge prune`: what only finished work kept is removed, and nobody misses it.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::sync::Arc;

use knowledge_domain::{Clock, batch::FailurePolicy};
use knowledge_server::{
    environment::SystemClock,
    export,
    store::{Pruned, Pruning, Store},
};
use knowledge_tables::{
    batch_document, batch_event, batch_execution, workflow_activity, workflow_execution,
};
use knowledge_tests::{
    TestServer,
    batches::{ORG, batch, every_kind_of_batch, finished},
    documents::documents,
    each_database,
    scripted::{Act, Script, ScriptedApp},
    server,
};
use sea_orm::{ColumnTrait, EntityTrait, ModelTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};

/// Everything that has finished, up to now.
fn all() -> Pruning {
    let now = SystemClock.now();
    Pruning {
        before: now,
        at: Some(now),
    }
}

fn counting(pruning: Pruning) -> Pruning {
    Pruning {
        at: None,
        ..pruning
    }
}

/// What must be the same before and after.
#[derive(Debug, PartialEq)]
struct Kept {
    batches: Vec<batch_execution::Model>,
    documents: Vec<batch_document::Model>,
    events: Vec<batch_event::Model>,
    executions: Vec<workflow_execution::Model>,
    activities: Vec<workflow_activity::Model>,
    export: Vec<u8>,
}

async fn rows<E>(store: &Store, order: E::Column) -> Vec<E::Model>
where
    E: EntityTrait<Model: ModelTrait + Sync>,
{
    let rows = E::find().order_by_asc(order).all(store.read());
    rows.await.unwrap()
}

async fn kept(store: &Store) -> Kept {
    let mut export = Vec::new();
    export::write(store, ORG, None, export::Format::Json, &mut export)
        .await
        .unwrap();
    let mut activities =
        rows::<workflow_activity::Entity>(store, workflow_activity::Column::Id).await;
    for activity in &mut activities {
        activity.output = None;
        activity.pruned_at = None;
        activity.updated_at = activity.created_at;
    }
    Kept {
        batches: rows::<batch_execution::Entity>(store, batch_execution::Column::Id).await,
        documents: rows::<batch_document::Entity>(store, batch_document::Column::Id).await,
        events: rows::<batch_event::Entity>(store, batch_event::Column::Id).await,
        executions: rows::<workflow_execution::Entity>(store, workflow_execution::Column::Id).await,
        activities,
        export,
    }
}

async fn payloads(store: &Store) -> u64 {
    workflow_activity::Entity::find()
        .filter(workflow_activity::Column::Output.is_not_null())
        .count(store.read())
        .await
        .unwrap()
}

each_database! {
    async fn only_payloads_of_what_never_runs_again_go(db: TestDatabase) {
        every_kind_of_batch(&db).await;
        let store = db.open().await;
        let (before, had) = (kept(&store).await, payloads(&store).await);
        let first = before.executions.iter().filter_map(|row| row.completed_at).min().unwrap();
        let early = store.prune(Pruning { before: first, at: Some(first) }).await.unwrap();
        assert_eq!(early, Pruned::default(), "nothing is that old");

        let everything = all();
        let counted = store.prune(counting(everything)).await.unwrap();
        assert_eq!(payloads(&store).await, had, "counting removes nothing");
        let pruned = store.prune(everything).await.unwrap();
        assert_eq!(pruned, counted);
        let ended: Vec<_> = before
            .batches
            .iter()
            .filter(|row| row.completed_at.is_some())
            .map(|row| row.id)
            .collect();
        let completed = before
            .documents
            .iter()
            .filter(|row| row.status == "completed" && ended.contains(&row.batch_id));
        assert_eq!(pruned.executions, completed.count() as u64);
        assert_eq!(payloads(&store).await, had - pruned.activities);
        assert!(had > pruned.activities, "what may run again keeps its journal");
        assert!(pruned.bytes > pruned.activities, "{pruned:?}");

        assert_eq!(kept(&store).await, before);
        assert_eq!(store.prune(all()).await.unwrap(), Pruned::default(), "once is enough");
        knowledge_tests::verify(&db).await;
        store.close().await.unwrap();
    }

    async fn failed_documents_are_retried_from_their_journals(db: TestDatabase) {
        let script = Arc::new(Script::new().with("fails", "entities/1", &[Act::FailPermanent]));
        let app = ScriptedApp::new(db.open().await, &script);
        let command = batch(&["a", "fails"], FailurePolicy::ContinueOnFailure);
        let batch = app.orchestrator.start(ORG, command).await.unwrap();
        finished(&app.orchestrator, batch).await;
        let pruned = app.ledger.store().prune(all()).await.unwrap();
        assert_eq!(pruned.executions, 1, "the completed document's");

        app.orchestrator.retry_failed(ORG, batch).await.unwrap();
        finished(&app.orchestrator, batch).await;
        let view = app.ledger.store().reads(ORG).batch(batch).await.unwrap().unwrap();
        assert_eq!((view.completed_documents, view.failed_documents), (2, 0));
        for ((document, unit), runs) in script.runs() {
            let again = document == "fails" && unit == "entities/1";
            assert_eq!(runs, 1 + u32::from(again), "{unit} of {document}");
        }
        knowledge_tests::verify(&db).await;
    }

    async fn a_server_keeps_running_meanwhile(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let id = server.client().start(&documents(4), json!({})).await;
        assert_eq!(server.client().ended(&id).await["stage"], "COMPLETED");
        let before = server::export(db.url(), &id);
        let prune = |flags: &[&str]| {
            let command = ["prune", "--older-than", "0", "--database", db.url()];
            let output = server::run(&[&command, flags].concat());
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let counted: Value = serde_json::from_str(&prune(&["--dry-run", "--json"])).unwrap();
        assert_eq!(counted["executions"], 4);
        let pruned: Value = serde_json::from_str(&prune(&["--json"])).unwrap();
        assert_eq!(pruned, counted);
        assert_eq!(prune(&[]), "pruned 0 executions: 0 activities, 0 bytes\n");

        let id = server.client().start(&documents(6), json!({})).await;
        assert_eq!(server.client().ended(&id).await["stage"], "COMPLETED");
        assert!(server.terminate().success());
        assert!(!before.is_empty());
        knowledge_tests::verify(&db).await;
    }
}
