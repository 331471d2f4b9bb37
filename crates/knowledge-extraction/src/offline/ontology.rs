//! Core types and predicates in the words of an ontology.
//!
//! An ontology rarely calls things as the rules do: classes are found by local name, then by the
//! usual other names of a core type.

use std::collections::HashMap;

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
    classes: [Option<&'a str>; 8],
    by_name: HashMap<String, &'a str>,
}

impl<'a> TypeMap<'a> {
    pub(super) fn new(ontology: &'a Ontology) -> Self {
        let by_name: HashMap<String, &str> = ontology
            .classes
            .iter()
            .rev()
            .map(|class| (local_name(&class.name).to_lowercase(), class.name.as_str()))
            .collect();
        let mut classes = [None; 8];
        for (kind, names) in CLASS_NAMES {
            classes[*kind as usize] = names.iter().find_map(|name| by_name.get(*name).copied());
        }
        Self { classes, by_name }
    }

    /// The class for a kind.
    pub(super) fn class(&self, kind: Kind) -> Option<&'a str> {
        self.classes[kind as usize]
    }

    /// The class that a word names: `University` where the ontology has one.
    pub(super) fn named(&self, word: &str) -> Option<&'a str> {
        self.by_name.get(&word.to_lowercase()).copied()
    }

    /// The kind that any of some types stands for.
    pub(super) fn kind(&self, types: &[String], ontology: &Ontology) -> Kind {
        Kind::ALL
            .into_iter()
            .find(|kind| {
                self.class(*kind)
                    .is_some_and(|class| types.iter().any(|name| ontology.is_a(name, class)))
            })
            .unwrap_or(Kind::Thing)
    }
}

/// The predicate of an ontology for one of the rules: the same where any is allowed, else the
/// property with its name, else with another name of it.
pub(super) fn predicate(ontology: &Ontology, name: &str) -> Option<String> {
    if ontology.properties.is_empty() {
        return Some(name.to_owned());
    }
    let find = |wanted: &str| {
        ontology
            .properties
            .iter()
            .find(|property| local_name(&property.name).eq_ignore_ascii_case(wanted))
            .map(|property| property.name.clone())
    };
    find(name).or_else(|| {
        let lower = name.to_lowercase();
        PREDICATE_NAMES
            .iter()
            .filter(|names| names[0] == lower)
            .flat_map(|names| names.iter())
            .find_map(|other| find(other))
    })
}

/// The end of an IRI or of a prefixed name.
fn local_name(name: &str) -> &str {
    name.rsplit(['#', '/', ':']).next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use knowledge_domain::{Class, Property};

    use super::*;

    #[test]
    fn classes_and_predicates_are_found_by_their_usual_names() {
        let ontology = Ontology {
            classes: vec![Class {
                name: "http://schema.org/Organization".to_owned(),
                parent: None,
            }],
            properties: vec![Property {
                name: "schema:birthPlace".to_owned(),
                domain: None,
                range: None,
            }],
        };
        let types = TypeMap::new(&ontology);
        assert_eq!(
            types.class(Kind::Organization),
            Some("http://schema.org/Organization")
        );
        assert_eq!(types.class(Kind::Person), None);
        assert_eq!(
            predicate(&ontology, "bornIn"),
            Some("schema:birthPlace".to_owned())
        );
        assert_eq!(predicate(&ontology, "met"), None);
        assert_eq!(predicate(&Ontology::core(), "met"), Some("met".to_owned()));
    }
}
