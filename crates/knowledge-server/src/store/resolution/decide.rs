//! What persons decide: two entities are one, or some are not.
//!
//! A decision is about forms; where a form's entities are decided about one by one, those that
//! leave get a form of their own. It is carried out at once, and every later resolution keeps to
//! it.

use std::collections::{BTreeMap, BTreeSet};

use knowledge_domain::ids::EntityId;
use knowledge_resolution::{FaceStrategy, Form, select_face};
use knowledge_tables::{
    entity,
    resolution_decision::{ActiveModel, Column, Entity},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    Author, Resolution,
    explore::{APART, TOGETHER},
    forms::Stored,
};
use crate::store::{Store, StoreError, convert};
use knowledge_domain::{Clock, Entropy, ids::OrganizationId};

/// Why a decision was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// The organisation has no such entity.
    #[error("there is no entity {0}")]
    NotFound(EntityId),
    /// The entities are one already, or not one at all.
    #[error("{0}")]
    Pointless(&'static str),
    /// The store failed.
    #[error("the decision could not be stored")]
    Store(#[from] StoreError),
}

impl From<sea_orm::DbErr> for DecisionError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(error.into())
    }
}

/// A person's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    Merge(Vec<EntityId>),
    Split(Vec<EntityId>),
    Unmerge(EntityId),
    KeepApart(Vec<EntityId>),
}

impl Store {
    /// Makes entities one, whatever speaks against it; the canonical entity.
    pub async fn merge_entities(
        &self,
        who: &Decider<'_>,
        entities: &[EntityId],
    ) -> Result<EntityId, DecisionError> {
        let found = self.decide(who, Decision::Merge(entities.to_vec())).await?;
        found
            .first()
            .copied()
            .ok_or(DecisionError::Pointless("name two entities"))
    }

    /// Takes entities out of their cluster, to be one of their own; the canonical entities of what
    /// they leave and of what they are.
    pub async fn split_entity(
        &self,
        who: &Decider<'_>,
        members: &[EntityId],
    ) -> Result<Vec<EntityId>, DecisionError> {
        self.decide(who, Decision::Split(members.to_vec())).await
    }

    /// Undoes the merge of an entity: it leaves its cluster with all that has its very name, or
    /// alone where it has the name of what faces the cluster. As [`Self::split_entity`].
    pub async fn unmerge_entity(
        &self,
        who: &Decider<'_>,
        member: EntityId,
    ) -> Result<Vec<EntityId>, DecisionError> {
        self.decide(who, Decision::Unmerge(member)).await
    }

    /// Keeps entities apart that are not one: no later batch makes them one; the canonical entities.
    pub async fn keep_apart(
        &self,
        who: &Decider<'_>,
        entities: &[EntityId],
    ) -> Result<Vec<EntityId>, DecisionError> {
        let decision = Decision::KeepApart(entities.to_vec());
        self.decide(who, decision).await
    }

    async fn decide(
        &self,
        who: &Decider<'_>,
        decision: Decision,
    ) -> Result<Vec<EntityId>, DecisionError> {
        let tx = self.begin().await?;
        let author = Author::Person {
            name: who.name.to_owned(),
            decided: BTreeSet::new(),
        };
        let at = who.clock.now();
        let mut resolution =
            Resolution::begin(&tx, who.organization, who.entropy, at, author).await?;
        let canonical = match decision {
            Decision::Merge(entities) => resolution.merge_by_hand(&entities).await?,
            Decision::Split(members) => resolution.split(&members).await?,
            Decision::KeepApart(entities) => resolution.keep_apart(&entities).await?,
            Decision::Unmerge(member) => {
                let members = resolution.merged_with(member).await?;
                resolution.split(&members).await?
            }
        };
        tx.commit().await?;
        Ok(canonical)
    }
}

/// Who decides, and when.
#[derive(Clone, Copy)]
pub struct Decider<'a> {
    /// The tenant.
    pub organization: OrganizationId,
    /// How merge history calls the person.
    pub name: &'a str,
    /// The clock that stamps the decision.
    pub clock: &'a dyn Clock,
    /// The source of its ids.
    pub entropy: &'a dyn Entropy,
}

