//! The types and predicates that an extraction may use.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct as _};

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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Class {
    /// The name, unique among the classes of its ontology.
    pub name: String,
    /// The classes that this one specialises.
    #[serde(rename = "parent", serialize_with = "none_one_or_many")]
    pub parents: Vec<String>,
    /// Where it comes from, and what it is called there; nothing for a core type.
    #[serde(skip)]
    pub term: Option<Term>,
}

/// A property: a predicate that relations may have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Property {
    /// The name, unique among the properties of its ontology.
    pub name: String,
    /// The classes of which subjects must have one; any when there is none.
    #[serde(serialize_with = "none_one_or_many")]
    pub domain: Vec<String>,
    /// The classes of which objects must have one, and the datatypes of literals; any of either
    /// when there is none. What is no class of the ontology is a datatype.
    #[serde(serialize_with = "none_one_or_many")]
    pub range: Vec<String>,
    /// What objects may be.
    #[serde(skip)]
    pub takes: Takes,
    /// Where it comes from, and what it is called there.
    #[serde(skip)]
    pub term: Option<Term>,
}

/// What the objects of a property may be, whatever its range says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Takes {
    /// Entities and literals.
    #[default]
    Anything,
    /// Entities only: an `owl:ObjectProperty`.
    Entities,
    /// Literals only: an `owl:DatatypeProperty`.
    Literals,
}

/// A term of a registered ontology, as its author describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Term {
    /// Its IRI.
    pub iri: String,
    /// What people call it, the preferred label first.
    pub labels: Vec<String>,
    /// What it means, in a sentence or some.
    pub definition: Option<String>,
}

/// The classes and properties that an extraction may use.
///
/// As a part of a fingerprint it is written by its content, or by the hash of the document that it
/// was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ontology {
    classes: Vec<Class>,
    properties: Vec<Property>,
    source: Option<String>,
    class_positions: Positions,
    property_positions: Positions,
    /// The positions of the classes that each class directly specialises.
    parents: Vec<Vec<usize>>,
}

/// Where terms are in their list, by what they are called.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Positions {
    by_name: HashMap<String, usize>,
    /// By the letters of names and labels: a name counts before a label, and of two the first.
    by_letters: HashMap<String, usize>,
}

impl Ontology {
    /// An ontology of these classes and properties. Without properties any predicate is allowed; of
    /// two with one name the first counts.
    #[must_use]
    pub fn new(classes: Vec<Class>, properties: Vec<Property>) -> Self {
        let class_terms = classes
            .iter()
            .map(|it| (it.name.as_str(), it.term.as_ref()));
        let class_positions = Positions::new(class_terms);
        let property_terms = properties
            .iter()
            .map(|it| (it.name.as_str(), it.term.as_ref()));
        let property_positions = Positions::new(property_terms);
        let of = |class: &Class| {
            let parents = class.parents.iter();
            let known = parents.filter_map(|parent| class_positions.by_name.get(parent));
            known.copied().collect()
        };
        let parents = classes.iter().map(of).collect();
        Self {
            classes,
            properties,
            source: None,
            class_positions,
            property_positions,
            parents,
        }
    }

    /// The same, read from a document with this hash, which then stands for it in fingerprints.
    #[must_use]
    pub fn read_from(self, source: String) -> Self {
        Self {
            source: Some(source),
            ..self
        }
    }

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
        ];
        let classes = classes.into_iter().map(|name| Class {
            name: name.to_owned(),
            ..Class::default()
        });
        Self::new(classes.collect(), Vec::new())
    }

    /// The classes in their order.
    #[must_use]
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// The properties in their order; none means that any predicate is allowed.
    #[must_use]
    pub fn properties(&self) -> &[Property] {
        &self.properties
    }

    /// The class of this name.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&Class> {
        let at = self.class_positions.by_name.get(name)?;
        Some(&self.classes[*at])
    }

    /// The class whose name or label has these letters and digits, in lower case: `creativework` is
    /// `schema:CreativeWork`.
    #[must_use]
    pub fn class_by_letters(&self, letters: &str) -> Option<&Class> {
        let at = self.class_positions.by_letters.get(letters)?;
        Some(&self.classes[*at])
    }

    /// Whether `name` is one of the classes.
    #[must_use]
    pub fn has_class(&self, name: &str) -> bool {
        self.class_positions.by_name.contains_key(name)
    }

    /// Whether `name` is `ancestor` or specialises it, directly or not.
    #[must_use]
    pub fn is_a(&self, name: &str, ancestor: &str) -> bool {
        name == ancestor || self.walk(name).any(|class| class.name == ancestor)
    }

    /// The classes that this one specialises, directly or not, nearest first; without itself.
    #[must_use]
    pub fn above(&self, name: &str) -> Vec<&Class> {
        self.walk(name).collect()
    }

    /// Whether a class has more classes above it than this.
    #[must_use]
    pub fn is_deeper_than(&self, most: usize) -> bool {
        let mut classes = self.classes.iter();
        classes.any(|class| self.walk(&class.name).nth(most).is_some())
    }

    /// The classes that directly specialise each class, by their positions, in their order.
    #[must_use]
    pub fn below(&self) -> Vec<Vec<usize>> {
        let mut below = vec![Vec::new(); self.classes.len()];
        for (position, parents) in self.parents.iter().enumerate() {
            for parent in parents {
                below[*parent].push(position);
            }
        }
        below
    }

    /// Goes up from a class, nearest first. Classes may specialise each other in a circle, or by two
    /// ways the same: each comes once.
    fn walk(&self, name: &str) -> impl Iterator<Item = &Class> {
        let start = self.class_positions.by_name.get(name).copied();
        let mut queue: VecDeque<usize> = start.into_iter().collect();
        let mut seen: HashSet<usize> = queue.iter().copied().collect();
        let mut first = true;
        std::iter::from_fn(move || {
            loop {
                let position = queue.pop_front()?;
                for parent in &self.parents[position] {
                    if seen.insert(*parent) {
                        queue.push_back(*parent);
                    }
                }
                if !std::mem::take(&mut first) {
                    return Some(&self.classes[position]);
                }
            }
        })
    }

    /// The property of this name.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&Property> {
        let at = self.property_positions.by_name.get(name)?;
        Some(&self.properties[*at])
    }

    /// The property whose name or label has these letters and digits, in lower case.
    #[must_use]
    pub fn property_by_letters(&self, letters: &str) -> Option<&Property> {
        let at = self.property_positions.by_letters.get(letters)?;
        Some(&self.properties[*at])
    }

    /// Whether relations may have the predicate `name`.
    #[must_use]
    pub fn allows_predicate(&self, name: &str) -> bool {
        self.properties.is_empty() || self.property(name).is_some()
    }
}

