//! Ontologies as their authors publish them: Turtle, RDF/XML, N-Triples, JSON-LD.
//!
//! `rdf` turns a document into triples (`xml` looks at RDF/XML before), `terms` finds the classes and
//! properties among them by the questions of `triples`, `labels` what their author says of each, and
//! `names` gives each a name that is short and its own. Nothing is fetched: neither imports nor contexts.

mod labels;
mod names;
mod rdf;
mod terms;
mod triples;
mod vocabulary;
mod xml;

#[cfg(test)]
mod tests;

use knowledge_domain::{Ontology, OntologyFormat};

use crate::config::sha256_hex;

/// Changes whenever the same document may give another ontology.
const VERSION: u32 = 1;

/// Bytes that an ontology has at most.
pub const MOST_ONTOLOGY_BYTES: usize = 16 * 1024 * 1024;

/// Classes that a class has above it at most.
const MOST_ABOVE: usize = 1000;

/// An ontology, and what its document says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OntologyDocument {
    /// The classes and properties.
    pub ontology: Ontology,
    /// The IRI of the ontology; where it has none, what most of its terms begin with.
    pub namespace: String,
    /// Ontologies that it imports, of which nothing was read.
    pub imports: Vec<String>,
}

/// An ontology that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OntologyError {
    /// It is too large.
    #[error(
        "the ontology is larger than {} MiB; cut it to the classes and properties that you need",
        MOST_ONTOLOGY_BYTES / (1024 * 1024)
    )]
    TooLarge,
    /// It is not what its format says.
    #[error("this is no {format}: {message}")]
    Syntax {
        /// The format that was named.
        format: &'static str,
        /// Where and why.
        message: String,
    },
    /// A class is below more classes than anybody would put it.
    #[error(
        "a class is below more than {MOST_ABOVE} others; leave out those above that say nothing"
    )]
    TooDeep,
    /// There is no class in it.
    #[error(
        "the ontology has no class; a class is declared as an owl:Class or rdfs:Class, or has a \
         rdfs:subClassOf"
    )]
    NoClasses,
}

/// Reads an ontology.
///
/// # Errors
/// [`OntologyError`] when the document is too large, not of this format, or has no class.
pub fn read_ontology(
    content: &str,
    format: OntologyFormat,
) -> Result<OntologyDocument, OntologyError> {
    if content.len() > MOST_ONTOLOGY_BYTES {
        return Err(OntologyError::TooLarge);
    }
    // Some editors begin a file with a mark that is no part of it.
    let content = content.strip_prefix('\u{feff}').unwrap_or(content);
    let document = rdf::parse(content, format)?;
    let read = terms::read(&document)?;
    if read.ontology.is_deeper_than(MOST_ABOVE) {
        return Err(OntologyError::TooDeep);
    }
    // The format is no part of it: what two of them can read, they read alike.
    let source = sha256_hex(format!("{VERSION} {content}").as_bytes());
    Ok(OntologyDocument {
        ontology: read.ontology.read_from(source),
        ..read
    })
}
