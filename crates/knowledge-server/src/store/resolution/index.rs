//! New entities: their forms, and the blocks of those.

use std::collections::{BTreeMap, HashMap};

use knowledge_domain::{
    graph::Confidence,
    ids::{DocumentId, EntityId},
};
use knowledge_resolution::{Candidate, Face, FaceStrategy, Form};
use knowledge_tables::{entity, relation};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter,
    sea_query::{CaseStatement, Expr, ExprTrait},
};
use uuid::Uuid;

use super::{Resolution, forms::Stored};
use crate::store::{
    StoreError, convert,
    portions::{key_lists, portions},
};

/// Entities of one form.
struct Group {
    form: Form,
    entities: Vec<Uuid>,
    face: Face,
}

/// What came of indexing.
pub(in crate::store) struct Indexed {
    /// Forms that are new.
    pub(in crate::store) new: usize,
    /// Forms of others that are dirty because of it.
    pub(super) soiled: Vec<Uuid>,
}

impl Resolution<'_> {
    /// Gives new entities their forms, and marks dirty what that may change.
    pub(in crate::store) async fn index(
        &self,
        entities: &[entity::Model],
    ) -> Result<Indexed, StoreError> {
        let groups = grouped(self.candidates(entities).await?);
        let known = self.forms_by_key(groups.keys()).await?;
        let faces = self
            .faces(known.values().map(|form| form.row.face_id))
            .await?;
        let new = groups.len() - known.len();
        let mut forms: BTreeMap<String, (Stored, Vec<u64>)> = BTreeMap::new();
        let mut form_of: Vec<(Uuid, Uuid)> = Vec::new();
        for (key, group) in groups {
            let (mut stored, keys) = if let Some(stored) = known.get(&key) {
                grown(stored.clone(), &group, &faces)
            } else {
                let stored = self.new_form(group.form, group.face.entity.uuid());
                let keys = stored.form.block_keys();
                (stored, keys)
            };
            stored.row.entity_count += convert::count(group.entities.len());
            stored.row.dirty = true;
            form_of.extend(group.entities.iter().map(|entity| (*entity, stored.row.id)));
            forms.insert(key, (stored, keys));
        }
        let was_dirty = |stored: &&Stored| {
            let before = known.get(&stored.form.key);
            before.is_some_and(|before| before.row.dirty)
        };
        let (dirty, others): (Vec<&Stored>, Vec<&Stored>) = forms
            .values()
            .map(|(stored, _)| stored)
            .partition(was_dirty);
        self.save_dirty(&dirty).await?;
        self.save_forms(&others).await?;
        let soiled = self.add_to_blocks(&forms).await?;
        self.set_forms(&form_of).await?;
        Ok(Indexed { new, soiled })
    }

    /// Entities as resolution sees them: with what their documents relate them to.
    async fn candidates(&self, entities: &[entity::Model]) -> Result<Vec<Candidate>, StoreError> {
        let mut candidates: BTreeMap<Uuid, Candidate> = BTreeMap::new();
        for row in entities {
            candidates.insert(row.id, candidate(row)?);
        }
        let ids: Vec<Uuid> = candidates.keys().copied().collect();
        let mut relations = BTreeMap::new();
        for ids in key_lists(&ids) {
            let either = Condition::any()
                .add(relation::Column::SubjectId.is_in(ids.iter().copied()))
                .add(relation::Column::ObjectId.is_in(ids.iter().copied()));
            let rows = relation::Entity::find().filter(either).all(self.tx).await?;
            relations.extend(rows.into_iter().map(|row| (row.id, row)));
        }
        let ends = relations
            .values()
            .flat_map(|row| [Some(row.subject_id), row.object_id]);
        let ends: Vec<Uuid> = ends
            .flatten()
            .filter(|end| !candidates.contains_key(end))
            .collect();
        let mut names: HashMap<Uuid, String> = self
            .entities(&ends)
            .await?
            .into_iter()
            .map(|row| (row.id, row.name))
            .collect();
        names.extend(entities.iter().map(|row| (row.id, row.name.clone())));
        for row in relations.into_values() {
            relate(&mut candidates, &names, row);
        }
        Ok(candidates.into_values().collect())
    }

    /// The faces that entities are.
    pub(super) async fn faces(
        &self,
        entities: impl Iterator<Item = Uuid>,
    ) -> Result<HashMap<Uuid, Face>, StoreError> {
        let ids: Vec<Uuid> = entities.collect();
        let rows = self.entities(&ids).await?;
        let faces = rows.iter().map(|row| Ok((row.id, face(row)?)));
        faces.collect()
    }

    /// Writes which form each entity has.
    pub(super) async fn set_forms(&self, form_of: &[(Uuid, Uuid)]) -> Result<(), StoreError> {
        use entity::Column;
        for pairs in portions(form_of) {
            let case = pairs
                .iter()
                .fold(CaseStatement::new(), |case, (entity, form)| {
                    case.case(Expr::col(Column::Id).eq(*entity), Expr::value(*form))
                });
            entity::Entity::update_many()
                .col_expr(Column::FormId, case.into())
                .col_expr(Column::Clustered, Expr::value(false))
                .filter(Column::Id.is_in(pairs.iter().map(|(entity, _)| *entity)))
                .exec(self.tx)
                .await?;
        }
        Ok(())
    }
}