impl Serialize for Ontology {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(source) = &self.source {
            let mut written = serializer.serialize_struct("Ontology", 1)?;
            written.serialize_field("source", source)?;
            return written.end();
        }
        let mut written = serializer.serialize_struct("Ontology", 2)?;
        written.serialize_field("classes", &self.classes)?;
        written.serialize_field("properties", &self.properties)?;
        written.end()
    }
}

impl Positions {
    fn new<'a>(terms: impl Iterator<Item = (&'a str, Option<&'a Term>)> + Clone) -> Self {
        let (mut by_name, mut by_letters) = (HashMap::new(), HashMap::new());
        for (position, (name, _)) in terms.clone().enumerate() {
            by_name.entry(name.to_owned()).or_insert(position);
            by_letters.entry(letters(name)).or_insert(position);
        }
        for (position, (_, term)) in terms.enumerate() {
            for label in term.iter().flat_map(|term| &term.labels) {
                by_letters.entry(letters(label)).or_insert(position);
            }
        }
        Self {
            by_name,
            by_letters,
        }
    }
}

/// The letters and digits of the end of an IRI, of a prefixed name or a label, in lower case.
fn letters(name: &str) -> String {
    let local = name.rsplit(['#', '/', ':']).next().unwrap_or(name);
    let letters = local.chars().filter(|char| char.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// `null`, one string, or a list of them.
fn none_one_or_many<S: Serializer>(names: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    match names {
        [] => serializer.serialize_none(),
        [name] => serializer.serialize_str(name),
        names => names.serialize(serializer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, parents: &[&str]) -> Class {
        Class {
            name: name.to_owned(),
            parents: parents.iter().map(|parent| (*parent).to_owned()).collect(),
            term: None,
        }
    }

    #[test]
    fn a_circle_of_classes_ends() {
        let classes = vec![class("A", &["B"]), class("B", &["A"]), class("C", &["A"])];
        let ontology = Ontology::new(classes, Vec::new());
        assert!(ontology.is_a("C", "B") && ontology.is_a("A", "B") && ontology.is_a("B", "A"));
        assert!(!ontology.is_a("A", "C"));
    }

    #[test]
    fn a_class_has_all_that_is_above_it() {
        let classes = vec![
            class("Ferry", &["Ship", "Service"]),
            class("Ship", &["Vehicle", "NotDeclared"]),
            class("Service", &[]),
            class("Vehicle", &[]),
        ];
        let ontology = Ontology::new(classes, Vec::new());
        let names = ontology.above("Ferry").into_iter().map(|it| &it.name);
        assert_eq!(names.collect::<Vec<_>>(), ["Ship", "Service", "Vehicle"]);
        assert!(ontology.is_a("Ferry", "Vehicle") && !ontology.is_a("Vehicle", "Ferry"));
        assert!(!ontology.is_a("NotDeclared", "Vehicle") && ontology.above("x").is_empty());
    }

    #[test]
    fn terms_are_found_by_the_letters_of_what_they_are_called() {
        let labelled = |name: &str, labels: &[&str]| Class {
            term: Some(Term {
                labels: labels.iter().map(|label| (*label).to_owned()).collect(),
                ..Term::default()
            }),
            ..class(name, &[])
        };
        let classes = vec![
            labelled("Q1", &["creative work", "Place"]),
            labelled("https://schema.org/Place", &["Creative Work"]),
        ];
        let ontology = Ontology::new(classes, Vec::new());
        let found = |letters: &str| {
            ontology
                .class_by_letters(letters)
                .map(|it| it.name.as_str())
        };
        assert_eq!(found("creativework"), Some("Q1"));
        assert_eq!(
            found("place"),
            Some("https://schema.org/Place"),
            "a name before a label"
        );
        assert_eq!((found("q1"), found("ship")), (Some("Q1"), None));
    }

    #[test]
    fn core_types_are_written_as_ever() {
        // Every stored fingerprint rests on these bytes.
        let written = serde_json::to_string(&Ontology::core()).unwrap();
        assert!(written.starts_with(r#"{"classes":[{"name":"Person","parent":null},"#));
        assert!(written.ends_with(r#"{"name":"Thing","parent":null}],"properties":[]}"#));
        let read = Ontology::core().read_from("abc".to_owned());
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"{"source":"abc"}"#);
    }
}
