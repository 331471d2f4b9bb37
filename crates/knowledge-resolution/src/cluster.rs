//! Constrained clustering of the forms of one component.
//!
//! Same names first, then slips of the pen, then short forms, each joining the one full form that
//! it can mean. No union ever brings two forms together that are in conflict, however long the
//! chain between them; and every step goes through the forms in the order of their keys, so the
//! result depends on what there is and on nothing else.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    Conflict, Form, Rule, Settings, Side,
    compare::{compare_prepared, conflict},
    form::Prepared,
};

/// What persons decided, by keys of forms, the smaller first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    /// Forms that are one.
    pub together: BTreeSet<(String, String)>,
    /// Forms that are not.
    pub apart: BTreeSet<(String, String)>,
}

impl Decisions {
    /// A pair as it is kept: the smaller key first.
    #[must_use]
    pub fn pair(left: &str, right: &str) -> (String, String) {
        let (small, large) = (left.min(right), left.max(right));
        (small.to_owned(), large.to_owned())
    }
}

/// Two forms that may be one, by their places in the list that is clustered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// The first form.
    pub left: usize,
    /// The second form.
    pub right: usize,
    /// Why.
    pub rule: Rule,
    /// How sure, 0..1.
    pub score: f64,
    /// Which one is short for the other.
    pub short: Option<Side>,
}

/// Forms that mean one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct FormCluster {
    /// Places of its forms, sorted; not empty.
    pub forms: Vec<usize>,
    /// The edges that brought them together: a tree over the forms.
    pub links: Vec<Edge>,
}

/// Why two forms that are linked were left apart, for a person to decide.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::Display, strum::EnumString,
)]
#[strum(serialize_all = "snake_case")]
pub enum Doubt {
    /// The cluster would have more names than it may without review.
    Full,
    /// The short one can mean several.
    Ambiguous,
    /// They sound alike or mean nearly the same, and nothing else says that they are one.
    Near,
}

/// Two forms that may be one, which takes a person to tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// The link between the two, by their places in the list that was clustered.
    pub edge: Edge,
    /// Why they were left apart.
    pub doubt: Doubt,
}

/// What clustering gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Clustered {
    /// The clusters, in the order of their first forms.
    pub clusters: Vec<FormCluster>,
    /// What a person may decide, in the order of the forms.
    pub questions: Vec<Question>,
}

impl FormCluster {
    /// The only form of its component.
    pub(crate) fn alone() -> Self {
        Self {
            forms: vec![0],
            links: Vec::new(),
        }
    }

    /// The mean score of its links; 1 for a single form.
    #[must_use]
    pub fn cohesion(&self) -> f64 {
        if self.links.is_empty() {
            return 1.0;
        }
        self.links.iter().map(|link| link.score).sum::<f64>() / self.links.len() as f64
    }

    /// The forms that are not short for another one of the cluster; all, where each is.
    #[must_use]
    pub fn full_forms(&self) -> Vec<usize> {
        let short = |link: &Edge| match link.short? {
            Side::Left => Some(link.left),
            Side::Right => Some(link.right),
        };
        let short: BTreeSet<usize> = self.links.iter().filter_map(short).collect();
        let full = self.forms.iter().copied();
        let full: Vec<usize> = full.filter(|form| !short.contains(form)).collect();
        if full.is_empty() {
            return self.forms.clone();
        }
        full
    }

    /// Why `to` is what `from` is: the weakest link between them. Nothing between a form and
    /// itself.
    #[must_use]
    pub fn weakest(&self, from: usize, to: usize) -> Option<Edge> {
        let mut reached: BTreeMap<usize, Option<Edge>> = BTreeMap::from([(from, None)]);
        let mut frontier = vec![from];
        while let Some(at) = frontier.pop() {
            let sofar = reached[&at];
            for link in &self.links {
                let next = match at {
                    at if at == link.left => link.right,
                    at if at == link.right => link.left,
                    _ => continue,
                };
                if let std::collections::btree_map::Entry::Vacant(entry) = reached.entry(next) {
                    let weaker = sofar.filter(|sofar| sofar.score <= link.score);
                    entry.insert(Some(weaker.unwrap_or(*link)));
                    frontier.push(next);
                }
            }
        }
        reached.get(&to).copied().flatten()
    }
}

