use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{BatchStage, Remaining};
use crate::{
    document::DocumentStatus,
    ids::{BatchDocumentId, BatchId, ExecutionId},
    workflow::{DocumentProgress, StageStatus, SuspendReason, WorkflowStage},
};

/// How far a batch was at the moment of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Aggregate {
    /// The batch's share that is done, in `0.0..=1.0`; within a run it never goes back.
    pub progress: f64,
    /// Documents whose graph is stored.
    pub completed_documents: u32,
    /// Documents that failed, those that wait for a retry not among them.
    pub failed_documents: u32,
    /// Documents of the batch.
    pub total_documents: u32,
    /// What the unsettled documents were doing when the event was committed; older events do not
    /// say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub documents_by_stage: Option<DocumentsByStage>,
    /// The documents' worth of progress in a minute, once there is evidence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub documents_per_minute: Option<f64>,
    /// How long the rest takes, once there is evidence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remaining_seconds: Option<Remaining>,
}

/// What the unsettled documents of a batch are doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentsByStage {
    /// They wait for their turn, or for another attempt.
    pub waiting: u32,
    /// They are cut into chunks, or about to be.
    pub chunk: u32,
    /// Mentions are found in them.
    pub mentions: u32,
    /// Their entities are typed.
    pub entities: u32,
    /// Their relations are found.
    pub relations: u32,
    /// Their graphs are put together.
    pub assemble: u32,
}

impl DocumentsByStage {
    /// The documents of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            chunk: self.chunk + other.chunk,
            mentions: self.mentions + other.mentions,
            entities: self.entities + other.entities,
            relations: self.relations + other.relations,
            assemble: self.assemble + other.assemble,
        }
    }

    /// The number of documents that a document of this status and stage counts towards; `None` when
    /// it is settled.
    pub fn count_of(
        &mut self,
        status: DocumentStatus,
        stage: Option<WorkflowStage>,
    ) -> Option<&mut u32> {
        match (status, stage) {
            (DocumentStatus::Queued | DocumentStatus::Retry, _) => Some(&mut self.waiting),
            (DocumentStatus::Processing, None | Some(WorkflowStage::Chunk)) => {
                Some(&mut self.chunk)
            }
            (DocumentStatus::Processing, Some(WorkflowStage::Mentions)) => Some(&mut self.mentions),
            (DocumentStatus::Processing, Some(WorkflowStage::Entities)) => Some(&mut self.entities),
            (DocumentStatus::Processing, Some(WorkflowStage::Relations)) => {
                Some(&mut self.relations)
            }
            (DocumentStatus::Processing, Some(WorkflowStage::Assemble)) => Some(&mut self.assemble),
            (
                DocumentStatus::Completed
                | DocumentStatus::Failed
                | DocumentStatus::Abandoned
                | DocumentStatus::Skipped,
                _,
            ) => None,
        }
    }
}

/// How far one document is within a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageReport {
    /// The document.
    pub document_id: BatchDocumentId,
    /// Its workflow.
    pub workflow_execution_id: ExecutionId,
    /// The stage.
    pub stage: WorkflowStage,
    /// What happened to the stage.
    pub status: StageStatus,
    /// The stage's share that is done, in `0.0..=100.0`.
    pub stage_progress: f64,
    /// Units done.
    pub current: u32,
    /// Units of the stage.
    pub total: u32,
    /// Entities found so far, once the entities stage has ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entity_count: Option<u32>,
    /// Relations found so far, once the relations stage has ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relation_count: Option<u32>,
}

impl StageReport {
    /// The report of a document that stands at `progress`.
    #[must_use]
    pub fn new(
        document_id: BatchDocumentId,
        workflow_execution_id: ExecutionId,
        progress: DocumentProgress,
        status: StageStatus,
    ) -> Self {
        let stage_progress = if status == StageStatus::Started {
            0.0
        } else {
            progress.stage_fraction() * 100.0
        };
        Self {
            document_id,
            workflow_execution_id,
            stage: progress.stage,
            status,
            stage_progress,
            current: progress.current,
            total: progress.total,
            entity_count: None,
            relation_count: None,
        }
    }
}

/// What happened, without when and to which batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum BatchEventKind {
    /// The batch and its documents are stored.
    BatchCreated {},
    /// The batch's most advanced document entered a stage, or a retry put the batch back.
    BatchStageEntered {
        /// The stage.
        stage: BatchStage,
    },
    /// A document's turn has come.
    DocumentStarted {
        /// The document.
        document_id: BatchDocumentId,
        /// Its position in the batch, from 0.
        document_index: u32,
    },
    /// A document got on within a stage.
    StageProgress(StageReport),
    /// A document waits for something outside, and holds no place meanwhile.
    DocumentSuspended {
        /// The document.
        document_id: BatchDocumentId,
        /// Why.
        reason: SuspendReason,
        /// What it waits for and what to do.
        message: String,
        /// When it goes on by itself; only by a command, when absent.
        until: Option<DateTime<Utc>>,
    },
    /// A suspended document goes on.
    DocumentResumed {
        /// The document.
        document_id: BatchDocumentId,
    },
    /// A document's graph is stored.
    DocumentCompleted {
        /// The document.
        document_id: BatchDocumentId,
        /// Entities found in it.
        entity_count: u32,
        /// Relations found in it.
        relation_count: u32,
    },
    /// A document failed.
    DocumentFailed {
        /// The document.
        document_id: BatchDocumentId,
        /// The stage that failed, where one did.
        stage: Option<WorkflowStage>,
        /// What failed and what to do.
        error: String,
        /// Whether another round will try it again.
        will_retry: bool,
    },
    /// A document that keeps failing is left alone, so that it delays no other, until a user wants
    /// it tried again.
    DocumentQuarantined {
        /// The document.
        document_id: BatchDocumentId,
        /// The stage that failed last, where one did.
        stage: Option<WorkflowStage>,
        /// Why, and what to do.
        error: String,
        /// Times that it was started.
        attempts: u32,
    },
    /// Abort or cancel left a document unfinished.
    DocumentSkipped {
        /// The document.
        document_id: BatchDocumentId,
    },
    /// Every document is settled, and entities are resolved across them.
    ResolutionStarted {},
    /// Entities are resolved.
    ResolutionCompleted {
        /// Clusters that hold an entity of this batch.
        cluster_count: u32,
        /// Entities that joined a cluster which another entity faces.
        merge_count: u32,
        /// sameAs links written.
        same_as_count: u32,
    },
    /// The run ended with at least one document completed.
    BatchCompleted {
        /// Documents left unfinished by an earlier abort.
        skipped_documents: u32,
        /// Entities after resolution.
        entity_count: u32,
        /// Relations found.
        relation_count: u32,
    },
    /// The run ended without a result, or at the first failure under `abort-all`.
    BatchFailed {
        /// What failed and what to do.
        error: String,
    },
    /// A user cancelled the batch.
    BatchCancelled {},
}

