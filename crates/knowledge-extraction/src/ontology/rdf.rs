//! A document to triples.

use std::{collections::HashMap, fmt::Display, sync::LazyLock};

use knowledge_domain::OntologyFormat;
use oxjsonld::JsonLdParser;
use oxrdf::{
    Graph, NamedNodeRef, Triple,
    vocab::{rdf, rdfs},
};
use oxrdfxml::RdfXmlParser;
use oxttl::{NTriplesParser, TurtleParser};
use quick_xml::events::Event;
use regex::Regex;

use super::{
    MOST_ONTOLOGY_BYTES, OntologyError,
    vocabulary::{
        OBO_DEFINITION, OWL_DEPRECATED, OWL_EQUIVALENT_CLASS, OWL_IMPORTS, OWL_INTERSECTION_OF,
        OWL_UNION_OF, SCHEMA_DOMAIN, SCHEMA_RANGE, SCHEMAS_DOMAIN, SCHEMAS_RANGE, SKOS_ALT_LABEL,
        SKOS_DEFINITION, SKOS_PREF_LABEL,
    },
};

/// What relative names are relative to in a document that does not say.
const BASE: &str = "https://ontology.invalid/";

/// Triples that are kept at most.
const MOST_TRIPLES: usize = 500_000;

/// Elements of RDF/XML in each other at most.
const MOST_DEPTH: usize = 1000;

/// Predicates that say something of classes and properties; no other triple is kept.
const TELLING: &[NamedNodeRef<'static>] = &[
    rdf::TYPE,
    rdf::FIRST,
    rdf::REST,
    rdfs::SUB_CLASS_OF,
    rdfs::SUB_PROPERTY_OF,
    rdfs::DOMAIN,
    rdfs::RANGE,
    rdfs::LABEL,
    rdfs::COMMENT,
    OWL_EQUIVALENT_CLASS,
    OWL_UNION_OF,
    OWL_INTERSECTION_OF,
    OWL_DEPRECATED,
    OWL_IMPORTS,
    SKOS_PREF_LABEL,
    SKOS_ALT_LABEL,
    SKOS_DEFINITION,
    OBO_DEFINITION,
    SCHEMA_DOMAIN,
    SCHEMA_RANGE,
    SCHEMAS_DOMAIN,
    SCHEMAS_RANGE,
];

/// What a document says of classes and properties.
pub(super) struct Document {
    pub(super) graph: Graph,
    /// Prefixes with what they stand for, in the order of the prefixes.
    pub(super) prefixes: Vec<(String, String)>,
}

/// The triples of a document that speak of classes and properties.
pub(super) fn parse(content: &str, format: OntologyFormat) -> Result<Document, OntologyError> {
    match format {
        OntologyFormat::Turtle => turtle(content),
        OntologyFormat::RdfXml => rdf_xml(content),
        OntologyFormat::NTriples => n_triples(content),
        OntologyFormat::JsonLd => json_ld(content),
    }
}

fn turtle(content: &str) -> Result<Document, OntologyError> {
    let wrong = |error: &dyn Display| syntax("Turtle", error);
    let parser = TurtleParser::new().with_base_iri(BASE);
    let mut triples = parser.map_err(|error| wrong(&error))?.for_slice(content);
    let graph = collect(
        triples
            .by_ref()
            .map(|triple| triple.map_err(|error| wrong(&error))),
    )?;
    Ok(Document::new(graph, triples.prefixes()))
}

fn n_triples(content: &str) -> Result<Document, OntologyError> {
    let triples = NTriplesParser::new().for_slice(content);
    let graph = collect(triples.map(|triple| triple.map_err(|error| syntax("N-Triples", &error))))?;
    Ok(Document::new(graph, std::iter::empty()))
}

fn rdf_xml(content: &str) -> Result<Document, OntologyError> {
    let wrong = |error: &dyn Display| syntax("RDF/XML", error);
    check_entities(content).map_err(|why| wrong(&why))?;
    check_depth(content).map_err(|why| wrong(&why))?;
    let parser = RdfXmlParser::new().with_base_iri(BASE);
    let mut triples = parser.map_err(|error| wrong(&error))?.for_slice(content);
    let graph = collect(
        triples
            .by_ref()
            .map(|triple| triple.map_err(|error| wrong(&error))),
    )?;
    Ok(Document::new(graph, triples.prefixes()))
}

