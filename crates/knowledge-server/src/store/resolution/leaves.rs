//! Leaves of the trees that vectors lie in, as rows.

use std::collections::{BTreeMap, BTreeSet};

use knowledge_domain::ids::{FormId, OrganizationId};
use knowledge_resolution::{Leaf, Vector};
use knowledge_tables::resolution_leaf::{ActiveModel, Column, Entity, Model};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Select,
    sea_query::{Alias, Expr, ExprTrait, OnConflict, Order, Query, SelectStatement},
};
use uuid::Uuid;

use super::Resolution;
use crate::store::{
    StoreError, convert,
    portions::{key_lists, portions},
};

/// Where a vector lies: the number of a tree, and the address in it.
type Place = (usize, u64);

/// Leaves by where they start.
pub(super) struct Leaves(BTreeMap<Place, Stored>);

/// A leaf with its row, without the members there.
struct Stored {
    row: Model,
    leaf: Leaf,
}

impl Leaves {
    /// The leaf that covers an address of a tree, where it was read.
    pub(super) fn leaf(&self, tree: usize, address: u64) -> Option<&Leaf> {
        let (_, stored) = self.0.range((tree, 0)..=(tree, address)).next_back()?;
        stored.leaf.covers(address).then_some(&stored.leaf)
    }
}

impl Resolution<'_> {
    /// The leaves that the vectors of a model lie in.
    pub(super) async fn leaves(
        &self,
        model: &str,
        vectors: &[Vector],
    ) -> Result<Leaves, StoreError> {
        let places: BTreeSet<Place> = vectors.iter().flat_map(places).collect();
        let places: Vec<Place> = places.into_iter().collect();
        let mut leaves = BTreeMap::new();
        for places in key_lists(&places) {
            let query = covering(self.organization, model, &places);
            for row in query.all(self.tx).await? {
                let (place, stored) = Stored::read(row)?;
                leaves.insert(place, stored);
            }
        }
        Ok(Leaves(leaves))
    }

    /// Puts forms into the trees of a model, each where its vector lies; those that are there stay.
    /// Forms that a leaf that splits has brought together may be asked about no more: they are dirty
    /// from now on, and given back.
    pub(super) async fn add_to_leaves(
        &self,
        model: &str,
        forms: &[(FormId, Vector)],
    ) -> Result<Vec<Uuid>, StoreError> {
        let vectors: Vec<Vector> = forms.iter().map(|(_, vector)| vector.clone()).collect();
        let Leaves(mut leaves) = self.leaves(model, &vectors).await?;
        let mut new: BTreeMap<Place, Vec<(u64, FormId)>> = BTreeMap::new();
        let mut empty: BTreeSet<i32> = BTreeSet::new();
        for (form, vector) in forms {
            for (tree, address) in places(vector) {
                let before = leaves.range((tree, 0)..=(tree, address)).next_back();
                let start = match before {
                    Some((_, stored)) if !stored.leaf.covers(address) => return Err(missing()),
                    Some(((_, start), _)) => *start,
                    None => {
                        empty.insert(convert::count(tree));
                        0
                    }
                };
                new.entry((tree, start)).or_default().push((address, *form));
            }
        }
        self.check_empty(model, empty).await?;
        let (mut rows, mut parted) = (Vec::new(), Vec::new());
        for ((tree, start), members) in new {
            let stored = leaves.remove(&(tree, start));
            let before = stored
                .as_ref()
                .map_or_else(Leaf::root, |it| it.leaf.clone());
            let after = before.clone().with(&members, self.settings.max_block);
            if after.as_slice() == std::slice::from_ref(&before) {
                continue;
            }
            let most = self.settings.max_block;
            if before.says(most) && (after.len() > 1 || after.iter().any(|leaf| !leaf.says(most))) {
                parted.extend(before.forms().map(FormId::uuid));
            }
            let mut stored = stored.map(|stored| stored.row);
            rows.extend(after.iter().map(|leaf| {
                // The first of them starts where the leaf did.
                let row = stored.take();
                self.leaf_row(row, (model, tree), leaf)
            }));
        }
        self.save_leaves(&rows).await?;
        let asked = self.asked_by_meaning(&parted).await?;
        self.soil(&asked).await?;
        Ok(asked)
    }

    /// Fails where one of some trees has leaves.
    async fn check_empty(&self, model: &str, trees: BTreeSet<i32>) -> Result<(), StoreError> {
        if trees.is_empty() {
            return Ok(());
        }
        let any = Entity::find()
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .filter(Column::Model.eq(model))
            .filter(Column::Tree.is_in(trees))
            .one(self.tx)
            .await?;
        any.map_or(Ok(()), |_| Err(missing()))
    }

    fn leaf_row(
        &self,
        row: Option<Model>,
        (model, tree): (&str, usize),
        leaf: &Leaf,
    ) -> ActiveModel {
        let row = row.unwrap_or_else(|| Model {
            id: self.entropy.uuid_v7(),
            organization_id: self.organization.uuid(),
            model: model.to_owned(),
            tree: convert::count(tree),
            start: leaf.start().cast_signed(),
            depth: 0,
            members: Vec::new(),
            created_at: self.at,
            updated_at: self.at,
        });
        ActiveModel {
            depth: Set(leaf.depth().cast_signed()),
            members: Set(leaf.members()),
            updated_at: Set(self.at),
            ..row.into_active_model().reset_all()
        }
    }

    async fn save_leaves(&self, rows: &[ActiveModel]) -> Result<(), StoreError> {
        let overwrite = OnConflict::column(Column::Id)
            .update_columns([Column::Depth, Column::Members, Column::UpdatedAt])
            .to_owned();
        for rows in portions(rows) {
            Entity::insert_many(rows.to_vec())
                .on_conflict(overwrite.clone())
                .exec_without_returning(self.tx)
                .await?;
        }
        Ok(())
    }
}

