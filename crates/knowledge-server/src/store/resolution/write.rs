//! Settling dirty forms: what differs from what is written is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::TryStreamExt;
use knowledge_domain::ids::{BatchId, ClusterId};
use knowledge_resolution::{Face, FaceStrategy, FormCluster, Rule, VERSION, select_face};
use knowledge_tables::{
    cluster_member, entity, entity_cluster, mention_record, merge_history, resolution_form,
    same_as_link,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Condition, Expr, ExprTrait, OnConflict, Query, SelectStatement},
};
use uuid::Uuid;

use super::{Resolution, explore::Component, forms::Stored};
use crate::store::{
    StoreError, convert,
    portions::{MOST_KEYS, key_lists, portions},
};

/// What settling has written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) struct Settled {
    /// Forms that were looked at.
    pub(in crate::store) forms: usize,
    /// Entities that another faces from now on.
    pub(in crate::store) merges: usize,
}

/// Where the forms of a component belong.
#[derive(Default)]
struct Plan {
    clusters: Vec<entity_cluster::ActiveModel>,
    kept: BTreeSet<Uuid>,
    before: BTreeSet<Uuid>,
    /// All forms, as they are from now on.
    forms: Vec<Stored>,
    /// Those whose entities are all written anew.
    moved: Vec<Uuid>,
    /// Who decided that a form belongs where it does, where a person did.
    deciders: HashMap<Uuid, String>,
}

/// An entity whose place is written.
struct Placed {
    id: Uuid,
    canonical: Uuid,
    form: Uuid,
    clustered: bool,
}

impl Plan {
    /// The form of an entity that faces a cluster.
    fn form_of_face(&self, face: Uuid) -> Option<Uuid> {
        let form = self.forms.iter().find(|form| form.row.face_id == face)?;
        Some(form.row.id)
    }
}

