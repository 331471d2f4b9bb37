//! Which candidates mean one entity.
//!
//! Candidates with one name are united first; then short forms join the one full form that they
//! can mean. A short form with two possible full forms stays on its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use knowledge_domain::{Ontology, core_type, graph::Confidence};

use super::{FoundEntity, Group, name};
use crate::offline::{class_for, country_of};

/// Names of more words have no short forms that are looked for.
const MAX_WORDS: usize = 12;

/// A short form that so many names could be meant by is ambiguous without looking.
const MAX_FORMS: usize = 64;

/// Groups sorted by their first mention.
pub(super) fn merge(candidates: &[FoundEntity], texts: &[&str], ontology: &Ontology) -> Vec<Group> {
    let names = by_name(candidates);
    let mut sets = Sets::new(names.len());
    Shortening::new(&names, ontology).unite(&mut sets);
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in 0..names.len() {
        members.entry(sets.root(index)).or_default().push(index);
    }
    let mut groups: Vec<Group> = members
        .into_values()
        .filter_map(|members| {
            let forms: Vec<&Named> = members.iter().map(|index| &names[*index]).collect();
            group(&forms, candidates, texts, ontology)
        })
        .collect();
    settle_shared_mentions(&mut groups);
    groups.sort_by(|a, b| (&a.mentions, &a.name).cmp(&(&b.mentions, &b.name)));
    groups
}

/// A mention belongs to one entity: to the surest, then the first by name.
fn settle_shared_mentions(groups: &mut Vec<Group>) {
    groups.sort_by(|a, b| {
        (std::cmp::Reverse(a.confidence), &a.name).cmp(&(std::cmp::Reverse(b.confidence), &b.name))
    });
    let mut taken = BTreeSet::new();
    for group in groups.iter_mut() {
        group.mentions.retain(|mention| taken.insert(*mention));
    }
    groups.retain(|group| !group.mentions.is_empty());
}

/// Candidates with the same words.
struct Named {
    words: Vec<String>,
    leading: String,
    candidates: Vec<usize>,
}

/// Candidates by the words of their name, in the order of the words. Of one name with several
/// types the one that leads most mentions wins.
fn by_name(candidates: &[FoundEntity]) -> Vec<Named> {
    let mut found: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        found
            .entry(name::words(&candidate.name))
            .or_default()
            .push(index);
    }
    found
        .into_iter()
        .map(|(words, members)| Named {
            leading: leading_type(members.iter().filter_map(|index| candidates.get(*index))),
            words,
            candidates: members,
        })
        .collect()
}

/// The type that leads the most mentions, weighted by confidence; the first by name of equals.
fn leading_type<'a>(candidates: impl Iterator<Item = &'a FoundEntity>) -> String {
    let mut votes: BTreeMap<&str, f64> = BTreeMap::new();
    for candidate in candidates {
        if let Some(leading) = candidate.types.first() {
            let weight = if leading == core_type::THING {
                0.3
            } else {
                1.0
            };
            let sure = candidate.confidence.value().powi(2);
            *votes.entry(leading).or_default() += candidate.mentions.len() as f64 * weight * sure;
        }
    }
    let best = votes.iter().fold(("", -1.0), |best, (name, vote)| {
        if *vote > best.1 { (name, *vote) } else { best }
    });
    best.0.to_owned()
}

fn group(
    forms: &[&Named],
    candidates: &[FoundEntity],
    texts: &[&str],
    ontology: &Ontology,
) -> Option<Group> {
    let members: Vec<&FoundEntity> = forms
        .iter()
        .flat_map(|form| &form.candidates)
        .filter_map(|index| candidates.get(*index))
        .collect();
    let leading = leading_type(members.iter().copied());
    let agrees = |other: &str| ontology.is_a(other, &leading) || ontology.is_a(&leading, other);
    let mut types = BTreeSet::from([leading.clone()]);
    let mut attributes: BTreeMap<String, (Confidence, String)> = BTreeMap::new();
    let mut mentions = BTreeSet::new();
    for member in &members {
        if member.types.first().is_some_and(|first| agrees(first)) {
            types.extend(member.types.iter().cloned());
        }
        for (key, value) in &member.attributes {
            let proposed = (member.confidence, value.clone());
            let kept = attributes
                .entry(key.clone())
                .or_insert_with(|| proposed.clone());
            if proposed.0 > kept.0 || (proposed.0 == kept.0 && proposed.1 < kept.1) {
                *kept = proposed;
            }
        }
        mentions.extend(member.mentions.iter().copied());
    }
    let names: BTreeSet<String> = members.iter().map(|m| name::shown(&m.name)).collect();
    Some(Group {
        name: canonical(&names, &mentions, texts)?,
        leading,
        types: types.into_iter().collect(),
        attributes: attributes
            .into_iter()
            .map(|(key, (_, value))| (key, value))
            .collect(),
        confidence: members.iter().map(|m| m.confidence).max()?,
        mentions: mentions.into_iter().collect(),
        names: names.into_iter().collect(),
    })
}

