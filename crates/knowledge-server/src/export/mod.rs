//! The resolved graph as a file.
//!
//! Owns the formats. What is exported comes from [`crate::store::read`]; nothing here asks the
//! orchestrator or changes anything. `graph` reads a graph in portions, `walk` goes through it in its
//! order, and each format is a `Sink` of it that is handed one part after the other.

mod csv;
mod cypher;
mod graph;
mod graphml;
mod json;
mod rdf;
mod vocabulary;
mod walk;

use std::io::{self, Write};

use knowledge_domain::ids::{BatchId, OrganizationId};

use self::{
    csv::Csv, cypher::Cypher, graph::Graph, graphml::GraphMl, json::Json, rdf::Rdf,
    vocabulary::Vocabulary, walk::walk,
};
use crate::{
    ontologies::{Ontologies, OntologyUnavailable},
    store::{Store, StoreError, read::Reads},
};

/// A format that graphs are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "lower")]
pub enum Format {
    /// One JSON object, an entity and a relation a line.
    Json,
    /// JSON-LD, with the same triples as `ntriples`.
    JsonLd,
    /// Turtle, with the same triples as `ntriples`.
    Turtle,
    /// N-Triples, with PROV-O provenance and sameAs links.
    NTriples,
    /// GraphML, for Gephi, yEd, NetworkX and others.
    GraphMl,
    /// Statements for Neo4j, which may run again.
    Cypher,
    /// One table, whose first column says what a row is.
    Csv,
}

impl Format {
    /// The format that the ending of a file's name stands for.
    #[must_use]
    pub fn by_ending(ending: &str) -> Option<Self> {
        match ending.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "jsonld" => Some(Self::JsonLd),
            "ttl" => Some(Self::Turtle),
            "nt" => Some(Self::NTriples),
            "graphml" => Some(Self::GraphMl),
            "cypher" | "cql" => Some(Self::Cypher),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// Why a graph was not exported; what was written before is not a whole file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The organisation has no such batch.
    #[error("there is no such batch")]
    NoSuchBatch,
    /// The graph could not be read.
    #[error("the graph could not be read")]
    Store(#[from] StoreError),
    /// The file could not be written.
    #[error("the graph could not be written")]
    Write(#[from] io::Error),
}

/// Writes the resolved graph of a batch, or of the organisation when none is given.
///
/// The graph of a batch has the evidence and the members of its documents only. Ids of runs and
/// times are left out, so that the same documents give the same bytes. What is written is one state
/// of the database, whatever is resolved meanwhile; it is read in portions, so memory holds ids of
/// all entities, the documents without their texts, and the rest of few.
///
/// # Errors
/// [`ExportError`] says whether reading or writing failed; what was written is then incomplete.
pub async fn write(
    store: &Store,
    organization: OrganizationId,
    batch: Option<BatchId>,
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<(), ExportError> {
    let reads = store.reads_of_now(organization).await?;
    if let Some(batch) = batch {
        let head = reads.batch_head(batch).await?;
        head.ok_or(ExportError::NoSuchBatch)?;
    }
    let names = match format {
        Format::JsonLd | Format::Turtle | Format::NTriples => {
            vocabulary(store, &reads, batch).await?
        }
        Format::Json | Format::GraphMl | Format::Cypher | Format::Csv => Vocabulary::default(),
    };
    write_graph(&Graph::new(reads, batch), format, names, out).await
}

/// What the ontologies of a batch call its classes and predicates; those of all batches without one.
async fn vocabulary(
    store: &Store,
    reads: &Reads,
    batch: Option<BatchId>,
) -> Result<Vocabulary, ExportError> {
    let ontologies = Ontologies::new(store.clone());
    let mut vocabulary = Vocabulary::default();
    for id in reads.ontologies_used(batch).await? {
        let Some(id) = id else {
            vocabulary.add_core();
            continue;
        };
        match ontologies.get(reads.organization(), id).await {
            Ok(ontology) => vocabulary.add(&ontology),
            Err(OntologyUnavailable::Store(error)) => return Err(error.into()),
            Err(error) => tracing::warn!("its names are exported as ours: {error}"),
        }
    }
    Ok(vocabulary)
}

async fn write_graph(
    graph: &Graph,
    format: Format,
    names: Vocabulary,
    out: &mut (dyn Write + Send),
) -> Result<(), ExportError> {
    match format {
        Format::Json => walk(graph, Json::new(out)).await,
        Format::JsonLd => walk(graph, Rdf::json_ld(out, names)).await,
        Format::Turtle => walk(graph, Rdf::turtle(out, names)?).await,
        Format::NTriples => walk(graph, Rdf::n_triples(out, names)).await,
        Format::GraphMl => walk(graph, GraphMl::new(out)?).await,
        Format::Cypher => walk(graph, Cypher::new(out)?).await,
        Format::Csv => walk(graph, Csv::new(out)?).await,
    }
}

#[cfg(test)]
mod tests;