/// Forms that are settled at a time.
const OTHERS_A_PORTION: usize = 400;

impl Resolution<'_> {
    async fn merge_by_hand(&mut self, ids: &[EntityId]) -> Result<Vec<EntityId>, DecisionError> {
        let rows = self.resolved(ids).await?;
        let forms: BTreeSet<Uuid> = rows.iter().filter_map(|row| row.form_id).collect();
        let forms: Vec<Uuid> = forms.into_iter().collect();
        let canonical: BTreeSet<Uuid> = rows.iter().map(|row| row.canonical_id).collect();
        if canonical.len() < 2 {
            return Err(DecisionError::Pointless("the entities are one already"));
        }
        let clusters = self.clusters_of(&forms).await?;
        let all: Vec<Uuid> = clusters.values().map(|stored| stored.row.id).collect();
        self.forget(APART, &all, &all).await?;
        for pair in forms.windows(2) {
            self.record(TOGETHER, pair[0], pair[1]).await?;
        }
        self.decided_about(&all);
        self.carry_out(all, &[], ids).await
    }

    async fn split(&mut self, ids: &[EntityId]) -> Result<Vec<EntityId>, DecisionError> {
        let rows = self.resolved(ids).await?;
        let canonical: BTreeSet<Uuid> = rows.iter().map(|row| row.canonical_id).collect();
        if canonical.len() > 1 {
            return Err(DecisionError::Pointless("the entities are not one"));
        }
        let mut leaving: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.form_id.is_some()) {
            leaving
                .entry(row.form_id.unwrap_or_default())
                .or_default()
                .push(row.id);
        }
        let forms: Vec<Uuid> = leaving.keys().copied().collect();
        let cluster = self.clusters_of(&forms).await?;
        let (mut left, mut stay, mut soiled) = (Vec::new(), BTreeSet::new(), Vec::new());
        for (id, stored) in &cluster {
            match leaving.get(id) {
                Some(entities) if entities.len() < count(stored) => {
                    let (own, others) = self.own_form(stored, entities).await?;
                    left.push(own);
                    stay.insert(*id);
                    soiled.extend(others);
                }
                Some(_) => left.push(*id),
                None => {
                    stay.insert(*id);
                }
            }
        }
        let stay: Vec<Uuid> = stay.into_iter().collect();
        if stay.is_empty() {
            return Err(DecisionError::Pointless(
                "nothing would be left of the entity",
            ));
        }
        self.forget(TOGETHER, &left, &stay).await?;
        for form in &left {
            for other in &stay {
                self.record(APART, *form, *other).await?;
            }
        }
        for pair in left.windows(2) {
            self.record(TOGETHER, pair[0], pair[1]).await?;
        }
        let rest = cluster
            .values()
            .find(|stored| stay.contains(&stored.row.id));
        let rest = rest.map(|stored| EntityId::from_uuid(stored.row.face_id));
        let shown: Vec<EntityId> = rest.into_iter().chain(ids.first().copied()).collect();
        self.decided_about(&[left.clone(), stay.clone()].concat());
        self.carry_out([left, stay].concat(), &soiled, &shown).await
    }

    /// Every form of the one is apart from every form of the other.
    async fn keep_apart(&mut self, ids: &[EntityId]) -> Result<Vec<EntityId>, DecisionError> {
        let rows = self.resolved(ids).await?;
        let canonical: BTreeSet<Uuid> = rows.iter().map(|row| row.canonical_id).collect();
        if rows.len() < 2 || canonical.len() < rows.len() {
            let message = "name two entities or more that are not one; `splitEntity` takes apart";
            return Err(DecisionError::Pointless(message));
        }
        let forms: Vec<Uuid> = rows.iter().filter_map(|row| row.form_id).collect();
        let mut clusters: BTreeMap<Option<Uuid>, Vec<Uuid>> = BTreeMap::new();
        for stored in self.clusters_of(&forms).await?.into_values() {
            let cluster = clusters.entry(stored.row.cluster_id).or_default();
            cluster.push(stored.row.id);
        }
        let clusters: Vec<Vec<Uuid>> = clusters.into_values().collect();
        for (at, one) in clusters.iter().enumerate() {
            for other in &clusters[at + 1..] {
                for form in one {
                    for other in other {
                        self.record(APART, *form, *other).await?;
                    }
                }
            }
        }
        let all = clusters.concat();
        self.decided_about(&all);
        self.carry_out(all, &[], ids).await
    }

    /// What was merged by its name: the entities of the form, or the one where the form faces.
    async fn merged_with(&self, member: EntityId) -> Result<Vec<EntityId>, DecisionError> {
        let rows = self.resolved(&[member]).await?;
        let row = rows.first().ok_or(DecisionError::NotFound(member))?;
        let face = self.entities(&[row.canonical_id]).await?;
        if row.id == row.canonical_id {
            return Err(DecisionError::Pointless(
                "the entity faces its cluster; name a member",
            ));
        }
        if face.first().is_some_and(|face| face.form_id == row.form_id) {
            return Ok(vec![member]);
        }
        let same = entity::Entity::find()
            .filter(entity::Column::FormId.eq(row.form_id))
            .all(self.tx)
            .await?;
        Ok(same
            .into_iter()
            .map(|row| EntityId::from_uuid(row.id))
            .collect())
    }

    /// The entities with their forms; those that no resolution has seen yet are indexed.
    async fn resolved(&self, ids: &[EntityId]) -> Result<Vec<entity::Model>, DecisionError> {
        let uuids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let rows = self.entities(&uuids).await?;
        let missing = ids
            .iter()
            .find(|id| !rows.iter().any(|row| row.id == id.uuid()));
        if let Some(missing) = missing {
            return Err(DecisionError::NotFound(*missing));
        }
        let unseen: Vec<entity::Model> = rows
            .iter()
            .filter(|row| row.form_id.is_none())
            .cloned()
            .collect();
        if unseen.is_empty() {
            return Ok(rows);
        }
        let indexed = self.index(&unseen).await?;
        let rows = self.entities(&uuids).await?;
        let forms = rows.iter().filter_map(|row| row.form_id).collect();
        self.settle(forms).await?;
        self.settle_others(&indexed.soiled).await?;
        Ok(self.entities(&uuids).await?)
    }

    /// All forms of the clusters of some forms.
    async fn clusters_of(&self, forms: &[Uuid]) -> Result<BTreeMap<Uuid, Stored>, StoreError> {
        let rows = self.forms(forms.to_vec()).await?;
        let clusters: BTreeSet<Uuid> = rows
            .values()
            .filter_map(|form| form.row.cluster_id)
            .collect();
        self.forms_of_clusters(clusters.into_iter().collect()).await
    }

    /// A form for some entities of another one; the same entities always get the same one. With it
    /// come the forms that are dirty because of it.
    async fn own_form(
        &self,
        stored: &Stored,
        entities: &[Uuid],
    ) -> Result<(Uuid, Vec<Uuid>), StoreError> {
        let first = entities.iter().min().copied().unwrap_or_default();
        let form = Form {
            key: format!("{}#split={}", stored.form.key, first.simple()),
            ..stored.form.clone()
        };
        let faces = self.faces(entities.iter().copied()).await?;
        let face = select_face(faces.values(), FaceStrategy::default());
        let face = face.map_or(first, |face| face.entity.uuid());
        let mut own = self.new_form(form, face);
        own.row.entity_count = convert::count(entities.len());
        let mut rest = stored.clone();
        rest.row.entity_count -= own.row.entity_count;
        rest.row.face_id = self.face_without(stored, entities).await?;
        self.save_forms(&[&own, &rest]).await?;
        let pairs: Vec<(Uuid, Uuid)> = entities.iter().map(|id| (*id, own.row.id)).collect();
        self.move_to(&pairs).await?;
        let id = own.row.id;
        let mut soiled = self.copy_meanings(stored.row.id, id).await?;
        let keys = own.form.block_keys();
        let own = BTreeMap::from([(own.form.key.clone(), (own, keys))]);
        soiled.extend(self.add_to_blocks(&own).await?);
        Ok((id, soiled))
    }

    /// The entity that faces a form without some of its entities.
    async fn face_without(&self, stored: &Stored, gone: &[Uuid]) -> Result<Uuid, StoreError> {
        let rows = entity::Entity::find()
            .filter(entity::Column::FormId.eq(stored.row.id))
            .filter(entity::Column::Id.is_not_in(gone.iter().copied()))
            .all(self.tx)
            .await?;
        let faces = self.faces(rows.iter().map(|row| row.id)).await?;
        let face = select_face(faces.values(), FaceStrategy::default());
        Ok(face.map_or(stored.row.face_id, |face| face.entity.uuid()))
    }

    /// Notes which forms a person decides about.
    fn decided_about(&mut self, forms: &[Uuid]) {
        if let Author::Person { decided, .. } = &mut self.author {
            decided.extend(forms);
        }
    }

    /// Settles what is dirty besides what is decided about, a portion at a time.
    async fn settle_others(&self, forms: &[Uuid]) -> Result<(), StoreError> {
        let forms: BTreeSet<Uuid> = forms.iter().copied().collect();
        let forms: Vec<Uuid> = forms.into_iter().collect();
        for forms in forms.chunks(OTHERS_A_PORTION) {
            self.settle(forms.to_vec()).await?;
        }
        Ok(())
    }

    /// Settles forms, then others that are dirty because of them; the canonical entities of `shown`.
    async fn carry_out(
        &self,
        forms: Vec<Uuid>,
        others: &[Uuid],
        shown: &[EntityId],
    ) -> Result<Vec<EntityId>, DecisionError> {
        self.settle(forms).await?;
        self.settle_others(others).await?;
        let ids: Vec<Uuid> = shown.iter().map(|id| id.uuid()).collect();
        let rows = self.entities(&ids).await?;
        let canonical = ids.iter().filter_map(|id| {
            let row = rows.iter().find(|row| row.id == *id)?;
            Some(EntityId::from_uuid(row.canonical_id))
        });
        Ok(canonical.collect())
    }

    async fn forget(&self, kind: &str, one: &[Uuid], other: &[Uuid]) -> Result<(), StoreError> {
        let way = |left: &[Uuid], right: &[Uuid]| {
            Condition::all()
                .add(Column::LeftFormId.is_in(left.iter().copied()))
                .add(Column::RightFormId.is_in(right.iter().copied()))
        };
        Entity::delete_many()
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .filter(Column::Kind.eq(kind))
            .filter(Condition::any().add(way(one, other)).add(way(other, one)))
            .exec(self.tx)
            .await?;
        Ok(())
    }

    /// The last decision about two forms counts.
    async fn record(&self, kind: &str, one: Uuid, other: Uuid) -> Result<(), StoreError> {
        let (left, right) = (one.min(other), one.max(other));
        Entity::delete_many()
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .filter(Column::LeftFormId.eq(left))
            .filter(Column::RightFormId.eq(right))
            .exec(self.tx)
            .await?;
        let row = ActiveModel {
            id: Set(self.entropy.uuid_v7()),
            organization_id: Set(self.organization.uuid()),
            kind: Set(kind.to_owned()),
            left_form_id: Set(left),
            right_form_id: Set(right),
            decided_by: Set(self.author.to_string()),
            created_at: Set(self.at),
            updated_at: Set(self.at),
        };
        Entity::insert(row).exec_without_returning(self.tx).await?;
        Ok(())
    }

    /// Moves entities that are in a cluster to another form.
    async fn move_to(&self, form_of: &[(Uuid, Uuid)]) -> Result<(), StoreError> {
        for (entity, form) in form_of {
            entity::Entity::update_many()
                .col_expr(
                    entity::Column::FormId,
                    sea_orm::sea_query::Expr::value(*form),
                )
                .filter(entity::Column::Id.eq(*entity))
                .exec(self.tx)
                .await?;
        }
        Ok(())
    }
}

fn count(stored: &Stored) -> usize {
    usize::try_from(stored.row.entity_count).unwrap_or_default()
}
