//! The log document by document: each starts before it ends, and ends as its row says.

use futures::TryStreamExt;
use knowledge_domain::ids::BatchDocumentId;
use knowledge_tables::{batch_document, batch_event};
use sea_orm::{
    DatabaseTransaction, DbErr, FromQueryResult, Order, StreamTrait,
    sea_query::{Expr, ExprTrait, JoinType, Query, SelectStatement},
};
use uuid::Uuid;

use super::super::{Batch, report::Findings};
use crate::store::StoreError;

/// A document with one of its events.
#[derive(Debug, FromQueryResult)]
struct Row {
    id: Uuid,
    status: String,
    attempt: i32,
    sequence: Option<i64>,
    kind: Option<String>,
}

/// What the last event that matters says of a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Waiting,
    Started,
    Suspended,
    Completed,
    Failed,
    Skipped,
}

/// What has been read of a document's events.
struct Life {
    id: Uuid,
    status: String,
    attempt: i32,
    phase: Phase,
    /// The run of the last event.
    run: usize,
    started: i32,
}

pub(super) async fn check(
    batch: &Batch<'_>,
    ends: &[i64],
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut rows = rows(batch.snapshot, batch.row.id).await?;
    let mut life: Option<Life> = None;
    while let Some(row) = rows.try_next().await? {
        let row = Row::from_query_result(&row, "")?;
        if life.as_ref().is_none_or(|life| life.id != row.id) {
            if let Some(life) = life.take() {
                life.finish(ends, findings);
            }
            life = Some(Life::new(&row));
        }
        if let (Some(life), Some(sequence), Some(kind)) = (&mut life, row.sequence, &row.kind) {
            life.event(ends, sequence, kind, findings);
        }
    }
    if let Some(life) = life {
        life.finish(ends, findings);
    }
    Ok(())
}

async fn rows(
    snapshot: &DatabaseTransaction,
    batch: Uuid,
) -> Result<<DatabaseTransaction as StreamTrait>::Stream<'_>, DbErr> {
    let statement = statement(batch);
    snapshot.stream(&statement).await
}

/// Every document of the batch with each of its events, or with none.
fn statement(batch: Uuid) -> SelectStatement {
    use batch_document::{Column as Document, Entity as Documents};
    use batch_event::{Column as Event, Entity as Events};
    let its_own = Expr::col((Events, Event::BatchDocumentId))
        .equals((Documents, Document::Id))
        .and(Expr::col((Events, Event::BatchId)).equals((Documents, Document::BatchId)));
    Query::select()
        .columns([
            (Documents, Document::Id),
            (Documents, Document::Status),
            (Documents, Document::Attempt),
        ])
        .columns([(Events, Event::Sequence), (Events, Event::Kind)])
        .from(Documents)
        .join(JoinType::LeftJoin, Events, its_own)
        .and_where(Expr::col((Documents, Document::BatchId)).eq(batch))
        .order_by((Documents, Document::Id), Order::Asc)
        .order_by((Events, Event::Sequence), Order::Asc)
        .order_by((Events, Event::Id), Order::Asc)
        .take()
}

impl Life {
    fn new(row: &Row) -> Self {
        Self {
            id: row.id,
            status: row.status.clone(),
            attempt: row.attempt,
            phase: Phase::Waiting,
            run: 0,
            started: 0,
        }
    }

    fn found(&self, what: &str, detail: String, findings: &mut Findings) {
        let code = format!("events/document-{what}");
        findings.add(&code, BatchDocumentId::from_uuid(self.id), detail);
    }

    fn event(&mut self, ends: &[i64], sequence: i64, kind: &str, findings: &mut Findings) {
        let run = ends.partition_point(|end| *end < sequence);
        let later = run > self.run;
        let fits = match (self.phase, kind) {
            (Phase::Waiting | Phase::Failed, "DocumentStarted" | "DocumentSkipped") => true,
            (Phase::Skipped, "DocumentStarted" | "DocumentSkipped")
            | (Phase::Completed, "DocumentStarted") => later,
            (Phase::Failed, "DocumentQuarantined") => !later,
            (Phase::Started, kind) => {
                !later && !matches!(kind, "DocumentStarted" | "DocumentResumed")
            }
            (Phase::Suspended, kind) => {
                !later && matches!(kind, "DocumentResumed" | "DocumentSkipped")
            }
            _ => false,
        };
        if !fits {
            let detail = format!("event {sequence}, {kind}, when it was {:?}", self.phase);
            self.found("order", detail, findings);
        }
        self.run = run;
        self.phase = match kind {
            "DocumentStarted" | "DocumentResumed" => Phase::Started,
            "DocumentSuspended" => Phase::Suspended,
            "DocumentCompleted" => Phase::Completed,
            "DocumentFailed" => Phase::Failed,
            "DocumentSkipped" => Phase::Skipped,
            _ => self.phase,
        };
        self.started += i32::from(kind == "DocumentStarted");
    }

    fn finish(self, ends: &[i64], findings: &mut Findings) {
        if matches!(self.phase, Phase::Started | Phase::Suspended) && ends.len() > self.run {
            let detail = "its run ended before it did".to_owned();
            self.found("order", detail, findings);
        }
        let agrees = match self.status.as_str() {
            "queued" => self.phase == Phase::Waiting,
            "processing" => matches!(self.phase, Phase::Started | Phase::Suspended),
            "completed" => self.phase == Phase::Completed,
            "failed" | "abandoned" => self.phase == Phase::Failed,
            "retry" => matches!(
                self.phase,
                Phase::Failed | Phase::Skipped | Phase::Completed
            ),
            "skipped" => self.phase == Phase::Skipped,
            // Another invariant knows the statuses.
            _ => true,
        };
        if !agrees {
            let detail = format!("it is {}, its events say {:?}", self.status, self.phase);
            self.found("outcome", detail, findings);
        }
        if self.started != self.attempt {
            let detail = format!("row says {}, events say {}", self.attempt, self.started);
            self.found("attempts", detail, findings);
        }
    }
}
