//! `BatchEvent` and its objects.

use async_graphql::{ID, Interface, SimpleObject};
use chrono::{DateTime, Utc};
use knowledge_domain::batch::{self, BatchEventKind, StageReport};

use super::{
    enums::{BatchStage, StageStatus, SuspendReason, WorkflowStage},
    estimate::{DocumentsByStage, Remaining},
    scalar::{Long, int},
};

/// What every event carries.
#[derive(Clone)]
struct Head {
    batch_id: ID,
    sequence: Long,
    timestamp: DateTime<Utc>,
    progress: f64,
    completed_documents: i32,
    failed_documents: i32,
    total_documents: i32,
    documents_by_stage: Option<DocumentsByStage>,
    documents_per_minute: Option<f64>,
    remaining_seconds: Option<Remaining>,
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
    })+) => {
        $(
            $(#[$doc])*
            #[derive(SimpleObject)]
            #[allow(clippy::struct_field_names, reason = "clients are promised these names")]
            pub(crate) struct $name {
                /// The batch.
                batch_id: ID,
                /// 1, 2, 3 … within the batch.
                sequence: Long,
                /// When it happened.
                timestamp: DateTime<Utc>,
                /// The batch's share that was done, from 0 to 1.
                progress: f64,
                /// Documents whose graph was stored.
                completed_documents: i32,
                /// Documents that had failed.
                failed_documents: i32,
                /// Documents of the batch.
                total_documents: i32,
                /// What the unsettled documents were doing when the event was committed.
                documents_by_stage: Option<DocumentsByStage>,
                /// The documents' worth of progress in a minute; `null` before there is evidence.
                documents_per_minute: Option<f64>,
                /// How long the documents still take; `null` before there is evidence.
                remaining_seconds: Option<Remaining>,
                $($(#[$field_doc])* $field: $type,)*
            }

            impl $name {
                #[allow(clippy::too_many_arguments, reason = "one for each field of an event")]
                fn new(head: Head $(, $field: $type)*) -> Self {
                    Self {
                        batch_id: head.batch_id,
                        sequence: head.sequence,
                        timestamp: head.timestamp,
                        progress: head.progress,
                        completed_documents: head.completed_documents,
                        failed_documents: head.failed_documents,
                        total_documents: head.total_documents,
                        documents_by_stage: head.documents_by_stage,
                        documents_per_minute: head.documents_per_minute,
                        remaining_seconds: head.remaining_seconds,
                        $($field,)*
                    }
                }
            }
        )+

        /// One durable event of a batch. `sequence` counts 1, 2, 3 … within the batch.
        #[derive(Interface)]
        #[graphql(
            field(name = "batch_id", ty = "&ID", desc = "The batch."),
            field(name = "sequence", ty = "&Long", desc = "1, 2, 3 … within the batch."),
            field(name = "timestamp", ty = "&DateTime<Utc>", desc = "When it happened."),
            field(name = "progress", ty = "&f64", desc = "The batch's share that was done, from 0 to 1."),
            field(name = "completed_documents", ty = "&i32", desc = "Documents whose graph was stored."),
            field(name = "failed_documents", ty = "&i32", desc = "Documents that had failed."),
            field(name = "total_documents", ty = "&i32", desc = "Documents of the batch."),
            field(name = "documents_by_stage", ty = "&Option<DocumentsByStage>", desc = "What the unsettled documents were doing when the event was committed."),
            field(name = "documents_per_minute", ty = "&Option<f64>", desc = "The documents' worth of progress in a minute; `null` before there is evidence."),
            field(name = "remaining_seconds", ty = "&Option<Remaining>", desc = "How long the documents still take; `null` before there is evidence.")
        )]
        pub(crate) enum BatchEvent {
            $($name($name),)+
        }
    };
}

events! {
    /// The batch and its documents are stored.
    BatchCreated {}
    /// The batch's most advanced document entered a stage, or a retry put the batch back.
    BatchStageEntered {
        /// The stage.
        stage: BatchStage,
    }
    /// A document's turn has come.
    DocumentStarted {
        /// The document.
        document_id: ID,
        /// Its position in the batch, from 0.
        document_index: i32,
    }
    /// A document got on within a stage.
    StageProgress {
        /// The document.
        document_id: ID,
        /// Its workflow.
        workflow_execution_id: ID,
        /// The stage.
        stage: WorkflowStage,
        /// What happened to the stage.
        status: StageStatus,
        /// The stage's share that is done, from 0 to 100.
        stage_progress: f64,
        /// Units done.
        current: i32,
        /// Units of the stage.
        total: i32,
        /// Entities found so far, once known.
        entity_count: Option<i32>,
        /// Relations found so far, once known.
        relation_count: Option<i32>,
    }
    /// A document waits for something outside, and holds no place meanwhile.
    DocumentSuspended {
        /// The document.
        document_id: ID,
        /// Why.
        reason: SuspendReason,
        /// What it waits for and what to do.
        message: String,
        /// When it goes on by itself; only by a command, when absent.
        until: Option<DateTime<Utc>>,
    }
    /// A suspended document goes on.
    DocumentResumed {
        /// The document.
        document_id: ID,
    }
    /// A document's graph is stored.
    DocumentCompleted {
        /// The document.
        document_id: ID,
        /// Entities found in it.
        entity_count: i32,
        /// Relations found in it.
        relation_count: i32,
    }
    /// A document failed.
    DocumentFailed {
        /// The document.
        document_id: ID,
        /// The stage that failed, where one did.
        stage: Option<WorkflowStage>,
        /// What failed and what to do.
        error: String,
        /// Whether another round will try it again.
        will_retry: bool,
    }
    /// A document that keeps failing is left alone, so that it delays no other, until a user wants
    /// it tried again.
    DocumentQuarantined {
        /// The document.
        document_id: ID,
        /// The stage that failed last, where one did.
        stage: Option<WorkflowStage>,
        /// Why, and what to do.
        error: String,
        /// Times that it was started.
        attempts: i32,
    }
    /// Abort or cancel left a document unfinished.
    DocumentSkipped {
        /// The document.
        document_id: ID,
    }
    /// Every document is settled, and entities are resolved across them.
    ResolutionStarted {}
    /// Entities are resolved.
    ResolutionCompleted {
        /// Clusters that hold an entity of this batch.
        cluster_count: i32,
        /// Entities that joined a cluster which another entity faces.
        merge_count: i32,
        /// sameAs links written.
        same_as_count: i32,
    }
    /// The run ended with at least one document completed.
    BatchCompleted {
        /// Documents left unfinished by an earlier abort.
        skipped_documents: i32,
        /// Entities after resolution.
        entity_count: i32,
        /// Relations found.
        relation_count: i32,
    }
    /// The run ended without a result, or at the first failure under `ABORT_ALL`.
    BatchFailed {
        /// What failed and what to do.
        error: String,
    }
    /// A user cancelled the batch.
    BatchCancelled {}
}

