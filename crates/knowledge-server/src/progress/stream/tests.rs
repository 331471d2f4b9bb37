use futures::{StreamExt, TryStreamExt};
use knowledge_domain::batch::{BatchEventKind, BatchStage};

use super::*;
use crate::fixture::Fixture;
use crate::progress::feed::WINDOW;

fn stage(stage: BatchStage) -> BatchEventKind {
    BatchEventKind::BatchStageEntered { stage }
}

async fn sequences(stream: impl Stream<Item = Result<Arc<SharedEvent>, StoreError>>) -> Vec<u64> {
    let sequences = stream.map_ok(|event| event.sequence).try_collect();
    let sequences = tokio::time::timeout(Duration::from_mins(1), sequences);
    sequences.await.expect("the stream does not end").unwrap()
}

#[tokio::test]
async fn a_log_longer_than_a_page_is_read_whole() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Failed).await;
    let last = WINDOW as u64 + 70;
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
async fn a_subscriber_that_falls_out_of_the_window_gets_everything() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    let hub = EventHub::default();
    let follow = || {
        let events = batch_events(&fixture.store, &hub, fixture.organization, batch, 0);
        Box::pin(events)
    };
    let (mut slow, mut quick) = (follow(), follow());
    let last = 2 * WINDOW as u64;
    fixture.event(batch, 1, stage(BatchStage::Chunking)).await;
    assert_eq!(slow.next().await.unwrap().unwrap().sequence, 1);
    assert_eq!(quick.next().await.unwrap().unwrap().sequence, 1);
    for sequence in 2..=last {
        fixture
            .event(batch, sequence, stage(BatchStage::Chunking))
            .await;
        hub.notify(batch, sequence);
        assert_eq!(quick.next().await.unwrap().unwrap().sequence, sequence);
    }
    fixture.enter(batch, BatchStage::Cancelled).await;
    assert_eq!(sequences(slow).await, (2..=last).collect::<Vec<u64>>());
    assert_eq!(sequences(quick).await, [0_u64; 0]);
}

#[tokio::test]
async fn what_comes_before_an_event_that_cannot_be_read_is_delivered() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    for sequence in 1..=3 {
        fixture
            .event(batch, sequence, stage(BatchStage::Chunking))
            .await;
    }
    fixture.spoil(batch, 3).await;
    let hub = EventHub::default();
    let events = batch_events(&fixture.store, &hub, fixture.organization, batch, 0);
    let events: Vec<_> = tokio::time::timeout(Duration::from_mins(1), events.collect())
        .await
        .expect("the stream does not end");
    let sequences: Vec<_> = events
        .iter()
        .flatten()
        .map(|event| event.sequence)
        .collect();
    assert_eq!(sequences, [1, 2]);
    assert!(events[2].is_err() && events.len() == 3);
}

#[tokio::test]
async fn a_workflow_is_followed_among_others_to_its_end() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    let (own, other) = (
        fixture.document(batch, 0, "one").await,
        fixture.document(batch, 1, "two").await,
    );
    let report = |place: crate::fixture::Place, current| {
        let progress = knowledge_domain::workflow::DocumentProgress {
            stage: knowledge_domain::workflow::WorkflowStage::Mentions,
            current,
            total: 9,
        };
        let status = knowledge_domain::workflow::StageStatus::InProgress;
        BatchEventKind::StageProgress(knowledge_domain::batch::StageReport::new(
            place.document,
            place.execution,
            progress,
            status,
        ))
    };
    let hub = EventHub::default();
    let head = WorkflowHead {
        document_id: own.document,
        batch_id: batch,
        ended: false,
    };
    for sequence in 1..=200 {
        let place = if sequence % 50 == 0 { own } else { other };
        fixture.event(batch, sequence, report(place, 1)).await;
    }
    let follow = |after| {
        let (store, organization) = (&fixture.store, fixture.organization);
        workflow_events(store, &hub, organization, own.execution, head, after)
    };
    // The fixture's documents have completed, so the workflow has ended.
    assert_eq!(sequences(follow(0)).await, [50, 100, 150, 200]);
    assert_eq!(sequences(follow(100)).await, [150, 200]);
    assert_eq!(sequences(follow(200)).await, [0_u64; 0]);
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