impl Stored {
    fn read(mut row: Model) -> Result<(Place, Self), StoreError> {
        let members = std::mem::take(&mut row.members);
        let depth = u32::try_from(row.depth).ok();
        let leaf =
            depth.and_then(|depth| Leaf::from_parts(row.start.cast_unsigned(), depth, &members));
        let (Ok(tree), Some(leaf)) = (usize::try_from(row.tree), leaf) else {
            return Err(StoreError::corrupt("resolution_leaf: no leaf of a tree"));
        };
        Ok(((tree, leaf.start()), Self { row, leaf }))
    }
}

fn missing() -> StoreError {
    StoreError::corrupt("resolution_leaf: a leaf of a tree is missing")
}

fn places(vector: &Vector) -> impl Iterator<Item = Place> {
    vector.addresses().iter().copied().enumerate()
}

/// The leaves that cover some places, each looked up by the index.
fn covering(organization: OrganizationId, model: &str, places: &[Place]) -> Select<Entity> {
    Entity::find().filter(Column::Id.in_subquery(ids_covering(organization, model, places)))
}

fn ids_covering(organization: OrganizationId, model: &str, places: &[Place]) -> SelectStatement {
    let wanted = Alias::new("wanted");
    // What both databases call the values of a row.
    let value = |name| Expr::col((wanted.clone(), Alias::new(name)));
    let column = |column: Column| Expr::col((Entity, column));
    let leaf = Query::select()
        .column((Entity, Column::Id))
        .from(Entity)
        .and_where(column(Column::OrganizationId).eq(organization.uuid()))
        .and_where(column(Column::Model).eq(model))
        .and_where(column(Column::Tree).eq(value("column1")))
        .and_where(column(Column::Start).lte(value("column2")))
        .order_by((Entity, Column::Start), Order::Desc)
        .limit(1)
        .take();
    let places = places.iter();
    let places = places.map(|(tree, address)| (convert::count(*tree), address.cast_signed()));
    Query::select()
        .expr(Expr::expr(leaf))
        .from_values(places, wanted.clone())
        .take()
}

#[cfg(test)]
mod tests {
    use knowledge_domain::batch::BatchStage;
    use knowledge_resolution::VERSION;
    use knowledge_tables::{entity, resolution_form, resolution_leaf, resolution_question};
    use sea_orm::QueryTrait;
    use uuid::Uuid;

    use super::*;
    use crate::{
        environment::SystemEntropy,
        fixture::{Fixture, at, plan},
        store::resolution::{Author, Meaning},
    };

    const MODEL: &str = "m";

    /// A place that is like none of another number by its name, and like all of them by its vector.
    fn place(number: usize) -> (String, Vector) {
        let syllables = ["bal", "dor", "fin", "gul", "kem", "lar", "mus", "pon"];
        let syllable = |at: u32| syllables[(number * 7 + 3) / 8_usize.pow(at) % 8];
        let name = format!("{}{}{}", syllable(0), syllable(1), syllable(2));
        let own = FormId::derive(OrganizationId::DEFAULT, &name).uuid();
        let bits = (0..64).map(|at| own.as_u128() >> at & 1);
        let values = bits.map(|bit| 1.0 + 0.95 * (bit as f32 - 0.5)).collect();
        let vector = Vector::new(MODEL, values, &[0.0; 64]).expect("it has a direction");
        (name, vector)
    }

