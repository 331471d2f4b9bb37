//! Forms: what all entities with one name, class and identity have in common.
//!
//! Resolution compares forms, not entities: however many documents name a thing the same way, it is
//! compared once. A form is what its key says, and what its entities add up to; both are the same
//! in whatever order the entities came.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use knowledge_domain::{
    graph::Confidence,
    ids::{DocumentId, EntityId, FormId, OrganizationId},
};

use crate::{
    Kind, Sketch, Vector,
    hash::stable_hash,
    kind,
    lexicon::{self, Sex, is_generation},
    name::Name,
    outline::Outline,
};

/// What resolution knows of an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The entity.
    pub id: EntityId,
    /// The document that it is of.
    pub document: DocumentId,
    /// Its canonical name in its document.
    pub name: String,
    /// Its classes, at least one.
    pub types: Vec<String>,
    /// The classes that those specialise.
    pub above: Vec<String>,
    /// Other names that its document uses.
    pub aliases: Vec<String>,
    /// What is known of it.
    pub attributes: BTreeMap<String, String>,
    /// The plain values that its document relates it to, by predicate.
    pub literals: BTreeMap<String, String>,
    /// Names of the entities that its document relates it to.
    pub neighbours: Vec<String>,
    /// How many mentions it has.
    pub mentions: u32,
    /// How sure the extractor is.
    pub confidence: Confidence,
}

/// Parts of attribute names whose values tell one thing from another of the same name.
const IDENTIFYING: &[&str] = &[
    "birth",
    "born",
    "death",
    "died",
    "doi",
    "email",
    "founded",
    "founding",
    "inception",
    "isbn",
    "issn",
    "orcid",
    "serial",
    "ssn",
    "taxid",
    "vatid",
];

/// Entities with one name, class and identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// What its entities agree in; unique in an organisation.
    pub key: String,
    /// The classes, sorted, at least one.
    pub types: Vec<String>,
    /// The classes that those specialise.
    pub above: BTreeSet<String>,
    /// The name, folded.
    pub name: String,
    /// What tells it from another of the same name: `birthyear` → `1842`.
    pub identity: BTreeMap<String, String>,
    /// Other names that documents use of it, folded.
    pub aliases: Sketch,
    /// What documents relate it to, folded.
    pub neighbours: Sketch,
    /// Documents that it is in.
    pub documents: Sketch,
    /// What its [`Form::meaning`] means, where a model was asked.
    pub vector: Option<Vector>,
}

impl Form {
    /// The form of one entity.
    #[must_use]
    pub fn of(candidate: &Candidate) -> Self {
        let mut types = candidate.types.clone();
        types.sort_unstable();
        types.dedup();
        let above: BTreeSet<String> = candidate.above.iter().cloned().collect();
        let kind = Kind::of(types.iter().chain(&above).map(String::as_str));
        let name = Name::new(&candidate.name, kind);
        let identity = identity(candidate, &name);
        let folded = folded(&candidate.name, &name);
        let aliases = candidate.aliases.iter();
        let aliases = aliases
            .map(|alias| Name::new(alias, kind).joined())
            .filter(|alias| !alias.is_empty() && *alias != folded)
            .collect::<Vec<_>>();
        let neighbours: Vec<String> = candidate
            .neighbours
            .iter()
            .map(|name| crate::normalise(name))
            .collect();
        Self {
            key: key(&types, kind, &folded, &identity),
            types,
            above,
            name: folded,
            identity,
            aliases: aliases.iter().map(String::as_str).collect(),
            neighbours: neighbours.iter().map(String::as_str).collect(),
            documents: [candidate.document.to_string().as_str()]
                .into_iter()
                .collect(),
            vector: None,
        }
    }

    /// The text whose vector says what the form means: its name, its classes and what identifies
    /// it. The same for all entities of the form.
    #[must_use]
    pub fn meaning(&self) -> String {
        let local = |class: &String| {
            let local = class.rsplit(['/', '#', ':']).next().unwrap_or(class);
            local.to_lowercase()
        };
        let classes: Vec<String> = self.types.iter().map(local).collect();
        let mut text = format!("{} ({}", self.name, classes.join(", "));
        for (attribute, value) in &self.identity {
            let _ = write!(text, "; {attribute} {value}");
        }
        text.push(')');
        text
    }

    /// The id of the form in an organisation.
    #[must_use]
    pub fn id(&self, organization: OrganizationId) -> FormId {
        FormId::derive(organization, &self.key)
    }