/// A stored form with more entities, and the keys of blocks that are new to it.
fn grown(mut stored: Stored, group: &Group, faces: &HashMap<Uuid, Face>) -> (Stored, Vec<u64>) {
    let before = stored.form.block_keys();
    stored.form.absorb(&group.form);
    let better = |face: &Face| group.face.compare(face, FaceStrategy::default()).is_gt();
    if faces.get(&stored.row.face_id).is_none_or(better) {
        stored.row.face_id = group.face.entity.uuid();
    }
    let mut keys = stored.form.block_keys();
    keys.retain(|key| before.binary_search(key).is_err());
    (stored, keys)
}

fn grouped(candidates: Vec<Candidate>) -> BTreeMap<String, Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for candidate in candidates {
        let (form, face) = (Form::of(&candidate), Face::of(&candidate));
        let entity = candidate.id.uuid();
        if let Some(group) = groups.get_mut(&form.key) {
            group.form.absorb(&form);
            group.entities.push(entity);
            if face.compare(&group.face, FaceStrategy::default()).is_gt() {
                group.face = face;
            }
            continue;
        }
        let entities = vec![entity];
        let key = form.key.clone();
        groups.insert(
            key,
            Group {
                form,
                entities,
                face,
            },
        );
    }
    groups
}

fn relate(
    candidates: &mut BTreeMap<Uuid, Candidate>,
    names: &HashMap<Uuid, String>,
    row: relation::Model,
) {
    if let (Some(subject), Some(object)) = (
        candidates.get_mut(&row.subject_id),
        row.object_id.and_then(|object| names.get(&object)),
    ) {
        subject.neighbours.push(object.clone());
    }
    if let (Some(object), Some(subject)) = (
        row.object_id.and_then(|object| candidates.get_mut(&object)),
        names.get(&row.subject_id),
    ) {
        object.neighbours.push(subject.clone());
    }
    if let (Some(subject), Some(value)) = (candidates.get_mut(&row.subject_id), row.literal_value) {
        let known = subject
            .literals
            .entry(row.predicate)
            .or_insert_with(|| value.clone());
        if value < *known {
            *known = value;
        }
    }
}

fn candidate(row: &entity::Model) -> Result<Candidate, StoreError> {
    let types: Vec<String> = convert::from_json("entity.types", row.types.clone())?;
    Ok(Candidate {
        id: EntityId::from_uuid(row.id),
        document: DocumentId::from_uuid(row.document_id),
        name: row.name.clone(),
        above: convert::classes_above(&row.type_key, &types),
        types,
        aliases: convert::from_json("entity.aliases", row.aliases.clone())?,
        attributes: convert::from_json("entity.attributes", row.attributes.clone())?,
        literals: BTreeMap::new(),
        neighbours: Vec::new(),
        mentions: u32::try_from(row.mention_count).unwrap_or_default(),
        confidence: Confidence::new(row.confidence),
    })
}

