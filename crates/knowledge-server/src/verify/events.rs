//! A batch's log of events.

mod documents;
mod log;

use knowledge_tables::{batch_document, batch_event};
use sea_orm::sea_query::{Expr, ExprTrait};

use self::log::Log;
use super::{
    Batch,
    report::Findings,
    rule::{BatchRule, any, ids},
};
use crate::store::StoreError;

pub(super) const CODES: &[&str] = &[
    "events/sequence",
    "events/last-sequence",
    "events/created",
    "events/payload",
    "events/stage-order",
    "events/resolution-order",
    "events/progress",
    "events/after-end",
    "events/end",
    "events/document-order",
    "events/document-outcome",
    "events/document-attempts",
];

pub(super) const RULES: &[BatchRule] = &[BatchRule {
    code: "events/foreign-document",
    table: "batch_event",
    says: "it is about a document of another batch",
    broken: |batch| {
        use batch_event::{Column, Entity};
        let column = |column: Column| Expr::col((Entity, column));
        let documents = batch_document::Entity;
        let own = any(documents)
            .and_where(
                Expr::col((documents, batch_document::Column::Id))
                    .equals((Entity, Column::BatchDocumentId)),
            )
            .and_where(Expr::col((documents, batch_document::Column::BatchId)).eq(batch))
            .take();
        ids(Entity)
            .and_where(column(Column::BatchId).eq(batch))
            .and_where(column(Column::BatchDocumentId).is_not_null())
            .and_where(Expr::not_exists(own))
            .take()
    },
}];

/// Reads the log twice: as it was written, and document by document.
pub(super) async fn check(batch: &Batch<'_>, findings: &mut Findings) -> Result<(), StoreError> {
    let ends = Log::check(batch, findings).await?;
    documents::check(batch, &ends, findings).await
}