    /// Adds what other entities of the form say; whether that may change what it is linked to.
    pub fn absorb(&mut self, other: &Self) -> bool {
        let aliases = self.aliases.unite(&other.aliases);
        let neighbours = self.neighbours.unite(&other.neighbours);
        let documents = self.documents.unite(&other.documents);
        let classes = self.above.len();
        self.above.extend(other.above.iter().cloned());
        if self.vector.is_none() {
            self.vector.clone_from(&other.vector);
        }
        aliases | neighbours | documents | (self.above.len() > classes)
    }

    /// What the form's classes name.
    #[must_use]
    pub fn kind(&self) -> Kind {
        Kind::of(self.types.iter().chain(&self.above).map(String::as_str))
    }

    /// Its name, taken apart.
    pub(crate) fn parsed(&self) -> Name {
        Name::new(&self.name, self.kind())
    }

    /// Whether only is known that it is a thing.
    pub(crate) fn is_untyped(&self) -> bool {
        kind::is_untyped(&self.types)
    }
}

/// The folded name; a name without letters and digits is kept as it is.
fn folded(given: &str, name: &Name) -> String {
    if name.words.is_empty() {
        return given.trim().to_owned();
    }
    name.joined()
}

/// Types, name and identity, and the kind where only classes above tell it: all entities of a form
/// are of one. Two entities with one key are never told apart but by hand.
fn key(types: &[String], kind: Kind, name: &str, identity: &BTreeMap<String, String>) -> String {
    let mut key = types.join("+");
    if kind != Kind::of(types.iter().map(String::as_str)) {
        let _ = write!(key, "<{kind:?}");
    }
    let _ = write!(key, ":{name}");
    for (attribute, value) in identity {
        let _ = write!(key, "#{attribute}={value}");
    }
    key
}

/// The attributes that identify, folded, and the sex where a title is all that tells persons with
/// one surname apart.
fn identity(candidate: &Candidate, name: &Name) -> BTreeMap<String, String> {
    let mut identity: BTreeMap<String, String> = candidate
        .attributes
        .iter()
        .chain(&candidate.literals)
        .map(|(attribute, value)| (crate::normalise(attribute).replace(' ', ""), value))
        .filter(|(attribute, _)| IDENTIFYING.iter().any(|part| attribute.contains(part)))
        .map(|(attribute, value)| (attribute, crate::normalise(value)))
        .collect();
    let title = match name.sex {
        Some(Sex::Female) => "female",
        Some(Sex::Male) => "male",
        Some(Sex::Unsaid) | None => return identity,
    };
    if name.words.len() == 1 {
        identity.insert("title".to_owned(), title.to_owned());
    }
    identity
}

/// A form, made ready to be compared.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub(crate) form: &'a Form,
    pub(crate) kind: Kind,
    pub(crate) name: Name,
    /// Words of the name that count or number, sorted.
    pub(crate) numbers: Vec<String>,
    /// Whether a word of the name may tell it from a like name.
    pub(crate) tells: bool,
    /// How much the name says.
    pub(crate) fullness: (usize, usize, usize),
    /// Hashes of the words that count, in their order and sorted.
    ordered: u64,
    sorted: u64,
    /// The name at a glance; nothing where a document has other names for it.
    pub(crate) outline: Option<Outline>,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(form: &'a Form) -> Self {
        let (kind, name) = (form.kind(), form.parsed());
        let tells = |word: &String| lexicon::is_distinguishing(word) || is_generation(word);
        let mut core: Vec<&str> = name.core().iter().map(String::as_str).collect();
        let ordered = stable_hash(&core);
        core.sort_unstable();
        let sorted = stable_hash(&core);
        let known_by_one_name = form.aliases.is_empty();
        Self {
            form,
            kind,
            numbers: name.numbers().into_iter().map(str::to_owned).collect(),
            tells: name.words.iter().any(tells),
            fullness: name.fullness(),
            ordered,
            sorted,
            outline: Outline::of(&form.name, &name, kind, sorted).filter(|_| known_by_one_name),
            name,
        }
    }

    /// Whether no rule can hold of the two by their names, told without a look at their words.
    pub(crate) fn is_unlike(&self, other: &Self) -> bool {
        let outlines = self.outline.zip(other.outline);
        outlines.is_some_and(|(one, other)| one.is_unlike(&other))
    }

    /// Whether the words that count are the same for names of this kind.
    pub(crate) fn same_words(&self, other: &Self, kind: Kind) -> bool {
        let same = match kind {
            Kind::Person | Kind::Place => self.ordered == other.ordered,
            _ => self.sorted == other.sorted,
        };
        same && self.name.core_key(kind) == other.name.core_key(kind)
    }
}
