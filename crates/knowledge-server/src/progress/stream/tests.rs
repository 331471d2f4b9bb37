use futures::{StreamExt, TryStreamExt};
use knowledge_domain::batch::{BatchEventKind, BatchStage};

use super::*;
use crate::fixture::Fixture;

fn stage(stage: BatchStage) -> BatchEventKind {
    BatchEventKind::BatchStageEntered { stage }
}

async fn sequences(stream: impl Stream<Item = Result<BatchEvent, StoreError>>) -> Vec<u64> {
    let sequences = stream.map_ok(|event| event.sequence).try_collect();
    let sequences = tokio::time::timeout(Duration::from_secs(20), sequences);
    sequences.await.expect("the stream does not end").unwrap()
}

#[tokio::test]
async fn a_log_longer_than_a_page_is_read_whole() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Failed).await;
    let last = PAGE + 3;
    for sequence in 1..=last {
        fixture
            .event(batch, sequence, stage(BatchStage::Chunking))
            .await;
    }
    let hub = EventHub::default();
    for after in [0, 5, last - 1, last, u64::MAX] {
        let events = batch_events(&fixture.store, &hub, fixture.organization, batch, after);
        let expected: Vec<u64> = (after.saturating_add(1)..=last).collect();
        assert_eq!(sequences(events).await, expected);
    }
}

#[tokio::test]
async fn a_terminal_event_before_a_retry_ends_nothing() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Pending).await;
    let failed = BatchEventKind::BatchFailed {
        error: "none completed".to_owned(),
    };
    fixture.event(batch, 1, failed).await;
    fixture.event(batch, 2, stage(BatchStage::Pending)).await;
    let hub = EventHub::default();
    let events = batch_events(&fixture.store, &hub, fixture.organization, batch, 0);
    let mut events = Box::pin(events);
    for expected in 1..=2 {
        assert_eq!(events.next().await.unwrap().unwrap().sequence, expected);
    }
    fixture
        .event(batch, 3, BatchEventKind::BatchCancelled {})
        .await;
    fixture.enter(batch, BatchStage::Cancelled).await;
    hub.notify(batch, 3);
    assert_eq!(sequences(events).await, [3]);
}

#[tokio::test]
async fn racing_writers_and_readers_lose_nothing() {
    let fixture = std::sync::Arc::new(Fixture::new().await);
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    let hub = EventHub::default();
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let (store, hub) = (fixture.store.clone(), hub.clone());
            let organization = fixture.organization;
            tokio::spawn(async move {
                sequences(batch_events(&store, &hub, organization, batch, 0)).await
            })
        })
        .collect();
    for sequence in 1..=100 {
        fixture
            .event(batch, sequence, stage(BatchStage::Chunking))
            .await;
        if sequence == 100 {
            fixture.enter(batch, BatchStage::Cancelled).await;
        }
        hub.notify(batch, sequence);
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap(), (1..=100).collect::<Vec<u64>>());
    }
}

#[tokio::test]
async fn a_batch_of_another_organisation_has_no_events() {
    let fixture = Fixture::new().await;
    let foreign = fixture.foreign_organization().await;
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    fixture.event(batch, 1, stage(BatchStage::Chunking)).await;
    let events = batch_events(&fixture.store, &EventHub::default(), foreign, batch, 0);
    assert!(sequences(events).await.is_empty());
}
