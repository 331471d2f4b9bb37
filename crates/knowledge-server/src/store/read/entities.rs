//! Entities as they are after resolution: one node for all rows that share a canonical entity.

mod pages;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use knowledge_domain::{
    core_type,
    graph::Confidence,
    ids::{BatchId, EntityId, ExtractionId},
};
use knowledge_tables::{
    batch_document,
    entity::{Column, Entity},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Alias, Expr, ExprTrait, IntoColumnRef, Query, SelectStatement},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    KEYS_A_STATEMENT, Reads,
    packed::{Kind, Packed, packed},
};
use crate::store::{
    StoreError,
    scope::{no_other, owned},
};
pub use pages::EntityFilter;
#[cfg(test)]
pub(super) use pages::Within;

/// An entity of one document.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityMember {
    /// The id.
    pub id: EntityId,
    /// The entity that faces its cluster; itself until resolved.
    pub canonical_id: EntityId,
    /// The extraction that found it.
    pub extraction_id: ExtractionId,
    /// The canonical name in its document.
    pub name: String,
    /// Classes.
    pub types: Vec<String>,
    /// Other names.
    pub aliases: Vec<String>,
    /// What is known beside the relations.
    pub attributes: BTreeMap<String, String>,
    /// How sure the extractor is.
    pub confidence: Confidence,
}

/// An entity after resolution.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityView {
    /// The id of the canonical entity.
    pub id: EntityId,
    /// The name of the canonical entity.
    pub name: String,
    /// The classes of all members, sorted.
    pub types: Vec<String>,
    /// All other names of all members, sorted.
    pub aliases: Vec<String>,
    /// What is known of any member; the canonical entity is believed first.
    pub attributes: BTreeMap<String, String>,
    /// The highest of the members.
    pub confidence: Confidence,
    /// The members, sorted.
    pub members: Vec<EntityId>,
}

#[derive(Deserialize)]
struct Row {
    id: Uuid,
    canonical_id: Uuid,
    extraction_id: Uuid,
    name: String,
    types: Vec<String>,
    aliases: Vec<String>,
    attributes: BTreeMap<String, String>,
    confidence: Confidence,
}

impl Packed for Row {
    const ROWS: &'static str = "entity";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("id", Kind::Id),
        ("canonical_id", Kind::Id),
        ("extraction_id", Kind::Id),
        ("name", Kind::Plain),
        ("types", Kind::Json),
        ("aliases", Kind::Json),
        ("attributes", Kind::Json),
        ("confidence", Kind::Plain),
    ];
}

impl Reads {
    /// That an extraction is of a batch, looked up for each.
    ///
    /// A value and not an `EXISTS` or a list: these are a join to PostgreSQL, and as long as it has
    /// no statistics it takes a batch for one document, and begins with that.
    pub(super) fn is_of(batch: BatchId, extraction: impl IntoColumnRef) -> Expr {
        use batch_document::Column as Place;
        let place = |column: Place| Expr::col((batch_document::Entity, column));
        let of = Query::select()
            .expr(Expr::Constant(true.into()))
            .from(batch_document::Entity)
            .and_where(place(Place::ExtractionId).eq(Expr::col(extraction)))
            .and_where(no_other(place(Place::BatchId), batch.uuid()))
            .limit(1)
            .take();
        Expr::expr(of)
    }

    /// The canonical entities with these ids, folded over all their members.
    pub async fn entities(&self, canonical: &[EntityId]) -> Result<Vec<EntityView>, StoreError> {
        let members = self.entity_members(None, canonical).await?;
        Ok(fold_entities(members, &HashMap::new()))
    }

    /// The canonical entity of an entity, when the organisation has it.
    pub async fn canonical_of(&self, id: EntityId) -> Result<Option<EntityId>, StoreError> {
        let canonical: Option<Uuid> = Entity::find_by_id(id.uuid())
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .select_only()
            .column(Column::CanonicalId)
            .into_tuple()
            .one(self.connection())
            .await?;
        Ok(canonical.map(EntityId::from_uuid))
    }

