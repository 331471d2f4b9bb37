//! How fast a batch gets on, and what its documents are doing; kept in the batch's row.

use knowledge_domain::{
    batch::{DocumentsByStage, Pace},
    workflow::WorkflowStage,
};
use knowledge_tables::batch_document::{Column, Entity, Model};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::{StoreError, convert};

/// What a batch's row keeps for estimates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct Tally {
    /// Progress over time.
    pub(in crate::store) pace: Pace,
    /// The unsettled documents; `None` where they must be counted.
    pub(in crate::store) documents: Option<DocumentsByStage>,
}

impl Tally {
    /// Of a batch that has not begun.
    pub(super) fn of_new(documents: usize) -> Self {
        Self {
            pace: Pace::default(),
            documents: Some(DocumentsByStage {
                waiting: u32::try_from(documents).unwrap_or(u32::MAX),
                ..DocumentsByStage::default()
            }),
        }
    }
}

/// The counts after documents moved; `None` where they cannot be followed and must be counted.
pub(super) fn after<'a>(
    counts: Option<DocumentsByStage>,
    moves: impl Iterator<Item = (Option<&'a Model>, &'a Model)>,
) -> Result<Option<DocumentsByStage>, StoreError> {
    let Some(mut counts) = counts else {
        return Ok(None);
    };
    for (before, after) in moves {
        let Some(before) = before else {
            return Ok(None);
        };
        if let Some(count) = count_of(&mut counts, before)? {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = count_of(&mut counts, after)? {
            *count += 1;
        }
    }
    Ok(Some(counts))
}

fn count_of<'a>(
    counts: &'a mut DocumentsByStage,
    row: &Model,
) -> Result<Option<&'a mut u32>, StoreError> {
    entry(counts, &row.status, row.stage.as_deref())
}

fn entry<'a>(
    counts: &'a mut DocumentsByStage,
    status: &str,
    stage: Option<&str>,
) -> Result<Option<&'a mut u32>, StoreError> {
    let status = convert::from_text("batch_document.status", status)?;
    let stage: Option<WorkflowStage> = stage
        .map(|stage| convert::from_text("batch_document.stage", stage))
        .transpose()?;
    Ok(counts.count_of(status, stage))
}

/// Counts the unsettled documents of a batch.
pub(super) async fn counted(
    tx: &DatabaseTransaction,
    batch: Uuid,
) -> Result<DocumentsByStage, StoreError> {
    let rows: Vec<(String, Option<String>, i64)> = Entity::find()
        .select_only()
        .columns([Column::Status, Column::Stage])
        .column_as(Column::Id.count(), "documents")
        .filter(Column::BatchId.eq(batch))
        .group_by(Column::Status)
        .group_by(Column::Stage)
        .into_tuple()
        .all(tx)
        .await?;
    let mut counts = DocumentsByStage::default();
    for (status, stage, documents) in rows {
        if let Some(count) = entry(&mut counts, &status, stage.as_deref())? {
            *count += u32::try_from(documents).unwrap_or(u32::MAX);
        }
    }
    Ok(counts)
}