    /// Resolves places in batches, with leaves of few members.
    async fn resolved(batches: &[Vec<usize>]) -> Fixture {
        let fixture = Fixture::new().await;
        for (batch, numbers) in batches.iter().enumerate() {
            let id = fixture.batch(batch as u128, BatchStage::Resolving).await;
            for (position, number) in (0..).zip(numbers) {
                let (name, _) = place(*number);
                let document = fixture.document(id, position, &name).await;
                fixture.entity(document, 0, &name, "Place").await;
            }
            let tx = fixture.store.begin().await.unwrap();
            let (entropy, author) = (SystemEntropy, Author::Batch(id));
            let mut resolution =
                Resolution::begin(&tx, fixture.organization, &entropy, at(), author)
                    .await
                    .unwrap();
            resolution.version = VERSION;
            resolution.settings.max_block = 2;
            resolution.compare_meanings(MODEL).await.unwrap();
            let new = entity::Entity::find().filter(entity::Column::FormId.is_null());
            resolution
                .index(&new.all(&tx).await.unwrap())
                .await
                .unwrap();
            let dirty = resolution.dirty_forms(1_000).await.unwrap();
            let forms = resolution.forms(dirty).await.unwrap();
            let meanings = forms.values().map(|form| Meaning {
                form: FormId::from_uuid(form.row.id),
                text: form.form.meaning(),
                vector: batches
                    .concat()
                    .iter()
                    .map(|number| place(*number))
                    .find_map(|(name, vector)| (name == form.form.name).then_some(vector)),
            });
            let meanings: Vec<Meaning> = meanings.collect();
            resolution.keep_meanings(MODEL, &meanings).await.unwrap();
            let dirty = resolution.dirty_forms(1_000).await.unwrap();
            resolution.settle(dirty).await.unwrap();
            tx.commit().await.unwrap();
        }
        fixture
    }

    /// What is asked, and which leaves there are.
    async fn kept(fixture: &Fixture) -> (BTreeSet<[Uuid; 2]>, BTreeSet<(i32, i64, i32, Vec<u8>)>) {
        let questions = resolution_question::Entity::find();
        let questions = questions.all(fixture.store.read()).await.unwrap();
        let asked = questions.iter().filter(|it| it.reason == "same_meaning");
        let asked = asked.map(|it| [it.left_form_id, it.right_form_id]);
        let leaves = resolution_leaf::Entity::find();
        let leaves = leaves.all(fixture.store.read()).await.unwrap();
        let leaves = leaves
            .into_iter()
            .map(|it| (it.tree, it.start, it.depth, it.members));
        (asked.collect(), leaves.collect())
    }

    #[tokio::test]
    async fn the_order_of_forms_changes_neither_leaves_nor_questions() {
        let all: Vec<usize> = (0..40).collect();
        let at_once = kept(&resolved(std::slice::from_ref(&all)).await).await;
        let first = kept(&resolved(&[all[..8].to_vec()]).await).await;
        assert!(
            first.0.difference(&at_once.0).count() > 0,
            "some that share a leaf share none when there are more"
        );
        let in_parts: Vec<Vec<usize>> = all.chunks(8).map(<[usize]>::to_vec).collect();
        let turned = in_parts.iter().rev().cloned().collect();
        for order in [in_parts, turned] {
            let other = kept(&resolved(&order).await).await;
            let differ: Vec<_> = at_once.0.symmetric_difference(&other.0).collect();
            assert!(differ.is_empty(), "{order:?}: {differ:?}");
            assert!(at_once.1 == other.1, "{order:?}");
        }
    }

    #[tokio::test]
    async fn who_is_told_something_else_later_finds_forms_where_they_are() {
        let fixture = resolved(&[(0..6).collect()]).await;
        let before = kept(&fixture).await;
        let tx = fixture.store.begin().await.unwrap();
        let author = Author::Person {
            name: String::new(),
            decided: BTreeSet::new(),
        };
        let mut resolution =
            Resolution::begin(&tx, fixture.organization, &SystemEntropy, at(), author)
                .await
                .unwrap();
        let forms = resolution_form::Entity::find().all(&tx).await.unwrap();
        let meanings = forms.iter().map(|form| Meaning {
            form: FormId::from_uuid(form.id),
            text: form.name.clone(),
            vector: Some(place(99).1),
        });
        let meanings: Vec<Meaning> = meanings.collect();
        resolution.keep_meanings(MODEL, &meanings).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(kept(&fixture).await, before);
    }

    #[tokio::test]
    async fn leaves_are_found_by_their_places_without_statistics() {
        let fixture = Fixture::new().await;
        let places: Vec<Place> = (0..1_024).map(|at| (at % 16, at as u64)).collect();
        let query = covering(fixture.organization, MODEL, &places);
        let steps = plan(&fixture.store, &query.into_query()).await;
        let found = steps.iter().any(|step| {
            let place = step.contains("organization_id") && step.contains("tree");
            place && (step.contains("Index Cond") || step.contains("SEARCH"))
        });
        assert!(found, "{steps:#?}");
        let scanned = steps.iter().find(|step| {
            let all = ["Seq Scan on resolution_leaf", "SCAN resolution_leaf"];
            all.iter().any(|all| step.contains(all)) && !step.contains("INDEX")
        });
        assert_eq!(scanned, None, "{steps:#?}");
    }
}
