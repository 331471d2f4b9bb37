//! Everything at once: entities in memory to clusters.

use std::collections::{BTreeMap, HashMap};

use knowledge_domain::ids::EntityId;

use crate::{
    Candidate, Decisions, Edge, Face, FaceStrategy, Form, FormCluster, Rule, Settings, block,
    cluster, explore::edge, form::Prepared, select_face,
};

/// A cluster after resolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// The smallest key of its forms.
    pub key: String,
    /// The member that faces it.
    pub canonical: EntityId,
    /// Members by id.
    pub members: Vec<Member>,
    /// Classes that all members have, sorted.
    pub shared_types: Vec<String>,
    /// The mean score of the links between its forms.
    pub cohesion: f64,
    /// Whether more would have joined, were it not full.
    pub review: bool,
}

/// A member of a cluster, and why it is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// The entity.
    pub id: EntityId,
    /// How sure it is the same as the canonical entity, 0..1.
    pub confidence: f64,
    /// Why.
    pub reason: Rule,
}

/// Puts entities into clusters, which come sorted by key.
#[must_use]
pub fn resolve(
    candidates: &[Candidate],
    decisions: &Decisions,
    settings: &Settings,
) -> Vec<Cluster> {
    let mut groups: BTreeMap<String, (Form, Vec<&Candidate>)> = BTreeMap::new();
    for candidate in candidates {
        let form = Form::of(candidate);
        let group = groups
            .entry(form.key.clone())
            .or_insert_with(|| (form.clone(), Vec::new()));
        group.0.absorb(&form);
        group.1.push(candidate);
    }
    let (forms, members): (Vec<Form>, Vec<Vec<&Candidate>>) = groups.into_values().unzip();
    let mut clusters: Vec<Cluster> = cluster_forms(&forms, decisions, settings)
        .iter()
        .filter_map(|(refs, cluster)| described(refs, cluster, &forms, &members))
        .collect();
    clusters.sort_by(|one, other| one.key.cmp(&other.key));
    clusters
}

/// Clusters forms that are sorted by key; each with the places of its component's forms.
fn cluster_forms(
    forms: &[Form],
    decisions: &Decisions,
    settings: &Settings,
) -> Vec<(Vec<usize>, FormCluster)> {
    let edges = edges(forms, settings);
    let mut sets = Sets::new(forms.len());
    for edge in &edges {
        sets.unite(edge.left, edge.right);
    }
    let place = |key: &String| forms.binary_search_by(|form| form.key.cmp(key)).ok();
    for (left, right) in &decisions.together {
        if let (Some(left), Some(right)) = (place(left), place(right)) {
            sets.unite(left, right);
        }
    }
    let mut components: BTreeMap<usize, (Vec<usize>, Vec<Edge>)> = BTreeMap::new();
    for index in 0..forms.len() {
        components
            .entry(sets.root(index))
            .or_default()
            .0
            .push(index);
    }
    for edge in edges {
        let component = components.entry(sets.root(edge.left)).or_default();
        component.1.push(edge);
    }
    let clustered = components.into_values().flat_map(|(places, edges)| {
        let refs: Vec<&Form> = places.iter().map(|place| &forms[*place]).collect();
        let local = |place: usize| places.binary_search(&place).unwrap_or_default();
        let edges: Vec<Edge> = edges
            .iter()
            .map(|edge| Edge {
                left: local(edge.left),
                right: local(edge.right),
                ..*edge
            })
            .collect();
        let clusters = cluster(&refs, &edges, decisions, settings);
        clusters
            .into_iter()
            .map(move |cluster| (places.clone(), cluster))
    });
    clustered.collect()
}

/// The linked pairs of all forms, by their places.
fn edges(forms: &[Form], settings: &Settings) -> Vec<Edge> {
    let prepared: Vec<Prepared<'_>> = forms.iter().map(Prepared::new).collect();
    let mut blocks: HashMap<u64, Vec<u32>> = HashMap::new();
    let keys: Vec<Vec<u64>> = prepared.iter().map(block::keys).collect();
    for (keys, index) in keys.iter().zip(0_u32..) {
        for key in keys {
            let block = blocks.entry(*key).or_default();
            if block.len() <= settings.max_block {
                block.push(index);
            }
        }
    }
    blocks.retain(|_, block| (2..=settings.max_block).contains(&block.len()));
    let mut edges = Vec::new();
    let mut others: Vec<u32> = Vec::new();
    for (keys, index) in keys.iter().zip(0_usize..) {
        others.clear();
        for block in keys.iter().filter_map(|key| blocks.get(key)) {
            others.extend(block.iter().filter(|other| **other as usize > index));
        }
        others.sort_unstable();
        others.dedup();
        let linked = others.iter().filter_map(|other| {
            let other = *other as usize;
            edge(index, &prepared[index], other, &prepared[other], settings)
        });
        edges.extend(linked);
    }
    edges
}

fn described(
    places: &[usize],
    cluster: &FormCluster,
    forms: &[Form],
    members: &[Vec<&Candidate>],
) -> Option<Cluster> {
    let strategy = FaceStrategy::default();
    let best = |form: usize| {
        let faces: Vec<Face> = members[places[form]].iter().map(|c| Face::of(c)).collect();
        select_face(&faces, strategy).cloned()
    };
    let faces: Vec<(usize, Face)> = cluster
        .full_forms()
        .into_iter()
        .filter_map(|form| Some((form, best(form)?)))
        .collect();
    let face = select_face(faces.iter().map(|(_, face)| face), strategy)?;
    let (face_form, face) = faces.iter().find(|(_, other)| other == face)?;
    let mut listed = Vec::new();
    for form in &cluster.forms {
        let link = cluster.weakest(*face_form, *form);
        listed.extend(members[places[*form]].iter().map(|candidate| Member {
            id: candidate.id,
            confidence: link.map_or(1.0, |link| link.score),
            reason: link.map_or(Rule::ExactName, |link| link.rule),
        }));
    }
    listed.sort_by_key(|member| member.id);
    listed.dedup_by_key(|member| member.id);
    let mut types = forms[places[*face_form]].types.clone();
    let all = || cluster.forms.iter().map(|form| &forms[places[*form]]);
    types.retain(|class| all().all(|form| form.types.contains(class)));
    Some(Cluster {
        key: all().map(|form| &form.key).min()?.clone(),
        canonical: face.entity,
        members: listed,
        shared_types: types,
        cohesion: cluster.cohesion(),
        review: cluster.review,
    })
}

/// Disjoint sets whose root is the smallest member.
struct Sets(Vec<usize>);

impl Sets {
    fn new(size: usize) -> Self {
        Self((0..size).collect())
    }

    fn root(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    fn unite(&mut self, left: usize, right: usize) {
        let (left, right) = (self.root(left), self.root(right));
        self.0[left.max(right)] = left.min(right);
    }
}
