//! Core types and predicates in the words of an ontology.
//!
//! An ontology rarely calls things as the rules do: classes are found by local name, then by the
//! usual other names of a core type.

use knowledge_domain::Ontology;

use super::kind::Kind;

/// Other names that ontologies have for the core types, most specific first, in lower case.
const CLASS_NAMES: &[(Kind, &[&str])] = &[
    (Kind::Person, &["person", "human", "people", "agent"]),
    (
        Kind::Organization,
        &[
            "organization",
            "organisation",
            "company",
            "corporation",
            "group",
            "agent",
        ],
    ),
    (
        Kind::Place,
        &[
            "place",
            "location",
            "geographicalarea",
            "spatialthing",
            "region",
            "city",
        ],
    ),
    (
        Kind::Date,
        &[
            "date",
            "time",
            "datetime",
            "temporalentity",
            "timeinterval",
            "year",
        ],
    ),
    (
        Kind::Quantity,
        &[
            "quantity",
            "quantitativevalue",
            "number",
            "amount",
            "measure",
        ],
    ),
    (
        Kind::Work,
        &["work", "creativework", "document", "product", "artifact"],
    ),
    (Kind::Event, &["event", "activity"]),
    (Kind::Thing, &["thing", "entity", "object", "concept"]),
];

/// Other names of predicates, in lower case; the first of each row is the rules' own.
const PREDICATE_NAMES: &[&[&str]] = &[
    &["bornin", "birthplace", "placeofbirth"],
    &["bornon", "birthdate", "dateofbirth", "birthyear"],
    &["diedin", "deathplace", "placeofdeath"],
    &["diedon", "deathdate", "dateofdeath", "deathyear"],
    &["foundedby", "founder", "establishedby"],
    &[
        "foundedon",
        "foundingdate",
        "inception",
        "foundingyear",
        "foundedin",
        "established",
    ],
    &[
        "headquarteredin",
        "headquarters",
        "headquarterslocation",
        "location",
        "locatedin",
    ],
    &["locatedin", "location", "place", "isin", "partof"],
    &["studiedat", "educatedat", "almamater", "alumniof"],
    &[
        "workedfor",
        "employer",
        "worksfor",
        "employedby",
        "affiliation",
    ],
    &["position", "role", "jobtitle", "positionheld", "occupation"],
    &["memberof", "member", "affiliation"],
    &["marriedto", "spouse", "marriedwith"],
    &["childof", "parent", "haschild"],
    &["siblingof", "sibling"],
    &["met", "knows"],
    &["acquired", "owns", "acquiredby"],
    &["completed", "built", "constructed", "created"],
    &["writtenby", "author", "creator"],
    &["directedby", "director"],
    &["performedby", "performer", "byartist"],
    &["country", "citizenship", "nationality", "locatedin"],
    &["cost", "price"],
];

/// The classes of an ontology that stand for the core types.
pub(super) struct TypeMap<'a> {
    ontology: &'a Ontology,
    classes: [Option<&'a str>; 8],
}

impl<'a> TypeMap<'a> {
    pub(super) fn new(ontology: &'a Ontology) -> Self {
        let called = |name: &&str| ontology.class_by_letters(name);
        let mut classes = [None; 8];
        for (kind, names) in CLASS_NAMES {
            let class = names.iter().find_map(called);
            classes[*kind as usize] = class.map(|class| class.name.as_str());
        }
        Self { ontology, classes }
    }

    /// The class for a kind.
    pub(super) fn class(&self, kind: Kind) -> Option<&'a str> {
        self.classes[kind as usize]
    }

    /// The class that a word names: `University` where the ontology has one.
    pub(super) fn named(&self, word: &str) -> Option<&'a str> {
        let class = self.ontology.class_by_letters(&word.to_lowercase());
        class.map(|class| class.name.as_str())
    }

    /// The kind that any of some types stands for; a thing where none does.
    pub(super) fn kind(&self, types: &[&str]) -> Kind {
        Kind::ALL
            .into_iter()
            .find(|kind| {
                self.class(*kind)
                    .is_some_and(|class| types.iter().any(|name| self.ontology.is_a(name, class)))
            })
            .unwrap_or(Kind::Thing)
    }
}

/// The predicate of an ontology for one of the rules: the same where any is allowed, else the
/// property with its name, else with another name of it.
pub(super) fn predicate(ontology: &Ontology, name: &str) -> Option<String> {
    if ontology.properties().is_empty() {
        return Some(name.to_owned());
    }
    let find = |letters: &str| ontology.property_by_letters(letters);
    let lower = name.to_lowercase();
    let mut rows = PREDICATE_NAMES.iter().filter(|names| names[0] == lower);
    let others = || rows.find_map(|names| names.iter().find_map(|other| find(other)));
    let found = find(&lower).or_else(others);
    found.map(|property| property.name.clone())
}

#[cfg(test)]
mod tests {
    use knowledge_domain::{Class, Property, Term};

    use super::*;

    #[test]
    fn classes_and_predicates_are_found_by_their_usual_names() {
        let class = |name: &str, term| Class {
            name: name.to_owned(),
            term,
            ..Class::default()
        };
        let property = |name: &str, term| Property {
            name: name.to_owned(),
            term,
            ..Property::default()
        };
        let labelled = |label: &str| {
            Some(Term {
                labels: vec![label.to_owned()],
                ..Term::default()
            })
        };
        let ontology = Ontology::new(
            vec![
                class("Q7", labelled("City")),
                class("http://schema.org/Organization", labelled("place")),
            ],
            vec![
                property("schema:birthPlace", None),
                property("P571", labelled("founding date")),
            ],
        );
        let types = TypeMap::new(&ontology);
        assert_eq!(
            types.class(Kind::Organization),
            Some("http://schema.org/Organization")
        );
        assert_eq!(types.class(Kind::Person), None);
        let place = types.class(Kind::Place);
        assert_eq!(
            place,
            Some("http://schema.org/Organization"),
            "of two labels the usual one"
        );
        assert_eq!(types.named("city"), Some("Q7"));
        let founded = predicate(&ontology, "foundedOn");
        assert_eq!(founded.as_deref(), Some("P571"));
        assert_eq!(
            predicate(&ontology, "bornIn"),
            Some("schema:birthPlace".to_owned())
        );
        assert_eq!(predicate(&ontology, "met"), None);
        assert_eq!(predicate(&Ontology::core(), "met"), Some("met".to_owned()));
    }
}
