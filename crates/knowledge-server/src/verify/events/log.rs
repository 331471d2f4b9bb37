//! The log as it was written: numbers, runs, stages, progress.

use futures::TryStreamExt;
use knowledge_domain::{
    batch::{BatchEvent, BatchEventKind, BatchStage},
    ids::BatchDocumentId,
};
use knowledge_tables::batch_event::{Column, Entity};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, prelude::Json,
};
use uuid::Uuid;

use super::super::{Batch, report::Findings};
use crate::store::StoreError;

#[derive(Debug, FromQueryResult)]
struct Row {
    sequence: i64,
    kind: String,
    batch_document_id: Option<Uuid>,
    payload: Json,
}

/// What has been read of a log.
pub(super) struct Log<'a> {
    batch: &'a Batch<'a>,
    findings: &'a mut Findings,
    last: i64,
    /// The sequences of the terminal events: where runs end.
    ends: Vec<i64>,
    end: Option<BatchEventKind>,
    run: Run,
}

/// What has been read of a run.
#[derive(Default)]
struct Run {
    stage: Option<BatchStage>,
    progress: f64,
    completed: u32,
}

impl<'a> Log<'a> {
    /// Checks the log; where its runs end.
    pub(super) async fn check(
        batch: &'a Batch<'a>,
        findings: &'a mut Findings,
    ) -> Result<Vec<i64>, StoreError> {
        let mut log = Self {
            batch,
            findings,
            last: 0,
            ends: Vec::new(),
            end: None,
            run: Run::default(),
        };
        let mut rows = Entity::find()
            .select_only()
            .columns([
                Column::Sequence,
                Column::Kind,
                Column::BatchDocumentId,
                Column::Payload,
            ])
            .filter(Column::BatchId.eq(batch.row.id))
            .order_by_asc(Column::Sequence)
            .order_by_asc(Column::Id)
            .into_model::<Row>()
            .stream(batch.snapshot)
            .await?;
        while let Some(row) = rows.try_next().await? {
            log.row(&row);
        }
        drop(rows);
        Ok(log.finish())
    }

    fn found(&mut self, what: &str, detail: String) {
        let code = format!("events/{what}");
        self.findings.add(&code, self.batch.id(), detail);
    }

    fn row(&mut self, row: &Row) {
        self.findings.report.events += 1;
        if row.sequence != self.last.saturating_add(1) {
            let detail = format!("{} is followed by {}", self.last, row.sequence);
            self.found("sequence", detail);
        }
        let first = self.last == 0;
        self.last = row.sequence;
        if first != (row.kind == "BatchCreated") {
            let detail = format!("event {} is {}", row.sequence, row.kind);
            self.found("created", detail);
        }
        if let Some(event) = self.payload(row) {
            self.event(&event);
        } else {
            let detail = format!("event {} does not say what its row says", row.sequence);
            self.found("payload", detail);
        }
    }

    /// The event, where its row says the same.
    fn payload(&self, row: &Row) -> Option<BatchEvent> {
        let event: BatchEvent = serde_json::from_value(row.payload.clone()).ok()?;
        let document = event.kind.document_id().map(BatchDocumentId::uuid);
        let same = i64::try_from(event.sequence) == Ok(row.sequence)
            && event.kind.name() == row.kind
            && event.batch_id == self.batch.id()
            && document == row.batch_document_id;
        same.then_some(event)
    }

    fn event(&mut self, event: &BatchEvent) {
        self.begins_run(event);
        self.keeps_order(event);
        self.makes_progress(event);
        self.end = None;
        if event.kind.is_terminal() {
            self.ends.push(self.last);
            self.end = Some(event.kind.clone());
        }
    }

    /// Nothing follows the end of a run but a retry, and a retry follows nothing else.
    fn begins_run(&mut self, event: &BatchEvent) {
        let retry = matches!(
            event.kind,
            BatchEventKind::BatchStageEntered {
                stage: BatchStage::Pending
            }
        );
        if retry != self.end.is_some() {
            let detail = format!("event {} is {}", event.sequence, event.kind.name());
            self.found("after-end", detail);
        }
        if retry {
            self.run = Run {
                // A new run keeps what has completed, but for what is without some units.
                completed: self.run.completed.min(event.aggregate.completed_documents),
                ..Run::default()
            };
        }
    }

    /// Stages follow each other, and nothing happens to a document in the last.
    fn keeps_order(&mut self, event: &BatchEvent) {
        let resolving = self.run.stage == Some(BatchStage::Resolving);
        match &event.kind {
            BatchEventKind::BatchStageEntered {
                stage: BatchStage::Pending,
            } => {}
            BatchEventKind::BatchStageEntered { stage } => self.enters(*stage, "stage-order"),
            BatchEventKind::ResolutionStarted {} => {
                self.enters(BatchStage::Resolving, "resolution-order");
            }
            BatchEventKind::ResolutionCompleted { .. } if !resolving => {
                let detail = format!("event {} comes before ResolutionStarted", event.sequence);
                self.found("resolution-order", detail);
            }
            kind if resolving && kind.document_id().is_some() => {
                let detail = format!(
                    "event {}, {}, comes after ResolutionStarted",
                    event.sequence,
                    kind.name()
                );
                self.found("resolution-order", detail);
            }
            _ => {}
        }
    }

    fn enters(&mut self, stage: BatchStage, code: &str) {
        let before = self.run.stage.unwrap_or(BatchStage::Pending);
        if before.next() != Some(stage) {
            self.found(code, format!("event {}: {stage} after {before}", self.last));
        }
        self.run.stage = Some(stage);
    }

    /// Progress and completed documents stay in their bounds and never go back within a run.
    fn makes_progress(&mut self, event: &BatchEvent) {
        let now = event.aggregate;
        let bounded = (0.0..=1.0).contains(&now.progress)
            && now.completed_documents.saturating_add(now.failed_documents) <= now.total_documents;
        let back = now.progress < self.run.progress || now.completed_documents < self.run.completed;
        if !bounded || back {
            let detail = format!(
                "event {}: from {} with {} completed to {} with {}",
                event.sequence,
                self.run.progress,
                self.run.completed,
                now.progress,
                now.completed_documents
            );
            self.found("progress", detail);
        }
        self.run.progress = now.progress;
        self.run.completed = now.completed_documents;
    }

    fn finish(mut self) -> Vec<i64> {
        let said = self.batch.row.last_sequence;
        let (id, last) = (self.batch.id(), self.last);
        self.findings
            .compare("events/last-sequence", id, said, "events", last);
        let expected = match self.batch.row.state.as_str() {
            "Completed" => Some("BatchCompleted"),
            "Failed" => Some("BatchFailed"),
            "Cancelled" => Some("BatchCancelled"),
            _ => None,
        };
        let end = self.end.as_ref().map(BatchEventKind::name);
        if end != expected {
            let detail = format!(
                "it is {}, and its log ends in {}",
                self.batch.row.state,
                end.unwrap_or("no terminal event")
            );
            self.found("end", detail);
        }
        self.ends
    }
}
