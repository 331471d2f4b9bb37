//! Resolution over every database: the same clusters in whatever order, split and concurrency the
//! documents come, and after whatever crash; and what persons decide stays.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::process::ExitStatusExt,
    process::Output,
    time::Duration,
};

use knowledge_domain::{
    batch::BatchOptions,
    ids::{BatchId, EntityId, OrganizationId},
};
use knowledge_server::{
    app::orchestrator,
    config::Config,
    environment::{SystemClock, SystemEntropy},
    orchestrator::{NewDocument, Orchestrator, StartBatch},
    progress::EventHub,
    store::{Decider, DecisionError, Store},
};
use knowledge_tables::{
    batch_execution, cluster_member, entity, entity_cluster, merge_history, organization,
    resolution_block, resolution_form, same_as_link, workflow_activity, workflow_execution,
};
use knowledge_tests::{
    TestDatabase, each_database,
    faults::armed,
    harbour::{self, documents},
    server,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, prelude::Uuid};

const ORG: OrganizationId = OrganizationId::DEFAULT;
const PATIENCE: Duration = Duration::from_mins(2);

/// Clusters by id: who faces each, and its members. Ids are derived from content, so that two
/// databases agree on them.
type Clusters = BTreeMap<Uuid, (Uuid, BTreeSet<Uuid>)>;

async fn clusters(store: &Store) -> Clusters {
    let rows = entity_cluster::Entity::find()
        .all(store.read())
        .await
        .unwrap();
    let mut clusters: Clusters = rows
        .into_iter()
        .map(|row| (row.id, (row.canonical_entity_id, BTreeSet::new())))
        .collect();
    for member in cluster_member::Entity::find()
        .all(store.read())
        .await
        .unwrap()
    {
        let cluster = clusters.get_mut(&member.cluster_id).unwrap();
        cluster.1.insert(member.entity_id);
    }
    clusters
}

async fn start(
    orchestrator: &Orchestrator,
    documents: Vec<NewDocument>,
    concurrency: i64,
) -> BatchId {
    let command = StartBatch {
        documents,
        options: BatchOptions {
            concurrency: Some(concurrency),
            ..BatchOptions::default()
        },
        ..StartBatch::default()
    };
    orchestrator.start(ORG, command).await.unwrap()
}

async fn finish(orchestrator: &Orchestrator, batch: BatchId) {
    tokio::time::timeout(PATIENCE, orchestrator.wait(batch))
        .await
        .expect("the batch ends");
}

fn running(store: &Store) -> Orchestrator {
    orchestrator(store, &EventHub::default(), &Config::default())
}

/// The clusters that batches of these documents, one after the other or all at once, end with.
async fn resolved(
    db: &TestDatabase,
    batches: Vec<Vec<NewDocument>>,
    concurrency: i64,
    at_once: bool,
) -> Clusters {
    let store = db.open().await;
    let orchestrator = running(&store);
    let mut started = Vec::new();
    for documents in batches {
        let batch = start(&orchestrator, documents, concurrency).await;
        if at_once {
            started.push(batch);
        } else {
            finish(&orchestrator, batch).await;
        }
    }
    for batch in started {
        finish(&orchestrator, batch).await;
    }
    let clusters = clusters(&store).await;
    store.close().await.unwrap();
    knowledge_tests::verify(db).await;
    clusters
}

fn in_five(documents: &[NewDocument]) -> Vec<Vec<NewDocument>> {
    documents.chunks(5).map(<[NewDocument]>::to_vec).collect()
}

/// Runs the binary on documents, until it ends or dies at a point.
fn extract(db: &TestDatabase, documents: &[NewDocument], point: Option<&str>) -> Output {
    let input = db.folder().join("harbour.jsonl");
    let lines = documents.iter().map(|document| {
        let line = serde_json::json!({ "id": document.name, "text": document.text });
        format!("{line}\n")
    });
    fs::write(&input, lines.collect::<String>()).unwrap();
    let out = db.folder().join("graph.json");
    let (input, out) = (input.to_str().unwrap(), out.to_str().unwrap());
    let arguments = ["extract", input, "--database", db.url(), "--out", out];
    match point {
        Some(point) => server::run_with(&arguments, &armed(point)),
        None => server::run(&arguments),
    }
}

async fn dirty_forms(store: &Store) -> usize {
    let dirty = resolution_form::Column::Dirty.eq(true);
    let forms = resolution_form::Entity::find().filter(dirty);
    forms.all(store.read()).await.unwrap().len()
}