/// Meanings of a short form that a person is asked about at most.
const MEANINGS: usize = 3;

/// Clusters forms, which are sorted by key.
#[must_use]
pub fn cluster(
    forms: &[&Form],
    edges: &[Edge],
    decisions: &Decisions,
    settings: &Settings,
) -> Clustered {
    let prepared: Vec<Prepared<'_>> = forms.iter().map(|form| Prepared::new(form)).collect();
    cluster_prepared(prepared.iter().collect(), edges, decisions, settings)
}

pub(crate) fn cluster_prepared(
    forms: Vec<&Prepared<'_>>,
    edges: &[Edge],
    decisions: &Decisions,
    settings: &Settings,
) -> Clustered {
    let mut clustering = Clustering::new(forms, decisions, settings);
    clustering.decided();
    clustering.same(edges);
    clustering.short(edges);
    Clustered {
        questions: clustering.questions(),
        clusters: clustering.clusters(),
    }
}

struct Clustering<'a> {
    forms: Vec<&'a Prepared<'a>>,
    /// The cluster of each form, named by its smallest form.
    of: Vec<usize>,
    members: BTreeMap<usize, Vec<usize>>,
    links: BTreeMap<usize, Vec<Edge>>,
    doubts: Vec<Question>,
    together: Vec<(usize, usize)>,
    apart: BTreeSet<(usize, usize)>,
    settings: &'a Settings,
}

impl<'a> Clustering<'a> {
    fn new(forms: Vec<&'a Prepared<'a>>, decisions: &Decisions, settings: &'a Settings) -> Self {
        let place = |key: &String| {
            let found = forms.binary_search_by(|form| form.form.key.cmp(key));
            found.ok()
        };
        let places = |pairs: &BTreeSet<(String, String)>| {
            let places = pairs
                .iter()
                .filter_map(|(left, right)| Some((place(left)?, place(right)?)));
            places.collect::<Vec<_>>()
        };
        Self {
            of: (0..forms.len()).collect(),
            members: (0..forms.len()).map(|index| (index, vec![index])).collect(),
            links: BTreeMap::new(),
            doubts: Vec::new(),
            together: places(&decisions.together),
            apart: places(&decisions.apart).into_iter().collect(),
            forms,
            settings,
        }
    }

    /// What persons decided comes first, and nothing but another decision speaks against it.
    fn decided(&mut self) {
        for (left, right) in self.together.clone() {
            self.unite(Edge {
                left,
                right,
                rule: Rule::Manual,
                score: 1.0,
                short: None,
            });
        }
    }

    /// Names that are the same, best first, then those that are nearly so.
    fn same(&mut self, edges: &[Edge]) {
        let mut edges: Vec<Edge> = edges
            .iter()
            .filter(|edge| edge.short.is_none())
            .copied()
            .collect();
        edges.sort_by(|one, other| {
            let near = |edge: &Edge| edge.rule.is_near();
            near(one)
                .cmp(&near(other))
                .then(other.score.total_cmp(&one.score))
                .then((one.left, one.right).cmp(&(other.left, other.right)))
        });
        for edge in edges {
            self.unite(edge);
        }
    }

    /// Each short form joins the cluster that it can mean, the longest first, where there is only
    /// one or one fits much better.
    fn short(&mut self, edges: &[Edge]) {
        let mut by_short: BTreeMap<usize, Vec<Edge>> = BTreeMap::new();
        for edge in edges {
            match edge.short {
                Some(Side::Left) => by_short.entry(edge.left).or_default().push(*edge),
                Some(Side::Right) => by_short.entry(edge.right).or_default().push(*edge),
                None => {}
            }
        }
        let mut order: Vec<usize> = by_short.keys().copied().collect();
        order.sort_by_cached_key(|index| {
            let form = &self.forms[*index];
            let known = (form.form.is_untyped(), form.form.identity.is_empty());
            (Reverse(form.fullness), known, *index)
        });
        for short in order {
            if let Some(edge) = self.meant(short, &by_short[&short]) {
                self.unite(edge);
            }
        }
    }

