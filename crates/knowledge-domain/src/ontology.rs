//! The types and predicates that an extraction may use.

use serde::{Deserialize, Serialize};

/// Names of the built-in core types.
pub mod core_type {
    /// A human being, real or fictional.
    pub const PERSON: &str = "Person";
    /// A firm, institution, party, team or band.
    pub const ORGANIZATION: &str = "Organization";
    /// A country, region, town, building site, river, and the adjective of one (`German`).
    pub const PLACE: &str = "Place";
    /// A date, year, period or duration.
    pub const DATE: &str = "Date";
    /// A number, amount, share or measure.
    pub const QUANTITY: &str = "Quantity";
    /// A book, film, song, ship, building, product or other made thing.
    pub const WORK: &str = "Work";
    /// A war, contest, election, festival or other happening.
    pub const EVENT: &str = "Event";
    /// Anything named that none of the others fits.
    pub const THING: &str = "Thing";
}

/// The format of a registered ontology.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::EnumString,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum OntologyFormat {
    /// Turtle.
    Turtle,
    /// RDF/XML.
    RdfXml,
    /// N-Triples.
    NTriples,
    /// JSON-LD.
    JsonLd,
}

/// A class: a type that entities may have.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Class {
    /// The name, unique in its ontology.
    pub name: String,
    /// The class that this one specialises.
    pub parent: Option<String>,
}

/// A property: a predicate that relations may have.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Property {
    /// The name, unique in its ontology.
    pub name: String,
    /// The class that subjects must have; any when absent.
    pub domain: Option<String>,
    /// The class that objects must have; any class, or a literal, when absent.
    pub range: Option<String>,
}

/// The classes and properties that an extraction may use.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ontology {
    /// Classes in the order of their declaration.
    pub classes: Vec<Class>,
    /// Properties in the order of their declaration; empty means that any predicate is allowed.
    pub properties: Vec<Property>,
}

impl Ontology {
    /// The built-in core types, with any predicate allowed.
    #[must_use]
    pub fn core() -> Self {
        use core_type::{DATE, EVENT, ORGANIZATION, PERSON, PLACE, QUANTITY, THING, WORK};
        let classes = [
            PERSON,
            ORGANIZATION,
            PLACE,
            DATE,
            QUANTITY,
            WORK,
            EVENT,
            THING,
        ]
        .into_iter()
        .map(|name| Class {
            name: name.to_owned(),
            parent: None,
        })
        .collect();
        Self {
            classes,
            properties: Vec::new(),
        }
    }

    /// Whether `name` is one of the classes.
    #[must_use]
    pub fn has_class(&self, name: &str) -> bool {
        self.classes.iter().any(|class| class.name == name)
    }

    /// Whether `name` is `ancestor` or specialises it, directly or not. A cycle ends the walk.
    #[must_use]
    pub fn is_a(&self, name: &str, ancestor: &str) -> bool {
        let mut current = Some(name);
        for _ in 0..=self.classes.len() {
            match current {
                Some(class) if class == ancestor => return true,
                Some(class) => current = self.parent_of(class),
                None => return false,
            }
        }
        false
    }

    /// The property of this name.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties
            .iter()
            .find(|property| property.name == name)
    }

    /// Whether relations may have the predicate `name`.
    #[must_use]
    pub fn allows_predicate(&self, name: &str) -> bool {
        self.properties.is_empty() || self.property(name).is_some()
    }

    fn parent_of(&self, name: &str) -> Option<&str> {
        self.classes
            .iter()
            .find(|class| class.name == name)
            .and_then(|class| class.parent.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_of_classes_ends() {
        let class = |name: &str, parent: &str| Class {
            name: name.to_owned(),
            parent: Some(parent.to_owned()),
        };
        let ontology = Ontology {
            classes: vec![class("A", "B"), class("B", "A"), class("C", "A")],
            properties: Vec::new(),
        };
        assert!(ontology.is_a("C", "B"));
        assert!(!ontology.is_a("A", "C"));
    }
}
