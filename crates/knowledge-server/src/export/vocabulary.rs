//! What classes and predicates are called in RDF: as the ontologies have it that they come from.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt::Write as _,
    io,
};

use knowledge_domain::{Ontology, Term};
use oxrdf::NamedNode;

pub(super) const CLASS: &str = "urn:knowledge:class:";
pub(super) const PREDICATE: &str = "urn:knowledge:predicate:";
pub(super) const ATTRIBUTE: &str = "urn:knowledge:attribute:";

/// The IRIs that some ontologies have for their names.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    classes: Iris,
    predicates: Iris,
    /// Whether a batch has predicates of its own making, which may be called as those are.
    any_predicate: bool,
}

/// IRIs by name; none for a name that ontologies have for different things.
type Iris = HashMap<String, Option<NamedNode>>;

impl Vocabulary {
    /// Adds the names of an ontology.
    pub(super) fn add(&mut self, ontology: &Ontology) {
        self.any_predicate |= ontology.properties().is_empty();
        for class in ontology.classes() {
            add(&mut self.classes, &class.name, class.term.as_ref());
        }
        for property in ontology.properties() {
            add(&mut self.predicates, &property.name, property.term.as_ref());
        }
    }

    /// Adds the names of a batch without an ontology: the core types, and any predicate.
    pub(super) fn add_core(&mut self) {
        self.add(&Ontology::core());
    }

    /// The IRI of a class.
    pub(super) fn class(&self, name: &str) -> io::Result<NamedNode> {
        known(&self.classes, name).map_or_else(|| named(CLASS, name), Ok)
    }

    /// The IRI of a predicate.
    pub(super) fn predicate(&self, name: &str) -> io::Result<NamedNode> {
        let known = known(&self.predicates, name).filter(|_| !self.any_predicate);
        known.map_or_else(|| named(PREDICATE, name), Ok)
    }
}

fn add(iris: &mut Iris, name: &str, term: Option<&Term>) {
    let iri = term.and_then(|term| NamedNode::new(term.iri.as_str()).ok());
    match iris.entry(name.to_owned()) {
        Entry::Vacant(entry) => {
            entry.insert(iri);
        }
        Entry::Occupied(mut entry) if *entry.get() != iri => {
            entry.insert(None);
        }
        Entry::Occupied(_) => {}
    }
}

fn known(iris: &Iris, name: &str) -> Option<NamedNode> {
    iris.get(name).cloned().flatten()
}

/// What something is called that no ontology has: its name if that is an IRI of the web, else a
/// name of ours.
pub(super) fn named(namespace: &str, name: &str) -> io::Result<NamedNode> {
    if (name.starts_with("https://") || name.starts_with("http://"))
        && let Ok(named) = NamedNode::new(name)
    {
        return Ok(named);
    }
    let mut named = namespace.to_owned();
    for char in name.chars() {
        if char.is_ascii_alphanumeric() || matches!(char, '-' | '.' | '_' | '~') {
            named.push(char);
            continue;
        }
        for byte in char.encode_utf8(&mut [0; 4]).bytes() {
            write!(named, "%{byte:02X}").map_err(io::Error::other)?;
        }
    }
    NamedNode::new(named).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use knowledge_domain::{Class, Property};

    use super::*;

    #[test]
    fn names_are_what_ontologies_have_for_them() {
        let term = |iri: &str| {
            Some(Term {
                iri: iri.to_owned(),
                ..Term::default()
            })
        };
        let class = |name: &str, iri: &str| Class {
            name: name.to_owned(),
            parents: Vec::new(),
            term: term(iri),
        };
        let knows = Property {
            name: "knows".to_owned(),
            term: term("http://xmlns.com/foaf/0.1/knows"),
            ..Property::default()
        };
        let mut vocabulary = Vocabulary::default();
        let people = vec![
            class("Person", "http://xmlns.com/foaf/0.1/Person"),
            class("Group", "http://xmlns.com/foaf/0.1/Group"),
        ];
        vocabulary.add(&Ontology::new(people, vec![knows]));
        let other = vec![
            class("Person", "http://xmlns.com/foaf/0.1/Person"),
            class("Group", "https://example.org/Group"),
            class("Sailor", "https://example.org/Sailor"),
        ];
        let likes = Property {
            name: "likes".to_owned(),
            ..Property::default()
        };
        vocabulary.add(&Ontology::new(other, vec![likes]));
        let called = |name: &str| vocabulary.class(name).unwrap().into_string();
        assert_eq!(called("Person"), "http://xmlns.com/foaf/0.1/Person");
        assert_eq!(
            called("Group"),
            "urn:knowledge:class:Group",
            "they disagree"
        );
        assert_eq!(called("knows"), "urn:knowledge:class:knows");
        assert_eq!(called("https://example.org/X"), "https://example.org/X");
        let knows = vocabulary.predicate("knows").unwrap();
        assert_eq!(knows.as_str(), "http://xmlns.com/foaf/0.1/knows");

        // A batch without an ontology has persons too, and may have found that one knows another.
        vocabulary.add_core();
        let called = |name: &str| vocabulary.class(name).unwrap().into_string();
        assert_eq!(called("Person"), "urn:knowledge:class:Person");
        assert_eq!(called("Sailor"), "https://example.org/Sailor");
        let knows = vocabulary.predicate("knows").unwrap();
        assert_eq!(knows.as_str(), "urn:knowledge:predicate:knows");
    }
}
