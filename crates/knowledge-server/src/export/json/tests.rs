use knowledge_domain::{batch::BatchStage, ids::BatchId};
use uuid::Uuid;

use super::*;
use crate::fixture::Fixture;

async fn exported(fixture: &Fixture, batch: Option<BatchId>) -> String {
    let mut out = Vec::new();
    write_json(&fixture.store, fixture.organization, batch, &mut out)
        .await
        .unwrap();
    String::from_utf8(out).unwrap()
}

/// Two batches that know IBM; the second says one thing twice.
async fn two_batches(fixture: &Fixture) -> (BatchId, BatchId) {
    let first = fixture.batch(1, BatchStage::Completed).await;
    let second = fixture.batch(2, BatchStage::Completed).await;
    let earlier = fixture.document(first, 0, "IBM was founded.").await;
    let later = fixture.document(second, 0, "I.B.M. is in Armonk.").await;
    let again = fixture.document(second, 1, "IBM sits in Armonk.").await;
    let face = fixture.entity(earlier, 0, "IBM", "Organization").await;
    let member = fixture.entity(later, 0, "I.B.M.", "Organization").await;
    let armonk = fixture.entity(later, 1, "Armonk", "Place").await;
    let other = fixture.entity(again, 0, "IBM", "Company").await;
    let place = fixture.entity(again, 1, "Armonk", "Place").await;
    fixture.merge(member, face).await;
    fixture.merge(other, face).await;
    fixture.merge(place, armonk).await;
    fixture
        .relation(later, 0, (member, "locatedIn"), Ok(armonk))
        .await;
    fixture
        .relation(again, 0, (other, "locatedIn"), Ok(place))
        .await;
    fixture
        .relation(again, 1, (other, "foundedIn"), Err("June 1911"))
        .await;
    fixture
        .relation(later, 1, (member, "foundedIn"), Err("JUNE 1911"))
        .await;
    (first, second)
}

#[tokio::test]
async fn a_batch_is_exported_with_its_own_evidence_under_the_canonical_names() {
    let fixture = Fixture::new().await;
    let (_, second) = two_batches(&fixture).await;
    insta::assert_snapshot!(exported(&fixture, Some(second)).await);
}

#[tokio::test]
async fn the_same_graph_gives_the_same_bytes() {
    let fixture = Fixture::new().await;
    let (first, _) = two_batches(&fixture).await;
    let once = exported(&fixture, Some(first)).await;
    assert_eq!(once, exported(&fixture, Some(first)).await);

    // The same documents in a later batch of the same organisation.
    let third = fixture.batch(3, BatchStage::Completed).await;
    fixture.document(third, 0, "IBM was founded.").await;
    assert_eq!(once, exported(&fixture, Some(third)).await);
}

#[tokio::test]
async fn the_organisation_is_exported_with_every_content_once() {
    let fixture = Fixture::new().await;
    two_batches(&fixture).await;
    let third = fixture.batch(3, BatchStage::Completed).await;
    fixture.document(third, 0, "IBM was founded.").await;
    let graph: serde_json::Value = serde_json::from_str(&exported(&fixture, None).await).unwrap();
    assert_eq!(graph["documents"].as_array().unwrap().len(), 3);
    assert_eq!(graph["entities"].as_array().unwrap().len(), 2);
    assert_eq!(graph["relations"].as_array().unwrap().len(), 2);
    assert_eq!(graph["sameAs"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn an_empty_graph_is_still_an_object_and_an_unknown_batch_an_error() {
    let fixture = Fixture::new().await;
    let graph: serde_json::Value = serde_json::from_str(&exported(&fixture, None).await).unwrap();
    assert_eq!(graph["entities"], serde_json::json!([]));
    let unknown = BatchId::from_uuid(Uuid::nil());
    let mut out = Vec::new();
    let refused = write_json(
        &fixture.store,
        fixture.organization,
        Some(unknown),
        &mut out,
    );
    assert!(matches!(refused.await, Err(ExportError::NoSuchBatch)));
}

#[tokio::test]
async fn what_is_resolved_meanwhile_is_not_seen() {
    let fixture = Fixture::new().await;
    let (first, _) = two_batches(&fixture).await;
    let other = fixture.document(first, 1, "Big Blue grew.").await;
    let other = fixture.entity(other, 0, "Big Blue", "Organization").await;
    let before = exported(&fixture, None).await;

    let reads = fixture.store.reads_of_now(fixture.organization).await;
    let graph = Graph::new(reads.unwrap(), None);
    let entities = graph.entities().await.unwrap();
    let face = entities.concat().into_iter().find(|id| *id != other);
    fixture.merge(other, face.unwrap()).await;

    let mut out = Vec::new();
    write_graph(&graph, &mut out).await.unwrap();
    assert_eq!(before, String::from_utf8(out).unwrap());
    assert_ne!(before, exported(&fixture, None).await);
}
