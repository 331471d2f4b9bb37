//! Triples to the classes and properties that they speak of.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use knowledge_domain::{Class, Ontology, Property, Takes, Term};
use oxrdf::{
    Graph, NamedNodeRef, NamedOrBlankNodeRef, TermRef,
    vocab::{rdf, rdfs},
};

use super::{
    OntologyDocument, OntologyError,
    labels::term,
    names::{Unnamed, local_name, names},
    rdf::Document,
    triples::{SETS, instances, iri_of, is_any, listed, members, named, subject_iri},
    vocabulary::{
        LANGUAGES, OWL_ANNOTATION_PROPERTY, OWL_ASYMMETRIC_PROPERTY, OWL_CLASS,
        OWL_DATATYPE_PROPERTY, OWL_DEPRECATED, OWL_DEPRECATED_CLASS, OWL_DEPRECATED_PROPERTY,
        OWL_DISJOINT_UNION_OF, OWL_EQUIVALENT_CLASS, OWL_FUNCTIONAL_PROPERTY, OWL_IMPORTS,
        OWL_INTERSECTION_OF, OWL_INVERSE_FUNCTIONAL_PROPERTY, OWL_IRREFLEXIVE_PROPERTY,
        OWL_OBJECT_PROPERTY, OWL_ONTOLOGY, OWL_ONTOLOGY_PROPERTY, OWL_REFLEXIVE_PROPERTY,
        OWL_SYMMETRIC_PROPERTY, OWL_TRANSITIVE_PROPERTY, OWL_UNION_OF, SCHEMA_DATA_TYPE,
        SCHEMA_DOMAIN, SCHEMA_RANGE, SCHEMAS_DATA_TYPE, SCHEMAS_DOMAIN, SCHEMAS_RANGE,
    },
};

