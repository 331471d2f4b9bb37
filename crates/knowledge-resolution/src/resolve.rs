//! Everything at once: entities in memory to clusters.

use knowledge_domain::ids::EntityId;

use crate::{
    Candidate, Decisions, Edge, Face, FaceStrategy, Form, FormCluster, Rule, Settings,
    cluster::cluster_prepared, explore::edge, form::Prepared, outline::Outline, pairs::Blocks,
    select_face,
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
    let groups = Groups::new(candidates);
    let mut clusters = Vec::with_capacity(groups.forms.len());
    each_cluster(&groups.forms, decisions, settings, |places, cluster| {
        clusters.extend(match cluster {
            Some(cluster) => groups.described(places, cluster),
            None => groups.alone(places[0]),
        });
    });
    clusters.sort_by(|one, other| one.key.cmp(&other.key));
    clusters
}

/// What there is to compare, which no machine and no load changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// Forms of the entities.
    pub forms: usize,
    /// Pairs of forms that share a block.
    pub pairs: usize,
}

/// What resolving these entities compares.
#[must_use]
pub fn workload(candidates: &[Candidate], settings: &Settings) -> Workload {
    let forms = Groups::new(candidates).forms;
    let prepared: Vec<Prepared<'_>> = forms.iter().map(Prepared::new).collect();
    let blocks = Blocks::new(&prepared, settings.max_block);
    let mut pairs = Vec::new();
    blocks.pairs(|_| (), |(), ()| true, |found| pairs.extend(found));
    pairs.sort_unstable();
    pairs.dedup();
    Workload {
        forms: forms.len(),
        pairs: pairs.len(),
    }
}

/// Entities by their forms.
struct Groups<'a> {
    /// The forms, sorted by key.
    forms: Vec<Form>,
    /// All entities, form by form.
    members: Vec<(EntityId, &'a Candidate)>,
    /// Where each form's entities begin in `members`, and where the last one's end.
    starts: Vec<usize>,
}

impl<'a> Groups<'a> {
    fn new(candidates: &'a [Candidate]) -> Self {
        let form = |candidate: &Candidate| (candidate.id, Form::of(candidate));
        let forms: Vec<(EntityId, Form)> = candidates.iter().map(form).collect();
        let order = by_key(&forms);
        let mut groups = Self {
            forms: Vec::with_capacity(forms.len()),
            members: Vec::with_capacity(forms.len()),
            starts: Vec::with_capacity(forms.len() + 1),
        };
        for at in order {
            let (id, form) = &forms[at];
            let last = groups.forms.last_mut();
            if let Some(last) = last.filter(|last| last.key == form.key) {
                last.absorb(form);
            } else {
                groups.starts.push(groups.members.len());
                // What follows goes through the forms in this order, and finds what a copy made in
                // it holds side by side: of a million that saves a tenth of the time.
                groups.forms.push(form.clone());
            }
            groups.members.push((*id, &candidates[at]));
        }
        groups.starts.push(groups.members.len());
        groups
    }

