//! What the store holds of a batch, as text.

use std::collections::{BTreeSet, HashMap};

use knowledge_domain::{
    batch::{BatchEvent, BatchEventKind},
    ids::{BatchDocumentId, BatchId},
};
use knowledge_server::store::Store;
use knowledge_tables::{batch_document, batch_event, batch_execution, workflow_activity};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

/// The batch, its documents with their journals, and its log, a line each.
pub(crate) async fn read(store: &Store, batch: BatchId) -> String {
    let found = batch_execution::Entity::find_by_id(batch.uuid()).one(store.read());
    let row = found
        .await
        .expect("the store answers")
        .expect("the batch is there");
    let documents = documents(store, batch).await;
    let journals = journals(store, &documents).await;
    let mut lines = vec![batch_line(&row)];
    for document in &documents {
        let none = BTreeSet::new();
        let execution = document.execution_id.and_then(|id| journals.get(&id));
        lines.push(document_line(document, execution.unwrap_or(&none)));
    }
    let position = |id: BatchDocumentId| {
        let mut ids = documents.iter().map(|document| document.id);
        ids.position(|document| document == id.uuid())
    };
    lines.extend(events(store, batch).await.iter().map(|event| {
        let place = event.kind.document_id().and_then(position);
        event_line(event, place)
    }));
    lines.join("\n")
}

async fn documents(store: &Store, batch: BatchId) -> Vec<batch_document::Model> {
    let documents = batch_document::Entity::find()
        .filter(batch_document::Column::BatchId.eq(batch.uuid()))
        .order_by_asc(batch_document::Column::Position)
        .all(store.read());
    documents.await.expect("the store answers")
}

/// The names of the completed units by execution.
async fn journals(
    store: &Store,
    documents: &[batch_document::Model],
) -> HashMap<Uuid, BTreeSet<String>> {
    use workflow_activity::Column;
    let executions = documents
        .iter()
        .filter_map(|document| document.execution_id);
    let rows = workflow_activity::Entity::find()
        .filter(Column::ExecutionId.is_in(executions))
        .filter(Column::Status.eq("completed"))
        .all(store.read());
    let mut journals: HashMap<Uuid, BTreeSet<String>> = HashMap::new();
    for row in rows.await.expect("the store answers") {
        let journal = journals.entry(row.execution_id).or_default();
        assert!(journal.insert(row.activity_name), "a unit is recorded once");
    }
    journals
}

async fn events(store: &Store, batch: BatchId) -> Vec<BatchEvent> {
    let rows = batch_event::Entity::find()
        .filter(batch_event::Column::BatchId.eq(batch.uuid()))
        .order_by_asc(batch_event::Column::Sequence)
        .all(store.read());
    let rows = rows.await.expect("the store answers").into_iter();
    rows.map(|row| serde_json::from_value(row.payload).expect("the payload is an event"))
        .collect()
}

fn batch_line(row: &batch_execution::Model) -> String {
    format!(
        "{} token {} owned {} round {} planned {}: {} completed, {} failed, {} skipped, {} units",
        row.state,
        row.lease_token,
        row.lease_owner.is_some(),
        row.retry_round,
        row.next_round_at.is_some(),
        row.completed_documents,
        row.failed_documents,
        row.skipped_documents,
        row.progress_units,
    )
}

fn document_line(row: &batch_document::Model, journal: &BTreeSet<String>) -> String {
    format!(
        "{} attempt {} {} {}/{} journal {:?}",
        row.status,
        row.attempt,
        row.stage.as_deref().unwrap_or_default(),
        row.stage_current,
        row.stage_total,
        journal,
    )
    .replace('{', "[")
    .replace('}', "]")
}

fn event_line(event: &BatchEvent, position: Option<usize>) -> String {
    let name = event.kind.name();
    let place = position.map_or_else(String::new, |position| format!(" {position}"));
    let detail = match &event.kind {
        BatchEventKind::BatchStageEntered { stage } => format!(" {stage}"),
        BatchEventKind::StageProgress(report) => format!(
            " {} {:?} {}/{}",
            report.stage, report.status, report.current, report.total
        ),
        BatchEventKind::DocumentFailed {
            stage, will_retry, ..
        } => {
            let stage = stage.map_or_else(|| "nowhere".to_owned(), |stage| stage.to_string());
            format!(" {stage} {will_retry}")
        }
        _ => String::new(),
    };
    let (completed, failed) = (
        event.aggregate.completed_documents,
        event.aggregate.failed_documents,
    );
    format!("{name}{place}{detail} [{completed} completed, {failed} failed]")
}
