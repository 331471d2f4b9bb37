//! In what a graph that was found differs from the one that is stored.

use std::collections::BTreeMap;

use chrono::DateTime;
use knowledge_domain::{ids::ExtractionId, workflow::ParityDifference};
use knowledge_tables::{chunk, entity, extraction, mention_record, relation, relation_evidence};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, Iterable, QueryFilter,
    QuerySelect, QueryTrait, sea_query::Value,
};

use super::{FoundGraph, Store, StoreError, graph::GraphRows};

/// Columns that do not come from the document: when rows were written, and what resolution says.
const OTHERS: [&str; 6] = [
    "created_at",
    "updated_at",
    "canonical_id",
    "form_id",
    "clustered",
    "resolved_entity_id",
];

impl Store {
    /// In what a graph that was found differs from the stored one of its document, and whether that
    /// was stored by the same workflow.
    pub async fn graph_differences(
        &self,
        found: &FoundGraph,
        stored: ExtractionId,
    ) -> Result<(Vec<ParityDifference>, bool), StoreError> {
        let rows = GraphRows::of(found, stored, DateTime::UNIX_EPOCH);
        let id = stored.uuid();
        let database = self.read();
        let mut differences = Vec::new();
        let mut note = |difference: Option<ParityDifference>| differences.extend(difference);
        let extraction = extraction::Entity::find_by_id(id).one(database).await?;
        note(fingerprints(found, extraction.as_ref()));
        let by = extraction.and_then(|row| row.execution_id);
        let is_its_own = by == Some(found.origin.execution.uuid());

        let chunks = chunk::Entity::find().filter(chunk::Column::ExtractionId.eq(id));
        let (chunks, own) = (chunks.all(database).await?, rows.chunks().collect());
        note(compared::<chunk::ActiveModel, _>("chunks", chunks, own));
        let entities = entity::Entity::find().filter(entity::Column::ExtractionId.eq(id));
        let (entities, own) = (entities.all(database).await?, rows.entities()?);
        note(compared::<entity::ActiveModel, _>(
            "entities", entities, own,
        ));
        let mentions = mention_record::Entity::find();
        let mentions = mentions.filter(mention_record::Column::ExtractionId.eq(id));
        let (mentions, own) = (mentions.all(database).await?, rows.mentions().collect());
        note(compared::<mention_record::ActiveModel, _>(
            "mentions", mentions, own,
        ));
        let relations = relation::Entity::find().filter(relation::Column::ExtractionId.eq(id));
        let stated = relations.clone().select_only().column(relation::Column::Id);
        let (relations, own) = (relations.all(database).await?, rows.relations().collect());
        note(compared::<relation::ActiveModel, _>(
            "relations",
            relations,
            own,
        ));
        let evidence = relation_evidence::Entity::find();
        let evidence = evidence
            .filter(relation_evidence::Column::RelationId.in_subquery(stated.into_query()))
            .all(database)
            .await?;
        let own = rows.evidence().collect();
        note(compared::<relation_evidence::ActiveModel, _>(
            "evidence", evidence, own,
        ));
        Ok((differences, is_its_own))
    }
}

/// What says that the two were asked for in the same way.
fn fingerprints(
    found: &FoundGraph,
    stored: Option<&extraction::Model>,
) -> Option<ParityDifference> {
    let told = |extractor: &str, model: Option<&str>, prompts: Option<&str>, fingerprint: &str| {
        let words = [Some(extractor), model, prompts, Some(fingerprint)];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        words.join(", ")
    };
    let origin = &found.origin;
    let found = told(
        &origin.extractor,
        origin.model.as_deref(),
        origin.prompt_version.as_deref(),
        &origin.fingerprint,
    );
    let stored = stored.map_or_else(
        || "none".to_owned(),
        |row| {
            told(
                &row.extractor,
                row.model.as_deref(),
                row.prompt_version.as_deref(),
                &row.fingerprint,
            )
        },
    );
    (found != stored).then(|| ParityDifference::new("extractor", stored, found))
}

/// In what the rows of one table differ.
fn compared<A, M>(what: &str, stored: Vec<M>, found: Vec<A>) -> Option<ParityDifference>
where
    A: ActiveModelTrait,
    M: IntoActiveModel<A>,
{
    let stored = by_id(stored.into_iter().map(IntoActiveModel::into_active_model));
    let found = by_id(found.into_iter());
    let missing = stored.keys().filter(|id| !found.contains_key(*id)).count();
    let new = found.keys().filter(|id| !stored.contains_key(*id)).count();
    let changed = |(id, row): &(&String, &Vec<Value>)| stored.get(*id).is_some_and(|it| it != *row);
    let changed = found.iter().filter(changed).count();
    (missing + new + changed > 0).then(|| {
        let engine = format!(
            "{} rows: {missing} are missing, {new} new, {changed} changed",
            found.len()
        );
        ParityDifference::new(what, format!("{} rows", stored.len()), engine)
    })
}

/// The values of rows, by their ids.
fn by_id<A: ActiveModelTrait>(rows: impl Iterator<Item = A>) -> BTreeMap<String, Vec<Value>> {
    use sea_orm::IdenStatic as _;
    type Column<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Column;
    rows.map(|row| {
        let value = |column| row.get(column).into_value();
        let columns = Column::<A>::iter().filter(|column| !OTHERS.contains(&column.as_str()));
        let values: Vec<Value> = columns.filter_map(value).collect();
        // The first column is the id.
        (
            values.first().map(ToString::to_string).unwrap_or_default(),
            values,
        )
    })
    .collect()
}