impl Resolution<'_> {
    /// Clusters anew what is connected with some dirty forms, and writes what differs.
    pub(in crate::store) async fn settle(&self, dirty: Vec<Uuid>) -> Result<Settled, StoreError> {
        let component = self.component(dirty).await?;
        let forms = component.rows.len();
        self.ask(&component).await?;
        let plan = self.plan(component).await?;
        insert(self.tx, plan.clusters.clone(), Some(overwritten())).await?;
        self.save_forms(&plan.forms.iter().collect::<Vec<_>>())
            .await?;
        let merges = self.place_entities(&plan).await?;
        let gone: Vec<Uuid> = plan.before.difference(&plan.kept).copied().collect();
        for ids in key_lists(&gone) {
            entity_cluster::Entity::delete_many()
                .filter(entity_cluster::Column::Id.is_in(ids.iter().copied()))
                .exec(self.tx)
                .await?;
        }
        Ok(Settled { forms, merges })
    }

    async fn plan(&self, component: Component) -> Result<Plan, StoreError> {
        let faces = component.rows.values().map(|form| form.row.face_id);
        let faces = self.faces(faces).await?;
        let mut plan = Plan::default();
        let deciders = component.deciders;
        let (explored, mut rows) = (component.explored, component.rows);
        plan.before = rows
            .values()
            .filter_map(|form| form.row.cluster_id)
            .collect();
        for cluster in &explored.clusters {
            let members = cluster.forms.iter().filter_map(|at| {
                let form = explored.forms.get(*at)?;
                Some((*at, rows.remove(&form.key)?))
            });
            let members: BTreeMap<usize, Stored> = members.collect();
            plan.deciders.extend(decided(cluster, &members, &deciders));
            self.plan_cluster(&mut plan, cluster, members, &faces)?;
        }
        Ok(plan)
    }

    fn plan_cluster(
        &self,
        plan: &mut Plan,
        cluster: &FormCluster,
        mut members: BTreeMap<usize, Stored>,
        faces: &HashMap<Uuid, Face>,
    ) -> Result<(), StoreError> {
        let face_of = |form: &usize| Some((*form, faces.get(&members.get(form)?.row.face_id)?));
        let full = cluster.full_forms();
        let full: Vec<(usize, &Face)> = full.iter().filter_map(face_of).collect();
        let best = select_face(full.iter().map(|(_, face)| *face), FaceStrategy::default());
        let facing = full.iter().find(|(_, face)| Some(*face) == best);
        let (Some((facing, face)), Some(key)) =
            (facing, members.values().map(|form| &form.form.key).min())
        else {
            return Err(StoreError::corrupt(
                "a form without the entity that faces it",
            ));
        };
        let id = ClusterId::derive(self.organization, key).uuid();
        let canonical = face.entity.uuid();
        plan.kept.insert(id);
        plan.clusters
            .push(self.cluster_row(id, key.clone(), canonical, cluster, &members)?);
        let facing = *facing;
        for (at, stored) in &mut members {
            let link = cluster.weakest(facing, *at);
            let place = (
                Some(id),
                Some(canonical),
                Some(link.map_or(1.0, |link| link.score)),
                Some(link.map_or(Rule::ExactName, |link| link.rule).to_string()),
            );
            let row = &mut stored.row;
            let was = (
                row.cluster_id,
                row.canonical_id,
                row.link_confidence,
                row.link_reason.clone(),
            );
            if was != place {
                plan.moved.push(row.id);
            }
            (
                row.cluster_id,
                row.canonical_id,
                row.link_confidence,
                row.link_reason,
            ) = place;
            // It is settled again when it has its vector, and when all are of this version.
            row.dirty = self.version != VERSION || (self.vectors_wanted && !stored.embedded);
        }
        plan.forms.extend(members.into_values());
        Ok(())
    }

    fn cluster_row(
        &self,
        id: Uuid,
        key: String,
        canonical: Uuid,
        cluster: &FormCluster,
        members: &BTreeMap<usize, Stored>,
    ) -> Result<entity_cluster::ActiveModel, StoreError> {
        let count: i32 = members.values().map(|form| form.row.entity_count).sum();
        let mut shared: Option<BTreeSet<String>> = None;
        for form in members.values() {
            let types: BTreeSet<String> = form.form.types.iter().cloned().collect();
            shared = Some(match shared {
                Some(shared) => shared.intersection(&types).cloned().collect(),
                None => types,
            });
        }
        Ok(entity_cluster::ActiveModel {
            id: Set(id),
            organization_id: Set(self.organization.uuid()),
            cluster_key: Set(key),
            canonical_entity_id: Set(canonical),
            member_count: Set(count),
            cohesion: Set(cluster.cohesion()),
            shared_types: Set(convert::to_json(&shared.unwrap_or_default())?),
            version: Set(1),
            created_at: Set(self.at),
            updated_at: Set(self.at),
        })
    }

    /// Writes where entities belong: all of the forms that moved, and those that are new.
    async fn place_entities(&self, plan: &Plan) -> Result<usize, StoreError> {
        let forms: HashMap<Uuid, &Stored> =
            plan.forms.iter().map(|form| (form.row.id, form)).collect();
        let mut merges = 0;
        let moved: BTreeSet<Uuid> = plan.moved.iter().copied().collect();
        let moved_or_not = forms
            .keys()
            .partition::<Vec<Uuid>, _>(|id| moved.contains(id));
        for (ids, all) in [(moved_or_not.0, true), (moved_or_not.1, false)] {
            for ids in key_lists(&ids) {
                let entities = self.entities_of(&ids, all).await?;
                for entities in entities.chunks(MOST_KEYS) {
                    merges += self.place(entities, &forms, plan).await?;
                }
            }
        }
        Ok(merges)
    }

    /// All entities of some forms, or those that have no place yet, by id. Names that many
    /// documents share have as many of them, so rows are not gathered before they are read.
    async fn entities_of(&self, forms: &[Uuid], all: bool) -> Result<Vec<Placed>, StoreError> {
        use entity::{Column, Entity};
        let mut query = Entity::find()
            .select_only()
            .columns([
                Column::Id,
                Column::CanonicalId,
                Column::FormId,
                Column::Clustered,
            ])
            .filter(Column::FormId.is_in(forms.iter().copied()));
        if !all {
            query = query.filter(Column::Clustered.eq(false));
        }
        let mut rows = query
            .into_tuple::<(Uuid, Uuid, Option<Uuid>, bool)>()
            .stream(self.tx)
            .await?;
        let mut placed = Vec::new();
        while let Some((id, canonical, form, clustered)) = rows.try_next().await? {
            placed.extend(form.map(|form| Placed {
                id,
                canonical,
                form,
                clustered,
            }));
        }
        drop(rows);
        placed.sort_by_key(|entity| entity.id);
        Ok(placed)
    }

    async fn place(
        &self,
        entities: &[Placed],
        forms: &HashMap<Uuid, &Stored>,
        plan: &Plan,
    ) -> Result<usize, StoreError> {
        let ids: Vec<Uuid> = entities.iter().map(|entity| entity.id).collect();
        self.place_members(entities, forms).await?;
        for ids in key_lists(&ids) {
            update_from_form(self.tx, &ids).await?;
        }
        let (mut links, mut history, mut merges) = (Vec::new(), Vec::new(), 0);
        for entity in entities {
            let row = &forms[&entity.form].row;
            let Some(canonical) = row.canonical_id else {
                continue;
            };
            if canonical != entity.id {
                links.push(self.link(entity.id, canonical, row));
            }
            if canonical != entity.canonical {
                merges += usize::from(canonical != entity.id);
                history.push(self.merge(entity.id, canonical, row, plan));
            }
        }
        for ids in key_lists(&ids) {
            same_as_link::Entity::delete_many()
                .filter(same_as_link::Column::MemberId.is_in(ids))
                .exec(self.tx)
                .await?;
        }
        insert(self.tx, links, None).await?;
        insert(self.tx, history, None).await?;
        Ok(merges)
    }

    async fn place_members(
        &self,
        entities: &[Placed],
        forms: &HashMap<Uuid, &Stored>,
    ) -> Result<(), StoreError> {
        use cluster_member::{ActiveModel, Column, Entity};
        let known: Vec<Uuid> = entities
            .iter()
            .filter(|entity| entity.clustered)
            .map(|entity| entity.id)
            .collect();
        for known in key_lists(&known) {
            let cluster = of_form(
                resolution_form::Column::ClusterId,
                Expr::col((Entity, Column::EntityId)),
            );
            Entity::update_many()
                .col_expr(Column::ClusterId, cluster.into())
                .filter(Column::EntityId.is_in(known))
                .exec(self.tx)
                .await?;
        }
        let new = entities.iter().filter(|entity| !entity.clustered);
        let new = new.filter_map(|entity| {
            Some(ActiveModel {
                id: Set(self.entropy.uuid_v7()),
                organization_id: Set(self.organization.uuid()),
                cluster_id: Set(forms[&entity.form].row.cluster_id?),
                entity_id: Set(entity.id),
                created_at: Set(self.at),
                updated_at: Set(self.at),
            })
        });
        insert(self.tx, new.collect(), None).await
    }

    fn link(
        &self,
        member: Uuid,
        canonical: Uuid,
        form: &resolution_form::Model,
    ) -> same_as_link::ActiveModel {
        same_as_link::ActiveModel {
            id: Set(self.entropy.uuid_v7()),
            organization_id: Set(self.organization.uuid()),
            canonical_id: Set(canonical),
            member_id: Set(member),
            confidence: Set(form.link_confidence.unwrap_or(1.0)),
            reason: Set(form.link_reason.clone().unwrap_or_default()),
            created_at: Set(self.at),
            updated_at: Set(self.at),
        }
    }

    fn merge(
        &self,
        source: Uuid,
        target: Uuid,
        form: &resolution_form::Model,
        plan: &Plan,
    ) -> merge_history::ActiveModel {
        let rule = form
            .link_reason
            .as_deref()
            .and_then(|rule| rule.parse().ok());
        let decider = match rule {
            _ if self.author.decides(form.id, || plan.form_of_face(target)) => {
                Some(self.author.to_string())
            }
            Some(Rule::Manual) => plan.deciders.get(&form.id).cloned(),
            _ => None,
        };
        let reason = match rule {
            _ if decider.is_some() => "manual",
            _ if source == target => "separated",
            Some(Rule::ExactName) => "exact_name",
            Some(Rule::Manual) => "manual",
            _ => "similarity",
        };
        merge_history::ActiveModel {
            id: Set(self.entropy.uuid_v7()),
            organization_id: Set(self.organization.uuid()),
            source_entity_id: Set(source),
            target_entity_id: Set(target),
            reason: Set(reason.to_owned()),
            confidence: Set(form.link_confidence.unwrap_or(1.0)),
            merged_by: Set(decider.unwrap_or_else(|| self.author.resolver())),
            batch_id: Set(self.author.batch().map(BatchId::uuid)),
            merged_at: Set(self.at),
            created_at: Set(self.at),
            updated_at: Set(self.at),
        }
    }
}

