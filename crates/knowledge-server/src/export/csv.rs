//! The graph as one table: what a row is says its first column, and columns that it has nothing for
//! are empty. Lists and attributes are JSON.

use std::io::{self, Write};

use csv::{ErrorKind, Writer, WriterBuilder};
use knowledge_domain::{
    document::DocumentStatus,
    ids::{DocumentId, EntityId},
};
use serde::Serialize;

use super::walk::Sink;
use crate::store::read::{DocumentView, EntityView, EvidenceView, RelationView, SameAsView};

/// The names of the columns, in the order of [`Row`].
const COLUMNS: [&str; 18] = [
    "kind",
    "id",
    "name",
    "types",
    "aliases",
    "attributes",
    "confidence",
    "subject",
    "predicate",
    "object",
    "literal",
    "document",
    "startChar",
    "endChar",
    "text",
    "sourceUri",
    "status",
    "reason",
];

/// An entity, a relation, a link, a document, or evidence: a row for each place, with the id of what
/// rests on it.
#[derive(Default, Serialize)]
struct Row<'a> {
    kind: &'a str,
    id: String,
    name: Option<&'a str>,
    types: Option<String>,
    aliases: Option<String>,
    attributes: Option<String>,
    confidence: Option<f64>,
    subject: Option<EntityId>,
    predicate: Option<&'a str>,
    object: Option<EntityId>,
    literal: Option<&'a str>,
    document: Option<DocumentId>,
    start_char: Option<i32>,
    end_char: Option<i32>,
    text: Option<&'a str>,
    source_uri: Option<&'a str>,
    status: Option<DocumentStatus>,
    reason: Option<&'a str>,
}

pub(super) struct Csv<W: Write> {
    rows: Writer<W>,
}

/// As the file says it: whoever has had enough of a pipe is told apart from a full disk.
fn not_written(error: csv::Error) -> io::Error {
    match error.into_kind() {
        ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

impl<W: Write> Csv<W> {
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut rows = WriterBuilder::new().has_headers(false).from_writer(out);
        rows.write_record(COLUMNS).map_err(not_written)?;
        Ok(Self { rows })
    }

    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.rows.serialize(row).map_err(not_written)
    }

    fn evidence(&mut self, of: &str, evidence: &[EvidenceView]) -> io::Result<()> {
        for place in evidence {
            self.row(&Row {
                kind: "evidence",
                id: of.to_owned(),
                document: Some(place.document_id),
                start_char: Some(place.start_char),
                end_char: Some(place.end_char),
                text: Some(&place.text),
                ..Row::default()
            })?;
        }
        Ok(())
    }
}

impl<W: Write> Sink for Csv<W> {
    const CONTENTS_ONCE: bool = false;

    fn entity(&mut self, entity: &EntityView, evidence: &[EvidenceView]) -> io::Result<()> {
        let id = entity.id.to_string();
        self.row(&Row {
            kind: "entity",
            id: id.clone(),
            name: Some(&entity.name),
            types: Some(serde_json::to_string(&entity.types)?),
            aliases: Some(serde_json::to_string(&entity.aliases)?),
            attributes: Some(serde_json::to_string(&entity.attributes)?),
            confidence: Some(entity.confidence.value()),
            ..Row::default()
        })?;
        self.evidence(&id, evidence)
    }

    fn relation(&mut self, relation: &RelationView, evidence: &[EvidenceView]) -> io::Result<()> {
        let id = relation.id.to_string();
        self.row(&Row {
            kind: "relation",
            id: id.clone(),
            confidence: Some(relation.confidence.value()),
            subject: Some(relation.subject),
            predicate: Some(&relation.predicate),
            object: relation.object,
            literal: relation.literal.as_deref(),
            ..Row::default()
        })?;
        self.evidence(&id, evidence)
    }

    fn link(&mut self, link: &SameAsView) -> io::Result<()> {
        self.row(&Row {
            kind: "sameAs",
            id: link.member.to_string(),
            confidence: Some(link.confidence.value()),
            subject: Some(link.member),
            predicate: Some("sameAs"),
            object: Some(link.canonical),
            reason: Some(&link.reason),
            ..Row::default()
        })
    }

    fn document(&mut self, document: &DocumentView) -> io::Result<()> {
        self.row(&Row {
            kind: "document",
            id: document.content_id.to_string(),
            name: Some(&document.name),
            source_uri: document.source_uri.as_deref(),
            status: Some(document.status),
            reason: document.error.as_deref(),
            ..Row::default()
        })
    }

    fn end(mut self) -> io::Result<()> {
        self.rows.flush()
    }
}
