//! What a batch's row says of itself and of its documents.

use std::collections::HashMap;

use knowledge_domain::{
    batch::{BatchStage, BatchState, BatchTotals},
    document::DocumentStatus,
};
use knowledge_tables::batch_document::{Column, Entity};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, Func},
};

use super::{Batch, report::Findings};
use crate::store::StoreError;

pub(super) const STATE_CODES: &[&str] = &[
    "states/data",
    "states/name",
    "states/totals",
    "states/ended-at",
    "states/lease",
];

/// The name of the state equals its data, and what a terminal state says equals the row.
pub(super) fn state(batch: &Batch<'_>, findings: &mut Findings) {
    let row = batch.row;
    let Ok(data) = serde_json::from_value::<BatchState>(row.state_data.clone()) else {
        let detail = "state_data is no state of a batch".to_owned();
        findings.add("states/data", batch.id(), detail);
        return;
    };
    let stage = data.stage();
    if row.state != stage.to_string() {
        let detail = format!("the name is `{}`, the data says `{stage}`", row.state);
        findings.add("states/name", batch.id(), detail);
    }
    let (said, counted) = (totals(&data), counted(batch));
    if said.is_some_and(|said| said != counted) {
        let detail = format!("the state says {said:?}, the row {counted:?}");
        findings.add("states/totals", batch.id(), detail);
    }
    if stage.is_terminal() != row.completed_at.is_some() {
        let detail = format!("it is {stage}, and completed_at {:?}", row.completed_at);
        findings.add("states/ended-at", batch.id(), detail);
    }
    if stage.is_terminal() && row.lease_owner.is_some() {
        let detail = format!("it is {stage}, and still leased to a process");
        findings.add("states/lease", batch.id(), detail);
    }
}

fn totals(state: &BatchState) -> Option<BatchTotals> {
    match state {
        BatchState::Completed { totals, .. } | BatchState::Cancelled { totals, .. } => {
            Some(*totals)
        }
        BatchState::Failed { failure, .. } => Some(failure.totals),
        _ => None,
    }
}

fn counted(batch: &Batch<'_>) -> BatchTotals {
    let count = |value: i32| u32::try_from(value).unwrap_or_default();
    BatchTotals {
        documents: count(batch.row.total_documents),
        completed: count(batch.row.completed_documents),
        failed: count(batch.row.failed_documents),
        skipped: count(batch.row.skipped_documents),
        entities: count(batch.row.entity_count),
        relations: count(batch.row.relation_count),
        partial: count(batch.row.partial_documents),
    }
}

pub(super) const COUNTER_CODES: &[&str] = &[
    "counters/total-documents",
    "counters/completed-documents",
    "counters/failed-documents",
    "counters/skipped-documents",
    "counters/partial-documents",
    "counters/progress-units",
    "counters/relations",
    "counters/entities",
    "counters/tokens-used",
];

/// What the documents of one status amount to.
#[derive(Debug, Default, Clone, Copy, FromQueryResult)]
struct Sums {
    documents: i64,
    partial: i64,
    progress: i64,
    entities: i64,
    relations: i64,
    tokens: i64,
}

#[derive(FromQueryResult)]
struct Row {
    status: String,
    #[sea_orm(nested)]
    sums: Sums,
}

/// The counters equal what the documents say.
pub(super) async fn counters(batch: &Batch<'_>, findings: &mut Findings) -> Result<(), StoreError> {
    let sums = sums(batch).await?;
    let of = |status: DocumentStatus| {
        let known = sums.get(&status.to_string()).copied();
        known.unwrap_or_default()
    };
    let all = |of_one: fn(&Sums) -> i64| sums.values().map(of_one).sum::<i64>();
    let completed = of(DocumentStatus::Completed);
    let failed = of(DocumentStatus::Failed).documents + of(DocumentStatus::Abandoned).documents;
    let row = batch.row;
    let mut compare = |name: &str, said: i64, found: i64| {
        let code = format!("counters/{name}");
        findings.compare(&code, batch.id(), said, "documents", found);
    };
    let total = i64::from(row.total_documents);
    compare("total-documents", total, all(|sums| sums.documents));
    let said = i64::from(row.completed_documents);
    compare("completed-documents", said, completed.documents);
    compare("failed-documents", i64::from(row.failed_documents), failed);
    let skipped = of(DocumentStatus::Skipped).documents;
    compare(
        "skipped-documents",
        i64::from(row.skipped_documents),
        skipped,
    );
    let said = i64::from(row.partial_documents);
    compare("partial-documents", said, completed.partial);
    compare(
        "progress-units",
        row.progress_units,
        all(|sums| sums.progress),
    );
    let tokens = all(|sums| sums.tokens) + row.resolution_tokens;
    compare("tokens-used", row.tokens_used, tokens);
    // Resolution counts what the documents share once.
    let resolved = row.enable_entity_resolution && row.state == BatchStage::Completed.to_string();
    if !resolved {
        compare("entities", i64::from(row.entity_count), completed.entities);
        compare(
            "relations",
            i64::from(row.relation_count),
            completed.relations,
        );
    }
    Ok(())
}

async fn sums(batch: &Batch<'_>) -> Result<HashMap<String, Sums>, StoreError> {
    let sum = |column: Column| {
        let sum = Expr::expr(Func::sum(Expr::col(column)));
        sum.cast_as("bigint")
    };
    let is_partial = Expr::case(Expr::col(Column::MissingUnits).gt(0), 1).finally(0);
    let partial = Expr::expr(Func::sum(is_partial));
    let rows = Entity::find()
        .select_only()
        .column(Column::Status)
        .column_as(Expr::cust("COUNT(*)").cast_as("bigint"), "documents")
        .column_as(partial.cast_as("bigint"), "partial")
        .column_as(sum(Column::ProgressUnits), "progress")
        .column_as(sum(Column::EntityCount), "entities")
        .column_as(sum(Column::RelationCount), "relations")
        .column_as(sum(Column::TokensUsed), "tokens")
        .filter(Column::BatchId.eq(batch.row.id))
        .group_by(Column::Status)
        .into_model::<Row>()
        .all(batch.snapshot)
        .await?;
    Ok(rows.into_iter().map(|row| (row.status, row.sums)).collect())
}
