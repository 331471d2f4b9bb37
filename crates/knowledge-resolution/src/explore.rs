//! The part of a stored graph that new forms may change, found block by block.
//!
//! Whoever stores forms asks an [`Exploration`] what it wants to know next, answers, and finally
//! gets the clusters of every form that is connected with the ones that it began with. What is not
//! connected is never read.

use std::collections::{BTreeMap, BTreeSet};

use knowledge_domain::ids::FormId;

use crate::{
    Clustered, Comparison, Conflict, Decisions, Edge, Form, FormCluster, Leaf, Question, Rule,
    Settings, Vector, cluster, compare::compare_related, forest, form::Prepared,
};

/// Forms that are connected with the ones that it began with, as far as they are known.
#[derive(Debug)]
pub struct Exploration {
    settings: Settings,
    /// Forms of the components.
    reached: BTreeMap<String, Form>,
    /// Forms that were compared, and are connected with none that was reached.
    seen: BTreeMap<String, Form>,
    /// Reached forms whose blocks are to be read.
    frontier: BTreeSet<String>,
    /// Pairs that are linked.
    edges: BTreeMap<(String, String), Edge>,
    /// Pairs that a person may decide about, whatever else they are linked with.
    asked: BTreeMap<(String, String), Asked>,
    compared: BTreeSet<(String, String)>,
    /// Pairs whose meanings alone were compared.
    meant: BTreeSet<(String, String)>,
}

/// What came of an exploration.
#[derive(Debug)]
pub struct Explored {
    /// The forms, sorted by key.
    pub forms: Vec<Form>,
    /// Their clusters, by places in `forms`.
    pub clusters: Vec<FormCluster>,
    /// What a person may decide of them.
    pub questions: Vec<Question>,
    /// What a person may decide of one of them and another form, which need not be among them: a
    /// question connects nothing, and depends on the two alone.
    pub asked: Vec<Asked>,
}

/// Two forms that a person is asked about, by their keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The form with the smaller key.
    pub left: String,
    /// The form with the larger key.
    pub right: String,
    /// Why they may be one.
    pub rule: Rule,
    /// How sure, 0..1.
    pub score: f64,
}

impl Exploration {
    /// Begins with some forms.
    #[must_use]
    pub fn new(settings: Settings, forms: impl IntoIterator<Item = Form>) -> Self {
        let reached: BTreeMap<String, Form> = forms
            .into_iter()
            .map(|form| (form.key.clone(), form))
            .collect();
        Self {
            settings,
            frontier: reached.keys().cloned().collect(),
            reached,
            seen: BTreeMap::new(),
            edges: BTreeMap::new(),
            asked: BTreeMap::new(),
            compared: BTreeSet::new(),
            meant: BTreeSet::new(),
        }
    }

    /// Forms whose blocks are to be read next, with the keys of the blocks; none when all is known.
    pub fn next_blocks(&mut self) -> Vec<(String, Vec<u64>)> {
        let frontier = std::mem::take(&mut self.frontier);
        let wanted = frontier.into_iter().filter_map(|key| {
            let form = self.reached.get(&key)?;
            Some((key, form.block_keys()))
        });
        wanted.collect()
    }

    /// The vector of a reached form.
    #[must_use]
    pub fn vector(&self, form: &str) -> Option<&Vector> {
        self.reached.get(form)?.vector.as_ref()
    }