    fn members(&self, form: usize) -> &[(EntityId, &'a Candidate)] {
        &self.members[self.starts[form]..self.starts[form + 1]]
    }

    /// The cluster of a form that is linked with no other. Most are of one entity, which lies
    /// anywhere in memory and is not looked at.
    fn alone(&self, form: usize) -> Option<Cluster> {
        let [(only, _)] = self.members(form) else {
            return self.described(&[form], &FormCluster::alone());
        };
        Some(Cluster {
            key: self.forms[form].key.clone(),
            canonical: *only,
            members: vec![Member {
                id: *only,
                confidence: 1.0,
                reason: Rule::ExactName,
            }],
            shared_types: self.forms[form].types.clone(),
            cohesion: 1.0,
        })
    }

    /// A cluster of forms as one of their entities; `places` are those of its component's forms.
    fn described(&self, places: &[usize], cluster: &FormCluster) -> Option<Cluster> {
        let strategy = FaceStrategy::default();
        let best = |form: usize| {
            let members = self.members(places[form]).iter();
            let faces: Vec<Face> = members.map(|(_, member)| Face::of(member)).collect();
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
            let members = self.members(places[*form]).iter();
            listed.extend(members.map(|(id, _)| Member {
                id: *id,
                confidence: link.map_or(1.0, |link| link.score),
                reason: link.map_or(Rule::ExactName, |link| link.rule),
            }));
        }
        listed.sort_by_key(|member| member.id);
        listed.dedup_by_key(|member| member.id);
        let mut types = self.forms[places[*face_form]].types.clone();
        let all = || cluster.forms.iter().map(|form| &self.forms[places[*form]]);
        types.retain(|class| all().all(|form| form.types.contains(class)));
        Some(Cluster {
            key: all().map(|form| &form.key).min()?.clone(),
            canonical: face.entity,
            members: listed,
            shared_types: types,
            cohesion: cluster.cohesion(),
        })
    }
}

/// The places of forms in the order of their keys.
///
/// Sorts by what a key begins with, which lies beside the place, and only looks at the key itself
/// where that is the same: keys lie all over the memory.
fn by_key(forms: &[(EntityId, Form)]) -> impl Iterator<Item = usize> + use<> {
    let key = |at: usize| forms[at].1.key.as_str();
    let mut order: Vec<([u64; 3], usize)> = (0..forms.len())
        .map(|at| (beginning(key(at)), at))
        .collect();
    order.sort_unstable_by(|(one, at), (other, there)| {
        one.cmp(other)
            .then_with(|| key(*at).cmp(key(*there)))
            .then(at.cmp(there))
    });
    order.into_iter().map(|(_, at)| at)
}

/// The first bytes of a key, so that numbers are in the order of what they are of.
fn beginning(key: &str) -> [u64; 3] {
    let mut bytes = key.bytes();
    [0; 3].map(|_: u64| {
        let eight = [0; 8].map(|_: u8| bytes.next().unwrap_or_default());
        u64::from_be_bytes(eight)
    })
}

/// Clusters forms that are sorted by key; each with the places of its component's forms, and without
/// a cluster where that is one form.
fn each_cluster(
    forms: &[Form],
    decisions: &Decisions,
    settings: &Settings,
    mut found: impl FnMut(&[usize], Option<&FormCluster>),
) {
    let prepared: Vec<Prepared<'_>> = forms.iter().map(Prepared::new).collect();
    let mut edges = edges(&prepared, settings);
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
    // The root of a component is its first form, so both lists follow the components.
    let mut rooted: Vec<(usize, usize)> = (0..forms.len())
        .map(|form| (sets.root(form), form))
        .collect();
    rooted.sort_unstable();
    edges.sort_by_cached_key(|edge| (sets.root(edge.left), edge.left, edge.right));
    let mut rest = edges.as_slice();
    for component in rooted.chunk_by(|one, other| one.0 == other.0) {
        let places: Vec<usize> = component.iter().map(|(_, form)| *form).collect();
        let [alone] = places.as_slice() else {
            let within = rest.partition_point(|edge| sets.peek(edge.left) <= places[0]);
            let (edges, after) = rest.split_at(within);
            rest = after;
            let of: Vec<&Prepared<'_>> = places.iter().map(|place| &prepared[*place]).collect();
            let edges = local(edges, &places);
            for cluster in &cluster_prepared(of, &edges, decisions, settings).clusters {
                found(&places, Some(cluster));
            }
            continue;
        };
        found(&[*alone], None);
    }
}

/// Edges by the places of their forms in their component.
fn local(edges: &[Edge], places: &[usize]) -> Vec<Edge> {
    let local = |place: usize| places.binary_search(&place).unwrap_or_default();
    let edges = edges.iter().map(|edge| Edge {
        left: local(edge.left),
        right: local(edge.right),
        ..*edge
    });
    edges.collect()
}

/// The linked pairs of all forms, by their places.
fn edges(prepared: &[Prepared<'_>], settings: &Settings) -> Vec<Edge> {
    let blocks = Blocks::new(prepared, settings.max_block);
    let outlines: Vec<Option<Outline>> = prepared.iter().map(outline).collect();
    let may_be_one = |one: &Option<Outline>, other: &Option<Outline>| {
        let outlines = one.as_ref().zip(other.as_ref());
        outlines.is_none_or(|(one, other)| !one.is_unlike(other))
    };
    let mut edges = Vec::new();
    blocks.pairs(
        |form| outlines[form],
        may_be_one,
        |pairs| {
            edges.extend(pairs.filter_map(|(left, right)| {
                edge(left, &prepared[left], right, &prepared[right], settings)
            }));
        },
    );
    edges.sort_by_key(|edge| (edge.left, edge.right));
    edges.dedup_by_key(|edge| (edge.left, edge.right));
    edges
}

/// What can be told at a glance of a form, beside others; nothing where names are not all there is.
fn outline(form: &Prepared<'_>) -> Option<Outline> {
    form.outline.filter(|_| form.form.vector.is_none())
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

    /// The root of a member whose path is short already.
    fn peek(&self, mut index: usize) -> usize {
        while self.0[index] != index {
            index = self.0[index];
        }
        index
    }

    fn unite(&mut self, left: usize, right: usize) {
        let (left, right) = (self.root(left), self.root(right));
        self.0[left.max(right)] = left.min(right);
    }
}