/// The fullest of the names: most words that are not initials, then most characters, then the most
/// frequent, then the first by alphabet. An adjective never beats its country.
fn canonical(names: &BTreeSet<String>, mentions: &BTreeSet<u32>, texts: &[&str]) -> Option<String> {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for mention in mentions {
        if let Some(text) = texts.get(*mention as usize) {
            *uses.entry(name::shown(text)).or_default() += 1;
        }
    }
    let rank = |name: &String| {
        let words = name::words(name);
        let full = words.iter().filter(|word| word.chars().count() > 1).count();
        let adjective = country_of(name).is_some();
        let acronym = name::as_acronym(name).is_some() || name::is_shouted(name);
        let frequency = uses.get(name).copied().unwrap_or(0);
        (
            !adjective,
            !acronym,
            full,
            name.chars().count(),
            frequency,
            std::cmp::Reverse(name.clone()),
        )
    };
    names.iter().max_by_key(|name| rank(name)).cloned()
}

/// Looks up the full forms that a name can be short for.
struct Shortening<'a> {
    names: &'a [Named],
    ontology: &'a Ontology,
    /// The classes of persons, places and anything else.
    person: &'a str,
    place: &'a str,
    thing: &'a str,
    by_key: HashMap<Key<'a>, Vec<usize>>,
}

