//! Whether a database keeps its promises: every invariant, on a live or a restored database.
//!
//! Owns what must hold of the rows, and nothing about how they come to be. Each batch is read in
//! one snapshot and everything else in one statement each, so a server that works meanwhile
//! causes no false alarm. Nothing is written, locked or kept in memory but the findings and one
//! batch's row: what counts is counted by the database, logs are streamed.
//!
//! To add an invariant, add a `rule::Rule` to a table, or a function to `BATCH_CHECKS`; its
//! code needs a corruption in `tests/tests/verify.rs`.

mod batches;
mod calls;
mod clusters;
mod documents;
mod events;
mod graph;
mod journal;
mod references;
mod report;
mod resolution;
mod rule;

use knowledge_domain::{ids::BatchId, workflow::BoxFuture};
use knowledge_tables::{batch_execution, entity};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

pub use self::{
    calls::UncertainCall,
    report::{Example, Report, Violation},
};
use self::{
    report::Findings,
    rule::{BatchRule, DatabaseRule, count, ids, note_broken},
};
use crate::store::{Store, StoreError};

/// Batches whose ids are read at a time.
const BATCHES_A_PAGE: u64 = 500;

/// A batch in its snapshot.
struct Batch<'a> {
    row: &'a batch_execution::Model,
    snapshot: &'a DatabaseTransaction,
}

impl Batch<'_> {
    fn id(&self) -> BatchId {
        BatchId::from_uuid(self.row.id)
    }
}

/// Invariants of a batch that take more than a statement.
struct BatchCheck {
    codes: &'static [&'static str],
    run: for<'a> fn(&'a Batch<'a>, &'a mut Findings) -> BoxFuture<'a, Result<(), StoreError>>,
}

/// Invariants of a batch, checked by code.
const BATCH_CHECKS: &[BatchCheck] = &[
    BatchCheck {
        codes: batches::STATE_CODES,
        run: |batch, findings| {
            batches::state(batch, findings);
            Box::pin(std::future::ready(Ok(())))
        },
    },
    BatchCheck {
        codes: batches::COUNTER_CODES,
        run: |batch, findings| Box::pin(batches::counters(batch, findings)),
    },
    BatchCheck {
        codes: events::CODES,
        run: |batch, findings| Box::pin(events::check(batch, findings)),
    },
];

/// Invariants of a batch, checked by a statement each.
const BATCH_RULES: &[&[BatchRule]] = &[documents::RULES, events::RULES, journal::RULES];

/// Invariants of the database, checked by a statement each; beside them [`references`].
const DATABASE_RULES: &[&[DatabaseRule]] = &[
    graph::RULES,
    clusters::RULES,
    resolution::RULES,
    calls::RULES,
];

/// The codes of all invariants.
#[must_use]
pub fn codes() -> Vec<String> {
    let checked = BATCH_CHECKS.iter().flat_map(|check| check.codes).copied();
    let of_batches = BATCH_RULES.iter().copied().flatten().map(|rule| rule.code);
    let of_all = DATABASE_RULES
        .iter()
        .copied()
        .flatten()
        .map(|rule| rule.code);
    let fixed = checked.chain(of_batches).chain(of_all).map(str::to_owned);
    fixed.chain(references::codes()).collect()
}

/// Checks every invariant.
///
/// # Errors
/// When the database cannot be read; what it holds never is an error.
pub async fn verify(store: &Store) -> Result<Report, StoreError> {
    let mut findings = Findings::default();
    let mut after = None;
    loop {
        let page = batch_ids(store, after).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = Some(*last);
        for id in page {
            verify_batch(store, id, &mut findings).await?;
        }
    }
    for rule in DATABASE_RULES.iter().copied().flatten() {
        let names = (rule.code, rule.table, rule.says);
        note_broken(store.read(), &mut findings, names, (rule.broken)()).await?;
    }
    for reference in references::all() {
        for (code, says, broken) in reference.rules() {
            let names = (code.as_str(), reference.table, says.as_str());
            note_broken(store.read(), &mut findings, names, broken).await?;
        }
    }
    findings.report.uncertain_calls = calls::uncertain(store).await?;
    findings.report.entities = count(store.read(), &ids(entity::Entity)).await?;
    Ok(findings.finish())
}

async fn batch_ids(store: &Store, after: Option<Uuid>) -> Result<Vec<Uuid>, StoreError> {
    use batch_execution::Column;
    let mut query = batch_execution::Entity::find()
        .select_only()
        .column(Column::Id)
        .order_by_asc(Column::Id)
        .limit(BATCHES_A_PAGE);
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    Ok(query.into_tuple().all(store.read()).await?)
}

/// Checks one batch in one snapshot.
async fn verify_batch(store: &Store, id: Uuid, findings: &mut Findings) -> Result<(), StoreError> {
    let snapshot = store.snapshot().await?;
    let row = batch_execution::Entity::find_by_id(id)
        .one(&snapshot)
        .await?;
    if let Some(row) = row {
        let batch = Batch {
            row: &row,
            snapshot: &snapshot,
        };
        for check in BATCH_CHECKS {
            (check.run)(&batch, findings).await?;
        }
        for rule in BATCH_RULES.iter().copied().flatten() {
            let names = (rule.code, rule.table, rule.says);
            note_broken(&snapshot, findings, names, (rule.broken)(id)).await?;
        }
        findings.report.batches += 1;
        findings.report.documents += count(&snapshot, &documents::of_batch(id)).await?;
        findings.report.activities += count(&snapshot, &journal::of_batch(id)).await?;
    }
    snapshot.rollback().await?;
    Ok(())
}
