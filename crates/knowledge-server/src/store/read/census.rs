//! How much there is, over all organisations: for operators, who see numbers and nothing else.

use std::collections::BTreeMap;

use knowledge_domain::batch::{BatchStage, DocumentsByStage};
use knowledge_tables::batch_execution::{Column, Entity};
use sea_orm::{ColumnTrait, EntityTrait, JsonValue, QueryFilter, QuerySelect};
use strum::IntoEnumIterator;

use super::parse;
use crate::store::{Store, StoreError, convert, ledger::tally::Tally};

/// Batches and documents of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Batches by the name of their state.
    pub batches: BTreeMap<BatchStage, u64>,
    /// What the unsettled documents of unfinished batches are doing.
    pub documents: DocumentsByStage,
}

impl Store {
    /// Counts batches and unsettled documents.
    pub async fn census(&self) -> Result<Census, StoreError> {
        let rows: Vec<(String, i64)> = Entity::find()
            .select_only()
            .column(Column::State)
            .column_as(Column::Id.count(), "batches")
            .group_by(Column::State)
            .into_tuple()
            .all(self.read())
            .await?;
        let mut census = Census::default();
        for (state, batches) in rows {
            let stage = parse::name("batch state", &state)?;
            census
                .batches
                .insert(stage, parse::long_count("batches", batches)?);
        }
        for documents in self.unsettled().await? {
            census.documents = census.documents.plus(documents);
        }
        Ok(census)
    }

    async fn unsettled(&self) -> Result<Vec<DocumentsByStage>, StoreError> {
        let running = BatchStage::iter().filter(|stage| !stage.is_terminal());
        let tallies: Vec<Option<JsonValue>> = Entity::find()
            .select_only()
            .column(Column::Tally)
            .filter(Column::State.is_in(running.map(|stage| stage.to_string())))
            .into_tuple()
            .all(self.read())
            .await?;
        let mut found = Vec::new();
        for tally in tallies.into_iter().flatten() {
            let tally: Tally = convert::from_json("batch_execution.tally", tally)?;
            found.extend(tally.documents);
        }
        Ok(found)
    }
}
