//! What is connected with some forms, read block by block and clustered.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use knowledge_domain::ids::FormId;
use knowledge_resolution::{Decisions, Exploration, Explored, Form, Vector};
use knowledge_tables::resolution_decision::{Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{Resolution, blocks::Blocks, forms::Stored, meaning::vectors};
use crate::store::{StoreError, portions::key_lists, scope::on_either_side};

/// Decisions, as `resolution_decision.kind` has them.
pub(super) const TOGETHER: &str = "together";
pub(super) const APART: &str = "apart";

/// Vectors that are read at a time to see which of them are near.
const VECTORS_A_PORTION: usize = 512;

/// Forms, clustered, with the rows of all that were reached.
pub(super) struct Component {
    pub(super) explored: Explored,
    pub(super) rows: BTreeMap<String, Stored>,
    /// Who decided that forms are one, by their ids, the smaller first.
    pub(super) deciders: BTreeMap<(Uuid, Uuid), String>,
    /// Forms that a person took apart, as above.
    pub(super) apart: BTreeSet<(Uuid, Uuid)>,
}

/// What an exploration has read.
#[derive(Default)]
struct Known {
    forms: BTreeMap<Uuid, Stored>,
    clusters: HashSet<Uuid>,
    decided: BTreeSet<Uuid>,
    decisions: BTreeMap<Uuid, Model>,
}

impl Resolution<'_> {
    /// Clusters everything that is connected with some forms.
    pub(super) async fn component(&self, dirty: Vec<Uuid>) -> Result<Component, StoreError> {
        let mut known = Known {
            forms: self.forms(dirty).await?,
            ..Known::default()
        };
        let forms = known.forms.values().map(|stored| stored.form.clone());
        let mut exploration = Exploration::new(self.settings, forms);
        loop {
            let wanted = exploration.next_blocks();
            if wanted.is_empty() {
                break;
            }
            self.read_blocks(&mut exploration, &mut known, &wanted)
                .await?;
            self.read_clusters(&mut exploration, &mut known).await?;
            self.read_decisions(&mut exploration, &mut known).await?;
        }
        let explored = exploration.finish(&known.decisions());
        let mut rows: BTreeMap<String, Stored> = std::mem::take(&mut known.forms)
            .into_values()
            .map(|stored| (stored.form.key.clone(), stored))
            .collect();
        let reached: BTreeSet<&String> = explored.forms.iter().map(|form| &form.key).collect();
        rows.retain(|key, _| reached.contains(key));
        let (together, apart): (Vec<&Model>, Vec<&Model>) = known
            .decisions
            .values()
            .partition(|row| row.kind == TOGETHER);
        let pair = |row: &Model| (row.left_form_id, row.right_form_id);
        let deciders = together.into_iter();
        Ok(Component {
            explored,
            rows,
            deciders: deciders
                .map(|row| (pair(row), row.decided_by.clone()))
                .collect(),
            apart: apart.into_iter().map(pair).collect(),
        })
    }

    /// Compares the forms of the frontier with those that share a block or a leaf with them.
    async fn read_blocks(
        &self,
        exploration: &mut Exploration,
        known: &mut Known,
        wanted: &[(String, Vec<u64>)],
    ) -> Result<(), StoreError> {
        let mut keys: Vec<u64> = wanted.iter().flat_map(|(_, keys)| keys).copied().collect();
        keys.sort_unstable();
        keys.dedup();
        let mut blocks: Blocks = self.blocks(&keys).await?;
        blocks.retain(|_, forms| forms.len() <= self.settings.max_block);
        let block = |key| blocks.get(&key).map_or(&[][..], Vec::as_slice);
        let near = wanted.iter().map(|(_, keys)| {
            let near = keys.iter().flat_map(|key| block(*key));
            near.copied().collect::<BTreeSet<Uuid>>()
        });
        let named: Vec<BTreeSet<Uuid>> = near.collect();
        let meant = self.near_meanings(exploration, wanted, &named).await?;
        let ids: BTreeSet<Uuid> = named.iter().chain(&meant).flatten().copied().collect();
        let missing = ids.iter().filter(|id| !known.forms.contains_key(id));
        let missing = missing.copied().collect();
        known.forms.extend(self.forms(missing).await?);
        let unseen: Vec<Form> = ids
            .iter()
            .filter_map(|id| known.forms.get(id))
            .filter(|stored| !exploration.knows(&stored.form.key))
            .map(|stored| stored.form.clone())
            .collect();
        exploration.see(unseen);
        let key = |id: &Uuid| Some(known.forms.get(id)?.form.key.as_str());
        for ((from, _), (named, meant)) in wanted.iter().zip(named.iter().zip(&meant)) {
            let named = named.iter().filter_map(key);
            exploration.compare(named.map(|to| (from.as_str(), to)));
            let meant = meant.iter().filter_map(key);
            exploration.compare_meanings(meant.map(|to| (from.as_str(), to)));
        }
        Ok(())
    }

    /// For each form the others that may mean the same, by vectors that lie near its own, and that
    /// are not near it by their names. The vectors are read a portion at a time: where many names
    /// have something in common, most of them are not near, and there are more than fit in memory.
    async fn near_meanings(
        &self,
        exploration: &Exploration,
        wanted: &[(String, Vec<u64>)],
        named: &[BTreeSet<Uuid>],
    ) -> Result<Vec<BTreeSet<Uuid>>, StoreError> {
        let mut near = vec![BTreeSet::new(); wanted.len()];
        let Some(model) = &self.model else {
            return Ok(near);
        };
        let own = wanted
            .iter()
            .map(|(from, _)| exploration.vector(from).cloned());
        let own: Vec<Option<Vector>> = own.collect();
        let known: Vec<Vector> = own.iter().flatten().cloned().collect();
        let leaves = self.leaves(model, &known).await?;
        let mut candidates: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
        for (at, (from, _)) in wanted.iter().enumerate() {
            let alike = exploration.alike(from, |tree, address| leaves.leaf(tree, address));
            let alike = alike.into_iter().map(FormId::uuid);
            for form in alike.filter(|form| !named[at].contains(form)) {
                candidates.entry(form).or_default().push(at);
            }
        }
        let ids: Vec<Uuid> = candidates.keys().copied().collect();
        for ids in ids.chunks(VECTORS_A_PORTION) {
            for (form, vector) in vectors(self.tx, self.organization, model, ids).await? {
                let of = candidates.get(&form).into_iter().flatten();
                for at in of {
                    let pair = vector.as_ref().zip(own[*at].as_ref());
                    if pair.is_some_and(|(other, own)| own.is_near(other)) {
                        near[*at].insert(form);
                    }
                }
            }
        }
        Ok(near)
    }

    /// Adds the forms that are in one cluster with what was reached: they may not stay in it.
    async fn read_clusters(
        &self,
        exploration: &mut Exploration,
        known: &mut Known,
    ) -> Result<(), StoreError> {
        let clusters: BTreeSet<Uuid> = known
            .reached(exploration)
            .filter_map(|stored| stored.row.cluster_id)
            .filter(|cluster| !known.clusters.contains(cluster))
            .collect();
        let forms = self
            .forms_of_clusters(clusters.iter().copied().collect())
            .await?;
        known.clusters.extend(clusters);
        exploration.reach(forms.values().map(|stored| stored.form.clone()));
        known.forms.extend(forms);
        Ok(())
    }

    /// Adds what persons decided of what was reached, and the forms that they put together with it.
    async fn read_decisions(
        &self,
        exploration: &mut Exploration,
        known: &mut Known,
    ) -> Result<(), StoreError> {
        let ids: BTreeSet<Uuid> = known
            .reached(exploration)
            .map(|stored| stored.row.id)
            .filter(|id| !known.decided.contains(id))
            .collect();
        let ids: Vec<Uuid> = ids.into_iter().collect();
        let decisions = self.decisions_of(&ids).await?;
        known.decided.extend(ids);
        let others = decisions
            .iter()
            .flat_map(|row| [row.left_form_id, row.right_form_id])
            .filter(|id| !known.forms.contains_key(id));
        let others: BTreeSet<Uuid> = others.collect();
        known
            .forms
            .extend(self.forms(others.into_iter().collect()).await?);
        let together = decisions.iter().filter(|row| row.kind == TOGETHER);
        let together = together.flat_map(|row| [row.left_form_id, row.right_form_id]);
        let together: Vec<_> = together
            .filter_map(|id| known.forms.get(&id))
            .map(|stored| stored.form.clone())
            .collect();
        exploration.reach(together);
        known
            .decisions
            .extend(decisions.into_iter().map(|row| (row.id, row)));
        Ok(())
    }

    pub(super) async fn decisions_of(&self, forms: &[Uuid]) -> Result<Vec<Model>, StoreError> {
        let mut decisions: BTreeMap<Uuid, Model> = BTreeMap::new();
        for ids in key_lists(forms) {
            let sides = on_either_side(
                (Column::OrganizationId, self.organization),
                (Column::LeftFormId, Column::RightFormId),
                |side| side.is_in(ids.iter().copied()),
            );
            for side in sides {
                let found = Entity::find().filter(side).all(self.tx).await?;
                decisions.extend(found.into_iter().map(|row| (row.id, row)));
            }
        }
        let decisions = decisions.into_values().collect();
        Ok(decisions)
    }
}

impl Known {
    fn reached<'a>(&'a self, exploration: &'a Exploration) -> impl Iterator<Item = &'a Stored> {
        let reached: HashSet<&str> = exploration.reached().collect();
        let forms = self.forms.values();
        forms.filter(move |stored| reached.contains(stored.form.key.as_str()))
    }

    fn decisions(&self) -> Decisions {
        let mut decisions = Decisions::default();
        for row in self.decisions.values() {
            let forms = (
                self.forms.get(&row.left_form_id),
                self.forms.get(&row.right_form_id),
            );
            if let (Some(left), Some(right)) = forms {
                let pair = Decisions::pair(&left.form.key, &right.form.key);
                if row.kind == TOGETHER {
                    decisions.together.insert(pair);
                } else {
                    decisions.apart.insert(pair);
                }
            }
        }
        decisions
    }
}