const CLASSES: &[NamedNodeRef<'static>] = &[OWL_CLASS, rdfs::CLASS];

const DATATYPES: &[NamedNodeRef<'static>] = &[rdfs::DATATYPE, SCHEMA_DATA_TYPE, SCHEMAS_DATA_TYPE];

/// Properties that only link entities.
const OF_ENTITIES: &[NamedNodeRef<'static>] = &[
    OWL_OBJECT_PROPERTY,
    OWL_SYMMETRIC_PROPERTY,
    OWL_ASYMMETRIC_PROPERTY,
    OWL_TRANSITIVE_PROPERTY,
    OWL_REFLEXIVE_PROPERTY,
    OWL_IRREFLEXIVE_PROPERTY,
    OWL_INVERSE_FUNCTIONAL_PROPERTY,
];

/// Properties that speak of a term or a document, not of what the term names.
const OF_DOCUMENTS: &[NamedNodeRef<'static>] = &[OWL_ANNOTATION_PROPERTY, OWL_ONTOLOGY_PROPERTY];

const DEPRECATED: &[NamedNodeRef<'static>] = &[OWL_DEPRECATED_CLASS, OWL_DEPRECATED_PROPERTY];

const DOMAINS: &[NamedNodeRef<'static>] = &[rdfs::DOMAIN, SCHEMA_DOMAIN, SCHEMAS_DOMAIN];
const RANGES: &[NamedNodeRef<'static>] = &[rdfs::RANGE, SCHEMA_RANGE, SCHEMAS_RANGE];

/// Properties above one that it may have its domain and range from, at most.
const MOST_PROPERTIES_ABOVE: usize = 100;

/// The ontology of a document.
pub(super) fn read(document: &Document) -> Result<OntologyDocument, OntologyError> {
    let graph = &document.graph;
    let datatypes = datatypes(graph);
    let properties = properties(graph);
    let classes = classes(graph, &properties, &datatypes);
    if classes.is_empty() {
        return Err(OntologyError::NoClasses);
    }
    let described = |iris: &BTreeSet<&str>| -> BTreeMap<String, Term> {
        let terms = iris.iter().map(|iri| ((*iri).to_owned(), term(graph, iri)));
        terms.collect()
    };
    let (class_terms, property_terms) = (described(&classes), described(&properties));
    let class_names = called(&class_terms, &document.prefixes);
    let reading = Reading {
        graph,
        taken: class_names.values().cloned().collect(),
        class_names,
        property_names: called(&property_terms, &document.prefixes),
        datatypes,
        united: united(graph),
    };
    let mut classes: Vec<Class> = class_terms.values().map(|it| reading.class(it)).collect();
    classes.sort_by(|a, b| a.name.cmp(&b.name));
    let mut properties: Vec<Property> = property_terms
        .values()
        .map(|it| reading.property(it))
        .collect();
    properties.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(OntologyDocument {
        namespace: namespace(graph, class_terms.keys()),
        imports: imports(graph),
        ontology: Ontology::new(classes, properties),
    })
}

fn called<'a>(
    terms: &'a BTreeMap<String, Term>,
    prefixes: &[(String, String)],
) -> BTreeMap<&'a str, String> {
    let unnamed: Vec<Unnamed<'a>> = terms
        .values()
        .map(|Term { iri, labels, .. }| Unnamed { iri, labels })
        .collect();
    names(&unnamed, prefixes)
}

/// Names are known; now everything else.
struct Reading<'a> {
    graph: &'a Graph,
    class_names: BTreeMap<&'a str, String>,
    property_names: BTreeMap<&'a str, String>,
    datatypes: BTreeSet<&'a str>,
    /// Names of classes.
    taken: HashSet<String>,
    /// The classes that are unions of others, by those others.
    united: HashMap<&'a str, BTreeSet<&'a str>>,
}

impl Reading<'_> {
    fn class(&self, term: &Term) -> Class {
        let unions = self.united.get(term.iri.as_str()).into_iter().flatten();
        let mut parents: Vec<String> = parents(self.graph, &term.iri)
            .into_iter()
            .chain(unions.copied())
            .filter(|parent| *parent != term.iri)
            .filter_map(|parent| self.class_names.get(parent).cloned())
            .collect();
        parents.sort();
        parents.dedup();
        Class {
            name: self.class_names[term.iri.as_str()].clone(),
            parents,
            term: Some(term.clone()),
        }
    }

    fn property(&self, term: &Term) -> Property {
        // What a property does not say, the nearest above it does: who has a value of the one has
        // it of the other.
        let above = self.above(&term.iri);
        let first = |predicates: &[NamedNodeRef<'_>]| {
            let said = |iri: &&str| named(self.graph, iri, predicates);
            let mut said = above.iter().map(said);
            said.find(|said| !said.is_empty()).unwrap_or_default()
        };
        let range = first(RANGES);
        let takes = above.iter().map(|iri| self.takes(iri));
        let takes = takes.into_iter().find(|takes| *takes != Takes::Anything);
        let values =
            !range.is_empty() && range.iter().all(|end| !self.class_names.contains_key(end));
        Property {
            name: self.property_names[term.iri.as_str()].clone(),
            domain: self.ends(first(DOMAINS)),
            takes: match takes {
                None if values && !range.iter().any(|end| is_anything(end)) => Takes::Literals,
                takes => takes.unwrap_or_default(),
            },
            range: self.ends(range),
            term: Some(term.clone()),
        }
    }

    /// A property and those that it specialises, nearest first; so many that none is missed which
    /// anybody would write.
    fn above<'b>(&'b self, iri: &'b str) -> Vec<&'b str> {
        let (mut above, mut seen) = (vec![iri], BTreeSet::from([iri]));
        let mut next = 0;
        while let Some(iri) = above.get(next).copied() {
            for parent in named(self.graph, iri, &[rdfs::SUB_PROPERTY_OF]) {
                if above.len() < MOST_PROPERTIES_ABOVE && seen.insert(parent) {
                    above.push(parent);
                }
            }
            next += 1;
        }
        above
    }

    fn takes(&self, iri: &str) -> Takes {
        if is_any(self.graph, iri, &[OWL_DATATYPE_PROPERTY]) {
            Takes::Literals
        } else if is_any(self.graph, iri, OF_ENTITIES) {
            Takes::Entities
        } else {
            Takes::Anything
        }
    }

    /// The names of classes and datatypes; none where one of them is everything.
    fn ends(&self, iris: BTreeSet<&str>) -> Vec<String> {
        if iris.iter().any(|iri| is_anything(iri)) {
            return Vec::new();
        }
        let mut ends: Vec<String> = iris.into_iter().filter_map(|iri| self.end(iri)).collect();
        ends.sort();
        ends.dedup();
        ends
    }

    fn end(&self, iri: &str) -> Option<String> {
        if let Some(class) = self.class_names.get(iri) {
            return Some(class.clone());
        }
        let datatype = self.datatypes.contains(iri) || is_of_a_language(iri);
        let local = local_name(iri);
        // A datatype is no class: it must not be called as one is.
        let taken = self.taken.contains(local);
        datatype.then(|| if taken { iri } else { local }.to_owned())
    }
}

fn datatypes(graph: &Graph) -> BTreeSet<&str> {
    let of_a_kind = |kind: &NamedNodeRef<'_>| instances(graph, *kind);
    let mut datatypes: BTreeSet<&str> = DATATYPES.iter().flat_map(of_a_kind).collect();
    datatypes.extend(DATATYPES.iter().map(|kind| kind.as_str()));
    // schema.org has datatypes that are classes below others.
    let mut left: Vec<&str> = datatypes.iter().copied().collect();
    while let Some(iri) = left.pop() {
        let datatype = NamedNodeRef::new_unchecked(iri);
        let below = graph.subjects_for_predicate_object(rdfs::SUB_CLASS_OF, datatype);
        let below = below
            .filter_map(subject_iri)
            .filter(|iri| datatypes.insert(iri));
        left.extend(below.collect::<Vec<_>>());
    }
    datatypes
}

/// What is declared as a property, or speaks as one.
fn properties(graph: &Graph) -> BTreeSet<&str> {
    let declared = [
        rdf::PROPERTY,
        OWL_DATATYPE_PROPERTY,
        OWL_FUNCTIONAL_PROPERTY,
    ];
    let kinds = declared.iter().chain(OF_ENTITIES);
    let declared = kinds.flat_map(|kind| instances(graph, *kind));
    let links = DOMAINS.iter().chain(RANGES).chain(&[rdfs::SUB_PROPERTY_OF]);
    let speaking = links
        .flat_map(|link| graph.triples_for_predicate(*link))
        .filter_map(|triple| subject_iri(triple.subject));
    declared
        .chain(speaking)
        .filter(|iri| !is_of_a_language(iri) && !is_any(graph, iri, OF_DOCUMENTS))
        .filter(|iri| !is_deprecated(graph, iri))
        .collect()
}

/// What is declared as a class, or must be one by what is said of it.
fn classes<'a>(
    graph: &'a Graph,
    properties: &BTreeSet<&'a str>,
    datatypes: &BTreeSet<&'a str>,
) -> BTreeSet<&'a str> {
    let declared = CLASSES.iter().flat_map(|kind| instances(graph, *kind));
    let links = [
        rdfs::SUB_CLASS_OF,
        OWL_EQUIVALENT_CLASS,
        OWL_DISJOINT_UNION_OF,
    ];
    let above = links
        .into_iter()
        .flat_map(|link| graph.triples_for_predicate(link).map(move |it| (link, it)))
        .flat_map(|(link, triple)| {
            // A class of somebody else that is the same is no class of this ontology by that.
            let same = link == OWL_EQUIVALENT_CLASS && iri_of(triple.object).is_some();
            let ends = if same {
                Vec::new()
            } else {
                members(graph, triple.object, SETS)
            };
            ends.into_iter().chain(subject_iri(triple.subject))
        });
    let ends = properties.iter().flat_map(|property| {
        let values = is_any(graph, property, &[OWL_DATATYPE_PROPERTY]);
        let ranges = if values { &[][..] } else { RANGES };
        let ends = [DOMAINS, ranges];
        ends.into_iter()
            .flat_map(|links| named(graph, property, links))
    });
    declared
        .chain(above)
        .chain(ends)
        .filter(|iri| !is_of_a_language(iri) && !datatypes.contains(iri))
        .filter(|iri| !is_deprecated(graph, iri))
        .collect()
}

