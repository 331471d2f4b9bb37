//! The commands of a history as the ledger takes them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    Entropy as _, ErrorKind,
    batch::{BatchConfig, BatchOptions},
    ids::{BatchDocumentId, BatchId, OrganizationId},
    workflow::{WorkflowMode, WorkflowStage},
};
use knowledge_server::{
    environment::SystemEntropy,
    store::{
        Store,
        ledger::{
            Checkpoint, CompletedUnit, FailedDocument, LedgerError, PreparedBatch,
            PreparedDocument, StageEntry, UnitKey,
        },
    },
};
use knowledge_tables::{batch_document, organization};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
};

use super::{
    command::{Failure, Request},
    plan::{Step, Unit},
};

pub(crate) async fn create_organization(store: &Store, at: DateTime<Utc>) -> OrganizationId {
    let id = SystemEntropy.uuid_v7();
    let row = organization::ActiveModel {
        id: Set(id),
        name: Set("History".to_owned()),
        slug: Set(id.to_string()),
        resolution_version: NotSet,
        embedding_model: NotSet,
        embedding_gaps: NotSet,
        embedding_execution_id: NotSet,
        embedding_forms: NotSet,
        created_at: Set(at),
        updated_at: Set(at),
    };
    let tx = store.begin().await.expect("the store answers");
    let inserted = organization::Entity::insert(row)
        .exec_without_returning(&tx)
        .await;
    inserted.expect("the organisation is new");
    tx.commit().await.expect("the store answers");
    OrganizationId::from_uuid(id)
}

pub(crate) async fn positions(store: &Store, batch: BatchId) -> Vec<BatchDocumentId> {
    let rows = batch_document::Entity::find()
        .filter(batch_document::Column::BatchId.eq(batch.uuid()))
        .order_by_asc(batch_document::Column::Position)
        .all(store.read())
        .await;
    let rows = rows.expect("the store answers").into_iter();
    rows.map(|row| BatchDocumentId::from_uuid(row.id)).collect()
}

pub(crate) fn prepared(organization: OrganizationId, request: Request) -> PreparedBatch {
    let options = BatchOptions {
        // No command waits for another document's place.
        concurrency: Some(64),
        failure_policy: Some(request.policy),
        max_retries: Some(request.rounds.into()),
        enable_entity_resolution: Some(request.resolution),
        ..BatchOptions::default()
    };
    let documents = (0..request.documents).map(|position| PreparedDocument {
        name: format!("document {position}"),
        text: format!("SO and the text of document {position}"),
        content_hash: format!("{position:064}"),
        source_uri: None,
        metadata: serde_json::json!({}),
    });
    PreparedBatch {
        organization,
        documents: documents.collect(),
        ontology_id: None,
        config: BatchConfig::new(&options).expect("the settings are valid"),
        mode: WorkflowMode::Legacy,
        idempotency_key: Some("key".to_owned()),
        request_hash: "request".to_owned(),
    }
}

pub(crate) fn checkpoint(step: &Step) -> Checkpoint {
    Checkpoint {
        stage: step.stage,
        entered: step
            .entered
            .map(|(total, replayed)| StageEntry { total, replayed }),
        completed: step
            .completed
            .map(|unit| (unit.0, completed(unit)))
            .into_iter()
            .collect(),
        starting: step.starting.map(key).into_iter().collect(),
        under_way: false,
    }
}

pub(crate) fn key((stage, unit): Unit) -> UnitKey {
    UnitKey {
        name: format!("{stage}/{unit}"),
        input_hash: format!("{unit:064}"),
    }
}

pub(crate) fn completed(unit: Unit) -> CompletedUnit {
    CompletedUnit {
        key: key(unit),
        output: Arc::from(*b"\"output\""),
        duration_ms: 1,
        tokens: 0,
        skipped: None,
    }
}

fn kind(failure: Failure) -> ErrorKind {
    match failure {
        Failure::Retryable => ErrorKind::Retryable,
        Failure::Permanent => ErrorKind::Permanent,
    }
}

/// What a failed document is recorded with.
pub(crate) fn failed(stage: Option<WorkflowStage>, failure: Failure) -> FailedDocument {
    FailedDocument {
        stage,
        error: "it failed".to_owned(),
        kind: kind(failure),
        ends_batch: false,
        quarantine_after: 0,
    }
}

/// A refusal in the words of the rules.
pub(crate) fn refusal(error: &LedgerError) -> String {
    match error {
        LedgerError::NotFound(_) => "not found".to_owned(),
        LedgerError::Fenced(_) => "fenced".to_owned(),
        LedgerError::Refused { .. } => "refused".to_owned(),
        LedgerError::OutOfOrder(_) => "out of order".to_owned(),
        LedgerError::Stale(_) => "stale".to_owned(),
        LedgerError::Store(error) => format!("the store failed: {error:?}"),
    }
}

pub(crate) fn done() -> String {
    "done".to_owned()
}