fn face(row: &entity::Model) -> Result<Face, StoreError> {
    Ok(Face::of(&candidate(row)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use knowledge_domain::batch::BatchStage;
    use knowledge_tables::resolution_form;
    use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

    use super::*;
    use crate::{
        environment::SystemEntropy,
        fixture::{Fixture, at},
        store::resolution::Author,
    };

    /// Indexes and settles what is new, in a batch of its own.
    async fn resolve(fixture: &Fixture, number: u128, things: &[(&str, &[&str])]) {
        let batch = fixture.batch(number, BatchStage::Resolving).await;
        for (position, (class, above)) in (0..).zip(things) {
            let text = format!("{class} {number}");
            let document = fixture.document(batch, position, &text).await;
            let id = fixture.entity(document, 0, "Aurora Borealis", class).await;
            let row = entity::Entity::find_by_id(id.uuid());
            let row = row.one(fixture.store.read()).await.unwrap().unwrap();
            let mut row = row.into_active_model();
            let above: Vec<String> = above.iter().map(|class| (*class).to_owned()).collect();
            row.type_key = Set(convert::type_key(&[(*class).to_owned()], &above));
            let tx = fixture.store.begin().await.unwrap();
            row.update(&tx).await.unwrap();
            tx.commit().await.unwrap();
        }
        let tx = fixture.store.begin().await.unwrap();
        let (entropy, author) = (SystemEntropy, Author::Batch(batch));
        let begun = Resolution::begin(&tx, fixture.organization, &entropy, at(), author);
        let resolution = begun.await.unwrap();
        let new = entity::Entity::find().filter(entity::Column::FormId.is_null());
        let new = new.all(&tx).await.unwrap();
        resolution.index(&new).await.unwrap();
        let dirty = resolution.dirty_forms(1_000).await.unwrap();
        resolution.settle(dirty).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The canonical entities of each class.
    async fn canonical(fixture: &Fixture) -> BTreeMap<String, Vec<Uuid>> {
        let rows = entity::Entity::find().all(fixture.store.read()).await;
        let mut found: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
        for row in rows.unwrap() {
            let types: Vec<String> = serde_json::from_value(row.types).unwrap();
            let known = found.entry(types.join("+")).or_default();
            known.push(row.canonical_id);
        }
        found
    }

    #[tokio::test]
    async fn a_thing_of_a_class_and_of_one_above_it_is_one() {
        let fixture = Fixture::new().await;
        let ferry: (&str, &[&str]) = ("Ferry", &["Asset", "Vessel"]);
        let vessel: (&str, &[&str]) = ("Vessel", &["Asset"]);
        let harbour: (&str, &[&str]) = ("Harbour", &["Asset"]);
        resolve(&fixture, 1, &[ferry, harbour]).await;
        let found = canonical(&fixture).await;
        assert_ne!(found["Ferry"], found["Harbour"]);
        // What stored forms are below is known to a later batch.
        resolve(&fixture, 2, &[vessel]).await;
        let found = canonical(&fixture).await;
        assert_eq!(found["Ferry"], found["Vessel"]);
        assert_ne!(found["Ferry"], found["Harbour"]);
        // And added to by one that knows more.
        resolve(&fixture, 3, &[("Vessel", &["Asset", "Craft"])]).await;
        let forms = resolution_form::Entity::find().all(fixture.store.read());
        let forms = forms.await.unwrap().into_iter();
        let above = forms.filter(|form| form.types == serde_json::json!(["Vessel"]));
        let above: Vec<_> = above.map(|form| form.above).collect();
        assert_eq!(above, [Some(serde_json::json!(["Asset", "Craft"]))]);
    }
}