    /// The edge to the one cluster that a short form can mean; where there are several, a person is
    /// asked about the best.
    fn meant(&mut self, short: usize, edges: &[Edge]) -> Option<Edge> {
        let mut best: BTreeMap<usize, Edge> = BTreeMap::new();
        for edge in edges {
            let full = if edge.left == short {
                edge.right
            } else {
                edge.left
            };
            let cluster = self.of[full];
            if cluster == self.of[short] {
                // It is there already: what it means is settled.
                return None;
            }
            let kept = best.entry(cluster).or_insert(*edge);
            if edge.score > kept.score {
                *kept = *edge;
            }
        }
        let possible = |(cluster, edge): (usize, Edge)| {
            let forbidden = self.forbidden(cluster, self.of[short], edge.rule);
            (!forbidden).then_some(edge)
        };
        let mut best: Vec<Edge> = best.into_iter().filter_map(possible).collect();
        best.sort_by(|one, other| other.score.total_cmp(&one.score));
        match best.as_slice() {
            [only] => Some(*only),
            [first, second, ..] if first.score - second.score >= self.settings.margin => {
                Some(*first)
            }
            several => {
                let asked = several.iter().take(MEANINGS).map(|edge| Question {
                    edge: *edge,
                    doubt: Doubt::Ambiguous,
                });
                self.doubts.extend(asked);
                None
            }
        }
    }

    /// Doubts that are left when all is clustered: about two clusters that may still be one.
    fn questions(&mut self) -> Vec<Question> {
        let mut doubts = std::mem::take(&mut self.doubts);
        doubts.retain(|question| {
            let (left, right) = (self.of[question.edge.left], self.of[question.edge.right]);
            left != right && !self.forbidden(left, right, question.edge.rule)
        });
        doubts.sort_by_key(|question| (question.edge.left, question.edge.right, question.doubt));
        doubts.dedup_by_key(|question| (question.edge.left, question.edge.right));
        doubts
    }

    /// Unites the clusters of an edge's forms, unless something forbids it.
    fn unite(&mut self, edge: Edge) {
        let (left, right) = (self.of[edge.left], self.of[edge.right]);
        if left == right || self.forbidden(left, right, edge.rule) {
            return;
        }
        if self.members[&left].len() + self.members[&right].len() > self.settings.max_forms
            && edge.rule != Rule::Manual
        {
            self.doubts.push(Question {
                edge,
                doubt: Doubt::Full,
            });
            return;
        }
        let (kept, gone) = (left.min(right), left.max(right));
        let moved = self.members.remove(&gone).unwrap_or_default();
        for form in &moved {
            self.of[*form] = kept;
        }
        self.members.entry(kept).or_default().extend(moved);
        let mut links = self.links.remove(&gone).unwrap_or_default();
        links.push(edge);
        self.links.entry(kept).or_default().extend(links);
    }

    fn forbidden(&self, left: usize, right: usize, rule: Rule) -> bool {
        let pairs = self.members[&left]
            .iter()
            .flat_map(|one| self.members[&right].iter().map(move |other| (*one, *other)));
        let mut pairs = pairs.map(|(one, other)| (one.min(other), one.max(other)));
        pairs.any(|pair| self.conflict(pair, rule).is_some())
    }

    fn conflict(&self, (left, right): (usize, usize), rule: Rule) -> Option<Conflict> {
        if self.apart.contains(&(left, right)) {
            return Some(Conflict::Manual);
        }
        if rule == Rule::Manual {
            return None;
        }
        let (left, right) = (self.forms[left], self.forms[right]);
        let found = conflict(left, right);
        if found.is_some() || !rule.is_near() {
            return found;
        }
        // A chain of slips ends where its ends are too far apart.
        let comparable = left.name.core().len() == right.name.core().len();
        let compared = comparable.then(|| compare_prepared(left, right, self.settings));
        let far = compared.is_some_and(|compared| !compared.accepted(self.settings));
        far.then_some(Conflict::Words)
    }

    fn clusters(mut self) -> Vec<FormCluster> {
        let members = std::mem::take(&mut self.members);
        let clusters = members.into_iter().map(|(name, mut forms)| {
            forms.sort_unstable();
            FormCluster {
                forms,
                links: self.links.remove(&name).unwrap_or_default(),
            }
        });
        clusters.collect()
    }
}