impl BatchEventKind {
    /// The name of the event: `BatchCreated`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// The document that the event is about.
    #[must_use]
    pub fn document_id(&self) -> Option<BatchDocumentId> {
        match self {
            Self::DocumentStarted { document_id, .. }
            | Self::StageProgress(StageReport { document_id, .. })
            | Self::DocumentSuspended { document_id, .. }
            | Self::DocumentResumed { document_id }
            | Self::DocumentCompleted { document_id, .. }
            | Self::DocumentFailed { document_id, .. }
            | Self::DocumentQuarantined { document_id, .. }
            | Self::DocumentSkipped { document_id } => Some(*document_id),
            Self::BatchCreated {}
            | Self::BatchStageEntered { .. }
            | Self::ResolutionStarted {}
            | Self::ResolutionCompleted { .. }
            | Self::BatchCompleted { .. }
            | Self::BatchFailed { .. }
            | Self::BatchCancelled {} => None,
        }
    }

    /// Whether it ends a run of the batch.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::BatchCompleted { .. } | Self::BatchFailed { .. } | Self::BatchCancelled {}
        )
    }
}

/// One durable event of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchEvent {
    /// The batch.
    pub batch_id: BatchId,
    /// 1, 2, 3 … within the batch, without gaps.
    pub sequence: u64,
    /// When it was written.
    pub timestamp: DateTime<Utc>,
    /// How far the batch was.
    #[serde(flatten)]
    pub aggregate: Aggregate,
    /// What happened.
    #[serde(flatten)]
    pub kind: BatchEventKind,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn all_kinds() -> Vec<BatchEventKind> {
        let document_id = BatchDocumentId::from_uuid(Uuid::from_u128(2));
        let report = StageReport {
            entity_count: Some(3),
            ..StageReport::new(
                document_id,
                ExecutionId::from_uuid(Uuid::from_u128(3)),
                DocumentProgress {
                    stage: WorkflowStage::Mentions,
                    current: 1,
                    total: 4,
                },
                StageStatus::InProgress,
            )
        };
        vec![
            BatchEventKind::BatchCreated {},
            BatchEventKind::BatchStageEntered {
                stage: BatchStage::ExtractingMentions,
            },
            BatchEventKind::DocumentStarted {
                document_id,
                document_index: 0,
            },
            BatchEventKind::StageProgress(report),
            BatchEventKind::DocumentSuspended {
                document_id,
                reason: SuspendReason::BreakerOpen,
                message: "why".to_owned(),
                until: Some(DateTime::UNIX_EPOCH),
            },
            BatchEventKind::DocumentResumed { document_id },
            BatchEventKind::DocumentCompleted {
                document_id,
                entity_count: 1,
                relation_count: 2,
            },
            BatchEventKind::DocumentFailed {
                document_id,
                stage: None,
                error: "why".to_owned(),
                will_retry: true,
            },
            BatchEventKind::DocumentQuarantined {
                document_id,
                stage: Some(WorkflowStage::Mentions),
                error: "why".to_owned(),
                attempts: 3,
            },
            BatchEventKind::DocumentSkipped { document_id },
            BatchEventKind::ResolutionStarted {},
            BatchEventKind::ResolutionCompleted {
                cluster_count: 1,
                merge_count: 2,
                same_as_count: 3,
            },
            BatchEventKind::BatchCompleted {
                skipped_documents: 0,
                entity_count: 1,
                relation_count: 2,
            },
            BatchEventKind::BatchFailed {
                error: "why".to_owned(),
            },
            BatchEventKind::BatchCancelled {},
        ]
    }

    #[test]
    fn events_read_back_as_written() {
        let mut shown = String::new();
        for (kind, sequence) in all_kinds().into_iter().zip(1..) {
            let event = BatchEvent {
                batch_id: BatchId::from_uuid(Uuid::from_u128(1)),
                sequence,
                timestamp: DateTime::UNIX_EPOCH,
                aggregate: Aggregate {
                    progress: 0.25,
                    completed_documents: 1,
                    failed_documents: 2,
                    total_documents: 8,
                    documents_by_stage: Some(DocumentsByStage {
                        waiting: 3,
                        mentions: 2,
                        ..DocumentsByStage::default()
                    }),
                    documents_per_minute: None,
                    remaining_seconds: Some(Remaining {
                        low: 1.0,
                        likely: 1.5,
                        high: 2.0,
                    }),
                },
                kind,
            };
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<BatchEvent>(&json).unwrap(), event);
            shown.push_str(&json);
            shown.push('\n');
        }
        insta::assert_snapshot!(shown);
    }
}