fn json_ld(content: &str) -> Result<Document, OntologyError> {
    let wrong = |error: &dyn Display| syntax("JSON-LD", error);
    let parser = JsonLdParser::new().with_base_iri(BASE);
    let mut quads = parser
        .map_err(|error| wrong(&error))?
        .for_slice(content)
        .with_load_document_callback(|address, _| {
            let why = format!("the context {address} is not fetched; put it into the document");
            Err(why.into())
        });
    let triples = quads.by_ref().map(|quad| {
        let quad = quad.map_err(|error| wrong(&error))?;
        Ok(Triple::new(quad.subject, quad.predicate, quad.object))
    });
    let graph = collect(triples)?;
    Ok(Document::new(graph, quads.prefixes()))
}

impl Document {
    fn new<'a>(graph: Graph, prefixes: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let prefixes = prefixes.map(|(prefix, iri)| (prefix.to_owned(), iri.to_owned()));
        let mut prefixes: Vec<_> = prefixes.collect();
        prefixes.sort();
        Self { graph, prefixes }
    }
}

fn collect(
    triples: impl Iterator<Item = Result<Triple, OntologyError>>,
) -> Result<Graph, OntologyError> {
    let mut graph = Graph::new();
    for triple in triples {
        let triple = triple?;
        if TELLING.contains(&triple.predicate.as_ref()) {
            graph.insert(&triple);
        }
        if graph.len() > MOST_TRIPLES {
            return Err(OntologyError::TooLarge);
        }
    }
    Ok(graph)
}

fn syntax(format: &'static str, error: &(impl Display + ?Sized)) -> OntologyError {
    let message = error.to_string();
    // A parser may quote what it could not read.
    let message = message.chars().take(300).collect();
    OntologyError::Syntax { format, message }
}

/// Entities as the parser reads them, who wants to be kind to those who write them wrongly.
static DECLARED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"<!ENTITY\s*%?\s*(\S+)\s+"([^"]*)""#));
static NAMED: LazyLock<Regex> = LazyLock::new(|| pattern(r"&([^;&<\s]+);"));

#[expect(clippy::expect_used, reason = "a constant, compiled in every test")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a valid pattern")
}

/// Refuses entities of which the parser would make more text than an ontology may have: it replaces
/// each where it is named, and those within others as well.
fn check_entities(content: &str) -> Result<(), &'static str> {
    let mut lengths: HashMap<&str, usize> = HashMap::new();
    for declared in DECLARED.captures_iter(content) {
        let (_, [name, value]) = declared.extract();
        let within = NAMED.captures_iter(value);
        if within.map(|named| named.extract::<1>().1[0]).any(is_own) {
            return Err("an entity that names another one is not read");
        }
        lengths.insert(name, value.len());
    }
    let named = NAMED.captures_iter(content);
    let lengths = named.filter_map(|named| lengths.get(named.extract::<1>().1[0]));
    if lengths.sum::<usize>() > MOST_ONTOLOGY_BYTES {
        return Err("its entities stand for more text than an ontology may have");
    }
    Ok(())
}

/// Refuses elements so deep in each other that the parser, which looks through all that it is in for
/// each name, would not come to an end.
fn check_depth(content: &str) -> Result<(), &'static str> {
    let mut reader = quick_xml::Reader::from_str(content);
    let mut depth = 0_usize;
    loop {
        match reader.read_event() {
            Ok(Event::Start(_)) if depth == MOST_DEPTH => {
                return Err("its elements are too deep in each other");
            }
            Ok(Event::Start(_)) => depth += 1,
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            // What is wrong with it, the parser says.
            Ok(Event::Eof) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
    }
}

/// Whether an entity is the document's own: not one of a character, and none of XML's five.
fn is_own(entity: &str) -> bool {
    !entity.starts_with('#') && !["amp", "lt", "gt", "quot", "apos"].contains(&entity)
}