    /// All canonical entities with a member in the batch, or of the organisation, by name (in the
    /// order of its characters) and id.
    pub async fn faces(&self, batch: Option<BatchId>) -> Result<Vec<EntityId>, StoreError> {
        let face = Alias::new("face");
        let name = Expr::col((face.clone(), Column::Name));
        let name = match self.store.backend() {
            DbBackend::Postgres => Expr::cust_with_exprs(r#"$1 COLLATE "C""#, [name]),
            _ => name,
        };
        let faces = self.members_of(batch).column(Column::CanonicalId).take();
        let query = Query::select()
            .column((face.clone(), Column::Id))
            .from_as(Entity, face.clone())
            .and_where(Expr::col((face.clone(), Column::Id)).in_subquery(faces))
            .order_by_expr(name, sea_orm::Order::Asc)
            .order_by((face, Column::Id), sea_orm::Order::Asc)
            .take();
        let ids = self.uuids(&query).await?;
        Ok(ids.into_iter().map(EntityId::from_uuid).collect())
    }

    /// The members of some canonical entities that the batch's documents know, or of all.
    pub async fn entity_members(
        &self,
        batch: Option<BatchId>,
        canonical: &[EntityId],
    ) -> Result<Vec<EntityMember>, StoreError> {
        let mut members = Vec::with_capacity(canonical.len());
        for ids in canonical.chunks(KEYS_A_STATEMENT) {
            let mut query = Entity::find()
                .filter(Column::OrganizationId.eq(self.organization.uuid()))
                .filter(Column::CanonicalId.is_in(ids.iter().map(|id| id.uuid())));
            if let Some(batch) = batch {
                query = query.filter(Self::is_of(batch, (Entity, Column::ExtractionId)));
            }
            let rows = packed::<Row>(self.connection(), query.into_query()).await?;
            members.extend(rows.into_iter().map(EntityMember::from));
        }
        Ok(members)
    }

    /// The entities of a batch's documents, or of the organisation's, without columns.
    fn members_of(&self, batch: Option<BatchId>) -> SelectStatement {
        let mut query = Query::select();
        query.from(Entity);
        match batch {
            // The batch's extractions are the organisation's; naming it too would have SQLite go
            // through all of its entities.
            Some(batch) => query.and_where(
                Expr::col((Entity, Column::ExtractionId)).in_subquery(self.extractions_of(batch)),
            ),
            None => query.and_where(
                Expr::col((Entity, Column::OrganizationId)).eq(self.organization.uuid()),
            ),
        };
        query
    }

    /// The names of some entities.
    pub async fn entity_names(
        &self,
        ids: &[EntityId],
    ) -> Result<HashMap<EntityId, String>, StoreError> {
        let mut names = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(KEYS_A_STATEMENT) {
            let rows: Vec<(Uuid, String)> = Entity::find()
                .filter(owned(Column::OrganizationId, self.organization))
                .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
                .select_only()
                .columns([Column::Id, Column::Name])
                .into_tuple()
                .all(self.connection())
                .await?;
            names.extend(
                rows.into_iter()
                    .map(|(id, name)| (EntityId::from_uuid(id), name)),
            );
        }
        Ok(names)
    }

    /// The extractions that a batch's documents completed with.
    pub(super) fn extractions_of(&self, batch: BatchId) -> SelectStatement {
        use batch_document::{Column, Entity};
        Query::select()
            .column((Entity, Column::ExtractionId))
            .from(Entity)
            .and_where(Expr::col((Entity, Column::OrganizationId)).eq(self.organization.uuid()))
            .and_where(Expr::col((Entity, Column::BatchId)).eq(batch.uuid()))
            .and_where(Expr::col((Entity, Column::ExtractionId)).is_not_null())
            .take()
    }

    /// The first column of every row.
    pub(super) async fn uuids(&self, query: &SelectStatement) -> Result<Vec<Uuid>, StoreError> {
        let rows = self.connection().query_all(query).await?;
        let ids: Result<Vec<_>, _> = rows
            .into_iter()
            .map(|row| row.try_get_by_index(0))
            .collect();
        Ok(ids?)
    }
}

impl From<Row> for EntityMember {
    fn from(row: Row) -> Self {
        Self {
            id: EntityId::from_uuid(row.id),
            canonical_id: EntityId::from_uuid(row.canonical_id),
            extraction_id: ExtractionId::from_uuid(row.extraction_id),
            name: row.name,
            types: row.types,
            aliases: row.aliases,
            attributes: row.attributes,
            confidence: row.confidence,
        }
    }
}

/// Folds members into one entity per canonical id, sorted by it. `faces` names the canonical
/// entities that are not among the members.
pub(crate) fn fold_entities(
    mut members: Vec<EntityMember>,
    faces: &HashMap<EntityId, String>,
) -> Vec<EntityView> {
    // The canonical entity comes first, so that its name and attributes are believed first.
    members.sort_by_key(|member| {
        (
            member.canonical_id,
            member.id != member.canonical_id,
            member.id,
        )
    });
    members
        .chunk_by(|left, right| left.canonical_id == right.canonical_id)
        .map(|cluster| fold_cluster(cluster, faces))
        .collect()
}

/// `cluster` is not empty.
fn fold_cluster(cluster: &[EntityMember], faces: &HashMap<EntityId, String>) -> EntityView {
    let first = &cluster[0];
    let name = faces
        .get(&first.canonical_id)
        .unwrap_or(&first.name)
        .clone();
    let mut types = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut attributes = BTreeMap::new();
    let mut confidence = first.confidence;
    for member in cluster {
        types.extend(member.types.iter().cloned());
        names.insert(member.name.clone());
        names.extend(member.aliases.iter().cloned());
        for (key, value) in &member.attributes {
            attributes
                .entry(key.clone())
                .or_insert_with(|| value.clone());
        }
        confidence = confidence.max(member.confidence);
    }
    names.remove(&name);
    // It says only that nothing else was known of a member.
    if types.len() > 1 {
        types.remove(core_type::THING);
    }
    let mut ids: Vec<_> = cluster.iter().map(|member| member.id).collect();
    ids.sort();
    EntityView {
        id: first.canonical_id,
        name,
        types: types.into_iter().collect(),
        aliases: names.into_iter().collect(),
        attributes,
        confidence,
        members: ids,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u128, canonical: u128, name: &str, confidence: f64) -> EntityMember {
        EntityMember {
            id: EntityId::from_uuid(Uuid::from_u128(id)),
            canonical_id: EntityId::from_uuid(Uuid::from_u128(canonical)),
            extraction_id: ExtractionId::from_uuid(Uuid::nil()),
            name: name.to_owned(),
            types: vec![format!("Type{id}")],
            aliases: vec!["IBM".to_owned()],
            attributes: BTreeMap::from([("seat".to_owned(), name.to_owned())]),
            confidence: Confidence::new(confidence),
        }
    }

    #[test]
    fn members_become_one_entity_with_the_canonical_face() {
        let members = vec![
            member(1, 2, "I.B.M.", 0.9),
            member(2, 2, "International Business Machines", 0.7),
            member(3, 3, "IBM", 0.5),
        ];
        let folded = fold_entities(members, &HashMap::new());
        assert_eq!(folded.len(), 2);
        assert_eq!(folded[0].name, "International Business Machines");
        assert_eq!(folded[0].aliases, ["I.B.M.", "IBM"]);
        assert_eq!(folded[0].types, ["Type1", "Type2"]);
        assert_eq!(folded[0].attributes["seat"], folded[0].name);
        assert_eq!(folded[0].confidence, Confidence::new(0.9));
        assert!(folded[1].aliases.is_empty());
    }

    #[test]
    fn what_one_member_is_says_more_than_that_another_is_a_thing() {
        let typed = |id, class: &str| EntityMember {
            types: vec![class.to_owned()],
            ..member(id, 1, "IBM", 0.5)
        };
        let faces = HashMap::new();
        let folded = fold_entities(vec![typed(1, "Thing"), typed(2, "Organization")], &faces);
        assert_eq!(folded[0].types, ["Organization"]);
        let folded = fold_entities(vec![typed(1, "Thing"), typed(2, "Thing")], &faces);
        assert_eq!(folded[0].types, ["Thing"]);
    }

    #[test]
    fn a_face_from_elsewhere_gives_the_name() {
        let id = EntityId::from_uuid(Uuid::from_u128(9));
        let faces = HashMap::from([(id, "Face".to_owned())]);
        let folded = fold_entities(vec![member(1, 9, "Other", 0.5)], &faces);
        assert_eq!(folded[0].name, "Face");
        assert_eq!(folded[0].aliases, ["IBM", "Other"]);
    }
}