/// Who decided that forms of a cluster belong to it.
fn decided(
    cluster: &FormCluster,
    members: &BTreeMap<usize, Stored>,
    deciders: &BTreeMap<(Uuid, Uuid), String>,
) -> Vec<(Uuid, String)> {
    let links = cluster.links.iter();
    let manual = links.filter(|link| link.rule == Rule::Manual);
    let of = manual.filter_map(|link| {
        let (left, right) = (members.get(&link.left)?, members.get(&link.right)?);
        let (left, right) = (left.row.id, right.row.id);
        let decider = deciders.get(&(Ord::min(left, right), Ord::max(left, right)))?;
        Some([(left, decider.clone()), (right, decider.clone())])
    });
    of.flatten().collect()
}

fn overwritten() -> OnConflict {
    use entity_cluster::Column;
    let version = Expr::col((entity_cluster::Entity, Column::Version)).add(1);
    OnConflict::column(Column::Id)
        .update_columns([
            Column::CanonicalEntityId,
            Column::MemberCount,
            Column::Cohesion,
            Column::SharedTypes,
            Column::UpdatedAt,
        ])
        .value(Column::Version, version)
        .to_owned()
}

/// What the form of an entity says.
fn of_form(column: resolution_form::Column, entity: Expr) -> SelectStatement {
    let form = resolution_form::Entity;
    Query::select()
        .column((form, column))
        .from(form)
        .inner_join(
            entity::Entity,
            Expr::col((entity::Entity, entity::Column::FormId))
                .equals((form, resolution_form::Column::Id)),
        )
        .and_where(Expr::col((entity::Entity, entity::Column::Id)).eq(entity))
        .take()
}