/// The classes that one specialises, and those that are the same.
fn parents<'a>(graph: &'a Graph, iri: &'a str) -> BTreeSet<&'a str> {
    let class = NamedNodeRef::new_unchecked(iri);
    let links = [rdfs::SUB_CLASS_OF, OWL_EQUIVALENT_CLASS];
    let said = links
        .into_iter()
        .flat_map(|link| graph.objects_for_subject_predicate(class, link))
        .flat_map(|object| members(graph, object, &[OWL_INTERSECTION_OF]));
    let same = graph
        .subjects_for_predicate_object(OWL_EQUIVALENT_CLASS, class)
        .filter_map(subject_iri);
    said.chain(same).collect()
}

/// The classes that are unions of others, by those others.
fn united(graph: &Graph) -> HashMap<&str, BTreeSet<&str>> {
    let mut united: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for link in [OWL_UNION_OF, OWL_DISJOINT_UNION_OF] {
        for triple in graph.triples_for_predicate(link) {
            let unions: Vec<&str> = match triple.subject {
                NamedOrBlankNodeRef::NamedNode(union) => vec![union.as_str()],
                NamedOrBlankNodeRef::BlankNode(node) => graph
                    .subjects_for_predicate_object(OWL_EQUIVALENT_CLASS, node)
                    .filter_map(subject_iri)
                    .collect(),
            };
            for member in listed(graph, triple.object) {
                united.entry(member).or_default().extend(&unions);
            }
        }
    }
    united
}