impl From<&batch::BatchEvent> for Head {
    fn from(event: &batch::BatchEvent) -> Self {
        Self {
            batch_id: event.batch_id.into(),
            sequence: event.sequence.into(),
            timestamp: event.timestamp,
            progress: event.aggregate.progress,
            completed_documents: int(event.aggregate.completed_documents),
            failed_documents: int(event.aggregate.failed_documents),
            total_documents: int(event.aggregate.total_documents),
            documents_by_stage: event.aggregate.documents_by_stage.map(Into::into),
            documents_per_minute: event.aggregate.documents_per_minute,
            remaining_seconds: event.aggregate.remaining_seconds.map(Into::into),
        }
    }
}

impl From<batch::BatchEvent> for BatchEvent {
    fn from(event: batch::BatchEvent) -> Self {
        let head = Head::from(&event);
        match event.kind {
            BatchEventKind::BatchCreated { .. } => BatchCreated::new(head).into(),
            BatchEventKind::BatchStageEntered { stage } => {
                BatchStageEntered::new(head, stage.into()).into()
            }
            BatchEventKind::DocumentStarted {
                document_id,
                document_index,
            } => DocumentStarted::new(head, document_id.into(), int(document_index)).into(),
            BatchEventKind::StageProgress(report) => stage_progress(head, &report).into(),
            BatchEventKind::DocumentSuspended {
                document_id,
                reason,
                message,
                until,
            } => DocumentSuspended::new(head, document_id.into(), reason.into(), message, until)
                .into(),
            BatchEventKind::DocumentResumed { document_id } => {
                DocumentResumed::new(head, document_id.into()).into()
            }
            BatchEventKind::DocumentCompleted {
                document_id,
                entity_count,
                relation_count,
            } => DocumentCompleted::new(
                head,
                document_id.into(),
                int(entity_count),
                int(relation_count),
            )
            .into(),
            BatchEventKind::DocumentFailed {
                document_id,
                stage,
                error,
                will_retry,
            } => DocumentFailed::new(
                head,
                document_id.into(),
                stage.map(Into::into),
                error,
                will_retry,
            )
            .into(),
            BatchEventKind::DocumentQuarantined {
                document_id,
                stage,
                error,
                attempts,
            } => DocumentQuarantined::new(
                head,
                document_id.into(),
                stage.map(Into::into),
                error,
                int(attempts),
            )
            .into(),
            BatchEventKind::DocumentSkipped { document_id } => {
                DocumentSkipped::new(head, document_id.into()).into()
            }
            BatchEventKind::ResolutionStarted {} => ResolutionStarted::new(head).into(),
            BatchEventKind::ResolutionCompleted {
                cluster_count,
                merge_count,
                same_as_count,
            } => ResolutionCompleted::new(
                head,
                int(cluster_count),
                int(merge_count),
                int(same_as_count),
            )
            .into(),
            BatchEventKind::BatchCompleted {
                skipped_documents,
                entity_count,
                relation_count,
            } => BatchCompleted::new(
                head,
                int(skipped_documents),
                int(entity_count),
                int(relation_count),
            )
            .into(),
            BatchEventKind::BatchFailed { error } => BatchFailed::new(head, error).into(),
            BatchEventKind::BatchCancelled {} => BatchCancelled::new(head).into(),
        }
    }
}

fn stage_progress(head: Head, report: &StageReport) -> StageProgress {
    StageProgress::new(
        head,
        report.document_id.into(),
        report.workflow_execution_id.into(),
        report.stage.into(),
        report.status.into(),
        report.stage_progress,
        int(report.current),
        int(report.total),
        report.entity_count.map(int),
        report.relation_count.map(int),
    )
}

impl StageProgress {
    /// The event, when it is one of these.
    pub(super) fn of(event: batch::BatchEvent) -> Option<Self> {
        let head = Head::from(&event);
        match event.kind {
            BatchEventKind::StageProgress(report) => Some(stage_progress(head, &report)),
            _ => None,
        }
    }
}
