//! A document to triples.

use std::fmt::Display;

use knowledge_domain::OntologyFormat;
use oxjsonld::JsonLdParser;
use oxrdf::{
    Graph, NamedNodeRef, NamedOrBlankNode, Term, Triple,
    vocab::{rdf, rdfs},
};
use oxrdfxml::RdfXmlParser;
use oxttl::{NTriplesParser, TurtleParser};
use serde_json::Value;

use super::{
    MOST_ONTOLOGY_BYTES, OntologyError,
    vocabulary::{
        OBO_DEFINITION, OWL_DEPRECATED, OWL_DISJOINT_UNION_OF, OWL_EQUIVALENT_CLASS, OWL_IMPORTS,
        OWL_INTERSECTION_OF, OWL_UNION_OF, SCHEMA_DOMAIN, SCHEMA_RANGE, SCHEMAS_DOMAIN,
        SCHEMAS_RANGE, SKOS_ALT_LABEL, SKOS_DEFINITION, SKOS_PREF_LABEL,
    },
    xml,
};

/// What relative names are relative to in a document that does not say.
const BASE: &str = "https://ontology.invalid/";

/// Triples that are kept at most.
const MOST_TRIPLES: usize = 500_000;

/// Bytes of an IRI at most.
const MOST_IRI_BYTES: usize = 4096;

/// Bytes of all triples at most, of those too that say nothing of classes and properties: prefixes
/// and entities make much of little.
const MOST_TRIPLE_BYTES: usize = 16 * MOST_ONTOLOGY_BYTES;

/// Contexts of JSON-LD at most.
const MOST_CONTEXTS: usize = 50;

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
    OWL_DISJOINT_UNION_OF,
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
    let prefixes = xml::check(content).map_err(|why| wrong(&why))?;
    let parser = RdfXmlParser::new().with_base_iri(BASE);
    let triples = parser.map_err(|error| wrong(&error))?.for_slice(content);
    let graph = collect(triples.map(|triple| triple.map_err(|error| wrong(&error))))?;
    // The parser has forgotten them when it has come to the end.
    Ok(Document { graph, prefixes })
}

fn json_ld(content: &str) -> Result<Document, OntologyError> {
    let wrong = |error: &dyn Display| syntax("JSON-LD", error);
    check_contexts(content).map_err(|why| wrong(&why))?;
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
    let (mut graph, mut bytes) = (Graph::new(), 0_usize);
    for triple in triples {
        let triple = triple?;
        bytes += measured(&triple)?;
        if TELLING.contains(&triple.predicate.as_ref()) {
            graph.insert(&triple);
        }
        if bytes > MOST_TRIPLE_BYTES || graph.len() > MOST_TRIPLES {
            return Err(OntologyError::TooLarge);
        }
    }
    Ok(graph)
}

/// The bytes of a triple; an error when an IRI is none that anybody would write.
fn measured(triple: &Triple) -> Result<usize, OntologyError> {
    let subject = match &triple.subject {
        NamedOrBlankNode::NamedNode(iri) => iri.as_str().len(),
        NamedOrBlankNode::BlankNode(_) => 0,
    };
    let (object, text) = match &triple.object {
        Term::NamedNode(iri) => (iri.as_str().len(), 0),
        Term::Literal(text) => (text.datatype().as_str().len(), text.value().len()),
        Term::BlankNode(_) => (0, 0),
    };
    let iris = [subject, triple.predicate.as_str().len(), object];
    if iris.iter().any(|bytes| *bytes > MOST_IRI_BYTES) {
        return Err(OntologyError::TooLarge);
    }
    Ok(iris.iter().sum::<usize>() + text)
}

/// Refuses more contexts than anybody writes: the parser copies what holds for each.
fn check_contexts(content: &str) -> Result<(), String> {
    fn contexts(value: &Value) -> usize {
        match value {
            Value::Array(items) => items.iter().map(contexts).sum(),
            Value::Object(fields) => {
                let own = usize::from(fields.contains_key("@context"));
                own + fields.values().map(contexts).sum::<usize>()
            }
            _ => 0,
        }
    }
    let value: Value = serde_json::from_str(content).map_err(|error| error.to_string())?;
    if contexts(&value) > MOST_CONTEXTS {
        return Err(format!(
            "it has more than {MOST_CONTEXTS} contexts; one at the top will do"
        ));
    }
    Ok(())
}

fn syntax(format: &'static str, error: &(impl Display + ?Sized)) -> OntologyError {
    let message = error.to_string();
    // A parser may quote what it could not read.
    let message = message.chars().take(300).collect();
    OntologyError::Syntax { format, message }
}