    /// Which forms may mean the same as a reached one, by the leaves that its vector lies in, each
    /// given by the number of the tree and the address; itself among them.
    pub fn alike<'a>(
        &self,
        form: &str,
        leaf: impl Fn(usize, u64) -> Option<&'a Leaf>,
    ) -> BTreeSet<FormId> {
        let addresses = self.vector(form).map(Vector::addresses);
        let places = addresses.into_iter().flatten().enumerate();
        let leaves = places.filter_map(|(tree, address)| Some((*address, leaf(tree, *address)?)));
        forest::alike(leaves, self.settings.max_block)
    }

    /// Whether a form is known already, reached or not.
    #[must_use]
    pub fn knows(&self, key: &str) -> bool {
        self.reached.contains_key(key) || self.seen.contains_key(key)
    }

    /// Adds forms that belong to what was reached, linked or not: they were in a cluster with it.
    pub fn reach(&mut self, forms: impl IntoIterator<Item = Form>) {
        for form in forms {
            self.seen.remove(&form.key);
            if !self.reached.contains_key(&form.key) {
                self.frontier.insert(form.key.clone());
                self.reached.insert(form.key.clone(), form);
            }
        }
    }

    /// Adds forms that share blocks with others; pairs of them are compared by [`Self::compare`].
    pub fn see(&mut self, forms: impl IntoIterator<Item = Form>) {
        for form in forms {
            if !self.knows(&form.key) {
                self.seen.insert(form.key.clone(), form);
            }
        }
    }

    /// Compares pairs of known forms that share a block; the first of each was reached.
    pub fn compare<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
        for (from, to) in pairs {
            let pair = Decisions::pair(from, to);
            if from == to || self.compared.contains(&pair) {
                continue;
            }
            if let Some(compared) = self.comparison(&pair) {
                self.ask(&pair, &compared);
                self.connect(&pair, to, &compared);
            }
            self.compared.insert(pair);
        }
    }

    /// Compares pairs of known forms that only their vectors bring together: by those nothing is
    /// linked, so that leaves may split without taking links apart.
    pub fn compare_meanings<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
        for (from, to) in pairs {
            let pair = Decisions::pair(from, to);
            if from == to || self.meant.contains(&pair) {
                continue;
            }
            let compared = self.comparison(&pair);
            if let Some(compared) = compared.filter(|it| it.rule == Some(Rule::SameMeaning)) {
                self.ask(&pair, &compared);
            }
            self.meant.insert(pair);
        }
    }

    /// What comes of comparing two known forms.
    fn comparison(&self, pair: &(String, String)) -> Option<Comparison> {
        let known = |key: &String| self.reached.get(key).or_else(|| self.seen.get(key));
        let (left, right) = (known(&pair.0)?, known(&pair.1)?);
        let (left, right) = (Prepared::new(left), Prepared::new(right));
        compare_related(&left, &right, &self.settings)
    }

    fn ask(&mut self, pair: &(String, String), compared: &Comparison) {
        let asked = compared.rule.filter(|_| compared.asked(&self.settings));
        if let Some(rule) = asked {
            let asked = Asked {
                left: pair.0.clone(),
                right: pair.1.clone(),
                rule,
                score: compared.score,
            };
            self.asked.insert(pair.clone(), asked);
        }
    }

    /// Reaches the second of a pair, where the two belong together.
    fn connect(&mut self, pair: &(String, String), to: &str, compared: &Comparison) {
        let edge = linked((0, 1), compared, &self.settings);
        // Two that one document has both may have been linked before it came, and what the link
        // stood in the way of is to be looked at again.
        let no_more = compared.conflict == Some(Conflict::Together);
        if edge.is_none() && !no_more {
            return;
        }
        if let Some(edge) = edge {
            self.edges.insert(pair.clone(), edge);
        }
        if let Some(form) = self.seen.remove(to) {
            self.reach([form]);
        }
    }

    /// The keys of the forms that were reached.
    pub fn reached(&self) -> impl Iterator<Item = &str> {
        self.reached.keys().map(String::as_str)
    }

    /// Clusters what was reached.
    #[must_use]
    pub fn finish(self, decisions: &Decisions) -> Explored {
        let forms: Vec<Form> = self.reached.into_values().collect();
        let place = |key: &String| forms.binary_search_by(|form| form.key.cmp(key)).ok();
        let edges: Vec<Edge> = self
            .edges
            .iter()
            .filter_map(|((left, right), edge)| {
                Some(Edge {
                    left: place(left)?,
                    right: place(right)?,
                    ..*edge
                })
            })
            .collect();
        let refs: Vec<&Form> = forms.iter().collect();
        let Clustered {
            clusters,
            questions,
        } = cluster(&refs, &edges, decisions, &self.settings);
        let mut of: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, cluster) in clusters.iter().enumerate() {
            of.extend(
                cluster
                    .forms
                    .iter()
                    .map(|form| (forms[*form].key.as_str(), at)),
            );
        }
        let mut asked = self.asked;
        asked.retain(|pair, _| {
            let (left, right) = (of.get(pair.0.as_str()), of.get(pair.1.as_str()));
            let reached = left.is_some() || right.is_some();
            reached && left != right && !decisions.apart.contains(pair)
        });
        drop(of);
        Explored {
            asked: asked.into_values().collect(),
            forms,
            clusters,
            questions,
        }
    }
}

/// The edge between two forms, when they are linked.
pub(crate) fn edge(
    left: usize,
    left_form: &Prepared<'_>,
    right: usize,
    right_form: &Prepared<'_>,
    settings: &Settings,
) -> Option<Edge> {
    let compared = compare_related(left_form, right_form, settings)?;
    linked((left, right), &compared, settings)
}

fn linked(
    (left, right): (usize, usize),
    compared: &Comparison,
    settings: &Settings,
) -> Option<Edge> {
    let rule = compared.rule.filter(|_| compared.accepted(settings))?;
    Some(Edge {
        left,
        right,
        rule,
        score: compared.score,
        short: compared.short,
    })
}
