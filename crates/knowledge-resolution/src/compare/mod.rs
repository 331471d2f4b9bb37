//! How alike two forms are, and why: a rule for their names, features with visible weights, and
//! what forbids that they are one.

mod conflict;
mod meaning;
mod names;

pub use conflict::Conflict;
pub(crate) use conflict::conflict;
use serde::Serialize;

use crate::{Form, form::Prepared};

/// The settings of resolution; the same for all data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Forms whose score is at least this are linked.
    pub accept: f64,
    /// Names that sound alike, mean the same or are terms that nearly agree are asked about from
    /// this score on.
    pub ask: f64,
    /// How much better the best of several full forms must be for a short form to mean it.
    pub margin: f64,
    /// Names that a cluster has at most without review.
    pub max_forms: usize,
    /// Forms that share a block at most; a larger block says nothing. A leaf of vectors splits that
    /// has more.
    pub max_block: usize,
    /// What each feature weighs.
    pub weights: Weights,
}

/// What the features of a comparison weigh; a feature that is not known weighs nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// How alike the names are, by the rule that fits best.
    pub name: f64,
    /// Whether the classes agree.
    pub types: f64,
    /// Whether what identifies agrees; counts where both have it.
    pub identity: f64,
    /// Whether documents relate both to the same things; counts where they do.
    pub neighbours: f64,
    /// How near their vectors are; counts where both have one of the same model.
    pub cosine: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accept: 0.85,
            ask: 0.78,
            margin: 0.08,
            max_forms: 50,
            max_block: 64,
            weights: Weights {
                name: 0.7,
                types: 0.1,
                identity: 0.1,
                neighbours: 0.1,
                cosine: 0.05,
            },
        }
    }
}

/// Why two names may mean one thing.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    strum::Display,
    strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Rule {
    /// The names are the same but for dress.
    ExactName,
    /// The words that count are the same: `University of Port Selby`, `Port Selby University`.
    SameWords,
    /// A document uses the one name for the other.
    Alias,
    /// Initials or a middle name are left out: `E. Brandt`, `Elias Brandt`.
    Initials,
    /// A name without some of its words: `Meridian Optical`, `Meridian Optical Works`.
    ShortForm,
    /// Only a surname or a given name: `Brandt`.
    PartOfName,
    /// The initials of the words.
    Acronym,
    /// A slip of the pen: `Lindqvist`, `Lindquist`.
    SimilarName,
    /// Other spellings of what sounds the same: `Catherine Meyer`, `Katherine Maier`.
    SoundsAlike,
    /// Names that are not alike and may mean the same by their vectors: `NYC`, `New York City`.
    /// Somebody is asked; it links nothing.
    SameMeaning,
    /// A person decided it.
    Manual,
}

impl Rule {
    /// Whether it holds of names that are only near each other: one document that has both means
    /// two things, and what is near to what is near may be far.
    pub(crate) fn is_near(self) -> bool {
        matches!(self, Self::SimilarName | Self::SoundsAlike)
    }
}

/// One measure of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Feature {
    /// `name`, `types`, `identity`, `neighbours` or `cosine`.
    pub name: &'static str,
    /// 0..1.
    pub value: f64,
    /// Its share of the score is `weight × value` of the sum of all weights.
    pub weight: f64,
}

/// How alike two forms are, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The rule that their names follow; none when they have nothing in common.
    pub rule: Option<Rule>,
    /// The measures; empty without a rule.
    pub features: Vec<Feature>,
    /// The weighted mean of the measures, 0..1.
    pub score: f64,
    /// What forbids that they are one, whatever the score.
    pub conflict: Option<Conflict>,
    /// Whether the one is short for the other, which it is only while it is for no other.
    pub short: Option<Side>,
}

/// One of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The first.
    Left,
    /// The second.
    Right,
}

impl Comparison {
    /// Whether the two are linked.
    #[must_use]
    pub fn accepted(&self, settings: &Settings) -> bool {
        self.conflict.is_none() && self.score >= settings.accept
    }

    /// Whether a person is asked about the two.
    #[must_use]
    pub fn asked(&self, settings: &Settings) -> bool {
        let doubtful = matches!(
            self.rule,
            Some(Rule::SimilarName | Rule::SoundsAlike | Rule::SameMeaning)
        );
        doubtful && self.conflict.is_none() && (settings.ask..settings.accept).contains(&self.score)
    }
}

/// Compares two forms; the other way round gives the same with the sides exchanged.
#[must_use]
pub fn compare(left: &Form, right: &Form, settings: &Settings) -> Comparison {
    compare_prepared(&Prepared::new(left), &Prepared::new(right), settings)
}

pub(crate) fn compare_prepared(
    left: &Prepared<'_>,
    right: &Prepared<'_>,
    settings: &Settings,
) -> Comparison {
    let Some(found) = rule(left, right) else {
        return Comparison {
            rule: None,
            features: Vec::new(),
            score: 0.0,
            conflict: conflict(left, right),
            short: None,
        };
    };
    compare_found(left, right, found, settings)
}

/// As [`compare_prepared`]; nothing where the names follow no rule, as is so of most pairs.
pub(crate) fn compare_related(
    left: &Prepared<'_>,
    right: &Prepared<'_>,
    settings: &Settings,
) -> Option<Comparison> {
    if left.is_unlike(right) && !meaning::is_near(left, right) {
        return None;
    }
    let found = rule(left, right)?;
    Some(compare_found(left, right, found, settings))
}

/// The rule that names follow which are alike, else that of what they mean.
fn rule(left: &Prepared<'_>, right: &Prepared<'_>) -> Option<names::Found> {
    names::rule(left, right).or_else(|| meaning::rule(left, right))
}

fn compare_found(
    left: &Prepared<'_>,
    right: &Prepared<'_>,
    found: names::Found,
    settings: &Settings,
) -> Comparison {
    let features = features(left, right, found.value, &settings.weights);
    let together = conflict::together(left, right).filter(|_| found.rule.is_near());
    Comparison {
        rule: Some(found.rule),
        score: weighted_mean(&features),
        features,
        conflict: conflict(left, right).or(together),
        short: found.short,
    }
}

fn features(
    left: &Prepared<'_>,
    right: &Prepared<'_>,
    name: f64,
    weights: &Weights,
) -> Vec<Feature> {
    let mut features = Vec::with_capacity(5);
    let mut add = |name, value, weight| {
        features.push(Feature {
            name,
            value,
            weight,
        });
    };
    add("name", name, weights.name);
    let typed = left.form.is_untyped() == right.form.is_untyped();
    add("types", if typed { 1.0 } else { 0.7 }, weights.types);
    let agree = left.form.identity.iter().any(|(attribute, value)| {
        let other = right.form.identity.get(attribute);
        other.is_some_and(|other| !conflict::contradict(value, other))
    });
    if agree {
        add("identity", 1.0, weights.identity);
    }
    let shared = left.form.neighbours.shared(&right.form.neighbours);
    if shared > 0 {
        let value = if shared > 1 { 1.0 } else { 0.9 };
        add("neighbours", value, weights.neighbours);
    }
    if let Some(cosine) = meaning::cosine(left, right) {
        add("cosine", f64::midpoint(1.0, cosine), weights.cosine);
    }
    features
}

fn weighted_mean(features: &[Feature]) -> f64 {
    let weights: f64 = features.iter().map(|feature| feature.weight).sum();
    let sum: f64 = features
        .iter()
        .map(|feature| feature.weight * feature.value)
        .sum();
    if weights > 0.0 { sum / weights } else { 0.0 }
}