#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    First(&'a str),
    Last(&'a str),
    Prefix(&'a [String]),
    Suffix(&'a [String]),
    /// First and last word, of names with words between them.
    Ends(&'a str, &'a str),
    Core(Vec<&'a str>),
    Acronym(String),
    Whole(&'a str),
}

impl<'a> Shortening<'a> {
    fn new(names: &'a [Named], ontology: &'a Ontology) -> Self {
        let mut by_key: HashMap<Key<'a>, Vec<usize>> = HashMap::new();
        let mut add = |key, index| by_key.entry(key).or_default().push(index);
        for (index, named) in names.iter().enumerate() {
            let words = named.words.as_slice();
            let ([first, .., last], true) = (words, words.len() <= MAX_WORDS) else {
                if let [only] = words {
                    add(Key::Whole(only), index);
                }
                continue;
            };
            add(Key::First(first), index);
            add(Key::Last(last), index);
            add(Key::Core(name::core(words)), index);
            if words.len() > 2 {
                add(Key::Ends(first, last), index);
            }
            for cut in 1..words.len() {
                add(Key::Prefix(&words[..cut]), index);
                add(Key::Suffix(&words[cut..]), index);
            }
            for acronym in name::acronyms(words) {
                add(Key::Acronym(acronym), index);
            }
        }
        Self {
            names,
            ontology,
            person: class_for(ontology, core_type::PERSON),
            place: class_for(ontology, core_type::PLACE),
            thing: class_for(ontology, core_type::THING),
            by_key,
        }
    }

    fn unite(&self, sets: &mut Sets) {
        // Longer forms first, so that `E. Marlow` and `Edwin Marlow` are one when `Marlow` comes.
        for single in [false, true] {
            for (index, named) in self.names.iter().enumerate() {
                if (named.words.len() == 1) != single {
                    continue;
                }
                if let Some(full) = self.full_form(index, named, sets) {
                    sets.unite(index, full);
                }
            }
        }
    }

    /// The one name that `named` is another form of.
    fn full_form(&self, index: usize, named: &Named, sets: &mut Sets) -> Option<usize> {
        let words = named.words.as_slice();
        let person = self.ontology.is_a(&named.leading, self.person);
        let place = self.ontology.is_a(&named.leading, self.place);
        let mut keys: Vec<Key<'_>> = Vec::new();
        match words {
            [] => return None,
            [only] => {
                if let Some(country) = country_of(only).filter(|_| place) {
                    let found = self.only(&Key::Whole(country), index, named, sets);
                    return found.or_else(|| self.known_words(country, index));
                }
                if person {
                    keys.extend([Key::Last(only), Key::First(only)]);
                } else if named.leading == self.thing {
                    keys.extend([
                        Key::Last(only),
                        Key::Acronym(only.clone()),
                        Key::Prefix(words),
                    ]);
                } else {
                    keys.push(Key::Acronym(only.clone()));
                    if !place {
                        keys.push(Key::Prefix(words));
                    }
                }
            }
            [first, .., last] if person => {
                let fits = self.by_key.get(&Key::Last(last))?;
                let full: Vec<usize> = fits
                    .iter()
                    .take(MAX_FORMS * 4)
                    .copied()
                    .filter(|full| longer_person(&self.names[*full].words, words, first))
                    .collect();
                return self
                    .unambiguous(&full, index, named, sets)
                    .or_else(|| self.only(&Key::Suffix(words), index, named, sets));
            }
            _ if words.len() <= MAX_WORDS && !place => {
                keys.push(Key::Core(name::core(words)));
                keys.push(Key::Prefix(words));
                keys.push(Key::Suffix(words));
                if let [first, last] = words {
                    keys.push(Key::Ends(first, last));
                }
            }
            _ => keys.push(Key::Core(name::core(words))),
        }
        keys.iter()
            .find_map(|key| self.only(key, index, named, sets))
    }

    /// A name of several words that spells a country.
    fn known_words(&self, country: &str, index: usize) -> Option<usize> {
        let words = name::words(country);
        let found = self
            .names
            .binary_search_by(|named| named.words.cmp(&words))
            .ok()?;
        (found != index).then_some(found)
    }

    fn only(&self, key: &Key<'_>, index: usize, named: &Named, sets: &mut Sets) -> Option<usize> {
        self.unambiguous(self.by_key.get(key)?, index, named, sets)
    }

    /// The only one of `full` that is compatible; several names of one entity count once.
    fn unambiguous(
        &self,
        full: &[usize],
        index: usize,
        named: &Named,
        sets: &mut Sets,
    ) -> Option<usize> {
        if full.len() > MAX_FORMS {
            return None;
        }
        let mut found: Option<usize> = None;
        for other in full.iter().copied().filter(|other| *other != index) {
            if !self.compatible(&named.leading, &self.names[other].leading) {
                continue;
            }
            match found {
                Some(known) if sets.root(known) != sets.root(other) => return None,
                _ => found = Some(other),
            }
        }
        found
    }

    fn compatible(&self, a: &str, b: &str) -> bool {
        let unknown = a == self.thing && self.ontology.is_a(b, self.person);
        a == b || unknown || self.ontology.is_a(a, b) || self.ontology.is_a(b, a)
    }
}

/// Whether `full` is a longer form of the person `short`: `Edwin Marlow` of `E. Marlow`, `Ross
/// Patterson Alger` of `Ross Albright`. Both end with the same word.
fn longer_person(full: &[String], short: &[String], first: &str) -> bool {
    let initial = first.chars().count() == 1;
    let starts = full.first().is_some_and(|word| {
        if initial {
            word.starts_with(first) && word != first
        } else {
            word == first
        }
    });
    let longer = full.len() > short.len() || (initial && full.len() == short.len());
    let mut rest = full.iter();
    let middle = &short[1..];
    starts
        && longer
        && middle.iter().all(|word| {
            rest.any(|other| {
                other == word || (word.chars().count() == 1 && other.starts_with(word.as_str()))
            })
        })
}

/// Disjoint sets whose representative is the smallest member.
struct Sets {
    parent: Vec<usize>,
}

impl Sets {
    fn new(size: usize) -> Self {
        Self {
            parent: (0..size).collect(),
        }
    }

    fn root(&mut self, mut index: usize) -> usize {
        while self.parent[index] != index {
            self.parent[index] = self.parent[self.parent[index]];
            index = self.parent[index];
        }
        index
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }
}