/// Points entities, and their mentions, at the canonical entity of their form.
async fn update_from_form(
    tx: &sea_orm::DatabaseTransaction,
    ids: &[Uuid],
) -> Result<(), StoreError> {
    let canonical = Query::select()
        .column((
            resolution_form::Entity,
            resolution_form::Column::CanonicalId,
        ))
        .from(resolution_form::Entity)
        .and_where(
            Expr::col((resolution_form::Entity, resolution_form::Column::Id))
                .equals((entity::Entity, entity::Column::FormId)),
        )
        .take();
    entity::Entity::update_many()
        .col_expr(entity::Column::CanonicalId, canonical.into())
        .col_expr(entity::Column::Clustered, Expr::value(true))
        .filter(entity::Column::Id.is_in(ids.iter().copied()))
        .exec(tx)
        .await?;
    let resolved = Query::select()
        .column((entity::Entity, entity::Column::CanonicalId))
        .from(entity::Entity)
        .and_where(
            Expr::col((entity::Entity, entity::Column::Id))
                .equals((mention_record::Entity, mention_record::Column::EntityId)),
        )
        .take();
    mention_record::Entity::update_many()
        .col_expr(mention_record::Column::ResolvedEntityId, resolved.into())
        .filter(Condition::all().add(mention_record::Column::EntityId.is_in(ids.iter().copied())))
        .exec(tx)
        .await?;
    Ok(())
}

async fn insert<A>(
    tx: &sea_orm::DatabaseTransaction,
    rows: Vec<A>,
    on_conflict: Option<OnConflict>,
) -> Result<(), StoreError>
where
    A: ActiveModelTrait + Send + Sync,
{
    for rows in portions(&rows) {
        let mut insert = <A::Entity as EntityTrait>::insert_many(rows.to_vec());
        if let Some(on_conflict) = &on_conflict {
            insert = insert.on_conflict(on_conflict.clone());
        }
        insert.exec_without_returning(tx).await?;
    }
    Ok(())
}