fn is_deprecated(graph: &Graph, iri: &str) -> bool {
    let subject = NamedNodeRef::new_unchecked(iri);
    let mut said = graph.objects_for_subject_predicate(subject, OWL_DEPRECATED);
    let is_true =
        |said| matches!(said, TermRef::Literal(it) if ["true", "1"].contains(&it.value()));
    let said = said.any(is_true);
    said || is_any(graph, iri, DEPRECATED)
}

fn is_of_a_language(iri: &str) -> bool {
    LANGUAGES.iter().any(|language| iri.starts_with(language))
}

/// Whether everything is of this class.
fn is_anything(iri: &str) -> bool {
    const ANYTHING: [&str; 4] = [
        "http://www.w3.org/2002/07/owl#Thing",
        "http://www.w3.org/2000/01/rdf-schema#Resource",
        "http://schema.org/Thing",
        "https://schema.org/Thing",
    ];
    ANYTHING.contains(&iri)
}

/// The IRI of the ontology, of several that with which most of its classes begin; where it has
/// none, what most of them begin with.
fn namespace<'a>(graph: &Graph, classes: impl Iterator<Item = &'a String> + Clone) -> String {
    let ontologies = instances(graph, OWL_ONTOLOGY).into_iter().map(|ontology| {
        let own = ontology.trim_end_matches(['#', '/']);
        let within = classes.clone().filter(|class| class.starts_with(own));
        (Reverse(within.count()), ontology)
    });
    if let Some((_, ontology)) = ontologies.min() {
        return ontology.to_owned();
    }
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for iri in classes {
        let namespace = &iri[..iri.len() - local_name(iri).len()];
        *times.entry(namespace).or_default() += 1;
    }
    let namespaces = times.into_iter();
    let most = namespaces.max_by_key(|(namespace, times)| (*times, Reverse(*namespace)));
    most.map_or_else(String::new, |(namespace, _)| namespace.to_owned())
}

fn imports(graph: &Graph) -> Vec<String> {
    let imports = graph.triples_for_predicate(OWL_IMPORTS);
    let imports = imports.filter_map(|triple| iri_of(triple.object));
    imports
        .map(str::to_owned)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}