each_database! {
    async fn order_split_and_concurrency_change_nothing(db: TestDatabase) {
        let expected = resolved(&db, vec![documents()], 1, false).await;
        let merged = expected.values().filter(|(_, members)| members.len() > 1).count();
        assert!(merged >= 10, "{merged} clusters of several entities");
        let mut reversed = documents();
        reversed.reverse();
        for (batches, concurrency, at_once) in [
            (vec![documents()], 16, false),
            (vec![reversed.clone()], 1, false),
            (in_five(&documents()), 16, false),
            (in_five(&reversed), 3, true),
        ] {
            let found = resolved(&db.another(), batches, concurrency, at_once).await;
            assert_eq!(found, expected);
        }
    }

    async fn the_same_document_twice_changes_nothing(db: TestDatabase) {
        let expected = resolved(&db, vec![documents()], 3, false).await;
        assert_eq!(resolved(&db, vec![documents()], 3, false).await, expected);
    }

    async fn names_of_one_thing_are_one(db: TestDatabase) {
        let clusters = resolved(&db, vec![documents()], 3, false).await;
        let store = db.open().await;
        let rows = entity::Entity::find().all(store.read()).await.unwrap();
        let face = |name: &str| -> BTreeSet<Uuid> {
            let named = rows.iter().filter(|row| row.name == name);
            let faces = named.map(|row| row.canonical_id);
            faces.collect()
        };
        for (one, other) in [
            ("Ilse Varga", "I. Varga"),
            ("Peter Lindqvist", "Peter Lindquist"),
            ("Saint Brenna Hospital", "St Brenna Hospital"),
            ("University of Port Ellis", "Port Ellis University"),
        ] {
            assert_eq!(face(one).len(), 1, "{one}");
            assert_eq!(face(one), face(other), "{one}, {other}");
        }
        assert_ne!(face("Port Ellis"), face("Port Ellis University"));
        let links = same_as_link::Entity::find().all(store.read()).await.unwrap();
        let members: usize = clusters.values().map(|(_, members)| members.len() - 1).sum();
        assert_eq!(links.len(), members);
        assert!(links.iter().any(|link| link.reason == "initials" && link.confidence < 1.0));
    }

    async fn the_workflow_of_a_batch_is_kept(db: TestDatabase) {
        resolved(&db, vec![documents()], 3, false).await;
        let store = db.open().await;
        let execution = workflow_execution::Entity::find()
            .filter(workflow_execution::Column::WorkflowType.eq("batch_extraction"))
            .one(store.read())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(execution.status, "completed");
        let units = workflow_activity::Entity::find()
            .filter(workflow_activity::Column::ExecutionId.eq(execution.id))
            .all(store.read())
            .await
            .unwrap();
        assert!(units.len() >= 2 && units.iter().all(|unit| unit.status == "completed"));
    }

    async fn a_process_that_dies_in_between_changes_nothing(db: TestDatabase) {
        let all = documents();
        assert_eq!(extract(&db, &all, None).status.code(), Some(0));
        let expected = clusters(&db.open().await).await;
        let crashed = db.another();
        for point in [
            "group_after_commit:20",
            "settle_after_commit",
            "resolution_half_written",
            "resolution_before_commit",
            "resolution_after_commit",
        ] {
            let died = extract(&crashed, &all, Some(point));
            assert_eq!(died.status.signal(), Some(9), "{point}: {died:?}");
        }
        assert_eq!(extract(&crashed, &all, None).status.code(), Some(0));
        assert_eq!(clusters(&crashed.open().await).await, expected);
        knowledge_tests::verify(&crashed).await;
    }

    async fn what_a_cancelled_batch_leaves_the_next_one_takes_along(db: TestDatabase) {
        let mut first = documents();
        let second = first.split_off(harbour::DOCUMENTS / 2);
        let expected = resolved(&db, vec![first.clone(), second.clone()], 3, false).await;
        for point in ["resolution_half_written", "settle_after_commit"] {
            let left = db.another();
            let died = extract(&left, &first, Some(point));
            assert_eq!(died.status.signal(), Some(9), "{point}: {died:?}");
            let store = left.open().await;
            let orchestrator = running(&store);
            let batch = batch_execution::Entity::find().one(store.read()).await.unwrap().unwrap();
            orchestrator.cancel(ORG, BatchId::from_uuid(batch.id)).await.unwrap();
            let dirty = dirty_forms(&store).await;
            assert_eq!(dirty > 0, point == "resolution_half_written", "{point}: {dirty}");
            store.close().await.unwrap();
            knowledge_tests::verify(&left).await;
            assert_eq!(resolved(&left, vec![second.clone()], 3, false).await, expected, "{point}");
            let store = left.open().await;
            assert_eq!(dirty_forms(&store).await, 0);
            store.close().await.unwrap();
        }
    }

    /// As an earlier release left it: blocks that it did not know, and nothing that says so.
    async fn what_another_version_resolved_is_resolved_anew(db: TestDatabase) {
        let mut first = documents();
        let second = first.split_off(harbour::DOCUMENTS / 2);
        let expected = resolved(&db, vec![first.clone(), second.clone()], 3, false).await;
        let older = db.another();
        resolved(&older, vec![first], 3, false).await;
        let store = older.open().await;
        let tx = store.begin().await.unwrap();
        resolution_block::Entity::delete_many().exec(&tx).await.unwrap();
        organization::Entity::update_many()
            .col_expr(organization::Column::ResolutionVersion, 0.into())
            .exec(&tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        store.close().await.unwrap();
        assert_eq!(resolved(&older, vec![second], 3, false).await, expected);
        let store = older.open().await;
        let rows = organization::Entity::find().all(store.read()).await.unwrap();
        assert!(rows.iter().all(|row| row.resolution_version == knowledge_resolution::VERSION));
        let renewed = workflow_activity::Column::ActivityName.starts_with("resolve/renew/");
        let units = workflow_activity::Entity::find().filter(renewed);
        assert_eq!(units.all(store.read()).await.unwrap().len(), 1, "of the second batch only");
        store.close().await.unwrap();
    }

    async fn what_a_person_decides_stays(db: TestDatabase) {
        let mut first = documents();
        let second = first.split_off(harbour::DOCUMENTS / 2);
        resolved(&db, vec![first], 3, false).await;
        let store = db.open().await;
        let decider = Decider {
            organization: ORG,
            name: "somebody",
            clock: &SystemClock,
            entropy: &SystemEntropy,
        };
        let named = async |name: &str| {
            let rows = entity::Entity::find()
                .filter(entity::Column::Name.eq(name))
                .all(store.read())
                .await
                .unwrap();
            rows.into_iter().map(|row| (EntityId::from_uuid(row.id), row.canonical_id)).collect::<Vec<_>>()
        };
        let faces = async |name: &str| {
            let faces: BTreeSet<Uuid> = named(name).await.into_iter().map(|it| it.1).collect();
            faces
        };
        let (steinach, halvern) = (named("Steinach").await[0].0, named("Halvern").await[0].0);
        store.merge_entities(&decider, &[steinach, halvern]).await.unwrap();
        let again = store.merge_entities(&decider, &[steinach, halvern]).await;
        assert!(matches!(again, Err(DecisionError::Pointless(_))), "{again:?}");
        let varga = faces("Ilse Varga").await;
        let short = named("I. Varga").await;
        let member = short.iter().find(|(id, _)| !varga.contains(&id.uuid())).unwrap().0;
        let parts = store.unmerge_entity(&decider, member).await.unwrap();
        assert_eq!(parts.len(), 2);
        // One of several documents that say `Tomas Renn` means somebody else.
        let renn = named("Tomas Renn").await;
        let other = renn.iter().find(|(id, face)| id.uuid() != *face).unwrap().0;
        store.split_entity(&decider, &[other]).await.unwrap();
        let all: Vec<EntityId> = renn.iter().map(|it| it.0).collect();
        let split = faces("Tomas Renn").await;
        assert_eq!(split.len(), 2, "{all:?}");
        let history = merge_history::Entity::find()
            .filter(merge_history::Column::MergedBy.eq("somebody"))
            .all(store.read())
            .await
            .unwrap();
        assert!(!history.is_empty() && history.iter().all(|row| row.reason == "manual"));
        store.close().await.unwrap();
        knowledge_tests::verify(&db).await;

        resolved(&db, vec![second], 3, false).await;
        let store = db.open().await;
        let face = async |name: &str| {
            let rows = entity::Entity::find()
                .filter(entity::Column::Name.eq(name))
                .all(store.read())
                .await
                .unwrap();
            rows.into_iter().map(|row| row.canonical_id).collect::<BTreeSet<_>>()
        };
        assert_eq!(face("Steinach").await, face("Halvern").await, "merged for good");
        assert!(face("I. Varga").await.is_disjoint(&face("Ilse Varga").await), "apart for good");
        assert_eq!(face("Tomas Renn").await.len(), 2, "split for good");
        store.close().await.unwrap();
    }
}
