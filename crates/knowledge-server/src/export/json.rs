//! The graph as JSON: one object, an entity or a relation a line, the same input the same bytes.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use knowledge_domain::{
    document::DocumentStatus,
    ids::{DocumentId, EntityId, RelationId},
};
use serde::Serialize;

use super::walk::{Part, Sink};
use crate::store::read::{DocumentView, EntityView, EvidenceView, RelationView, SameAsView};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntityLine<'a> {
    id: EntityId,
    name: &'a str,
    types: &'a [String],
    aliases: &'a [String],
    attributes: &'a BTreeMap<String, String>,
    confidence: f64,
    evidence: Vec<EvidencePart<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RelationLine<'a> {
    id: RelationId,
    subject: EntityId,
    predicate: &'a str,
    object: Option<EntityId>,
    literal: Option<&'a str>,
    confidence: f64,
    evidence: Vec<EvidencePart<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EvidencePart<'a> {
    document: DocumentId,
    start_char: i32,
    end_char: i32,
    text: &'a str,
}

#[derive(Serialize)]
struct SameAsLine<'a> {
    canonical: EntityId,
    member: EntityId,
    confidence: f64,
    reason: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DocumentLine<'a> {
    id: DocumentId,
    name: &'a str,
    source_uri: Option<&'a str>,
    status: DocumentStatus,
    error: Option<&'a str>,
}

/// One object with four lists, a line for each of their elements.
pub(super) struct Json<W> {
    out: W,
    /// Whether the list that is written has no element yet.
    first: bool,
}

impl<W: Write> Json<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, first: true }
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let separator: &[u8] = if self.first { b"\n" } else { b",\n" };
        self.out.write_all(separator)?;
        self.first = false;
        Ok(serde_json::to_writer(&mut self.out, line)?)
    }
}

impl<W: Write> Sink for Json<W> {
    const CONTENTS_ONCE: bool = false;

    fn begin(&mut self, part: Part) -> io::Result<()> {
        self.first = true;
        self.out.write_all(match part {
            Part::Entities => b"{\"entities\":[",
            Part::Relations => b"],\n\"relations\":[",
            Part::Links => b"],\n\"sameAs\":[",
            Part::Documents => b"],\n\"documents\":[",
        })
    }

    fn entity(&mut self, entity: &EntityView, evidence: &[EvidenceView]) -> io::Result<()> {
        self.line(&EntityLine {
            id: entity.id,
            name: &entity.name,
            types: &entity.types,
            aliases: &entity.aliases,
            attributes: &entity.attributes,
            confidence: entity.confidence.value(),
            evidence: parts(evidence),
        })
    }

    fn relation(&mut self, relation: &RelationView, evidence: &[EvidenceView]) -> io::Result<()> {
        self.line(&RelationLine {
            id: relation.id,
            subject: relation.subject,
            predicate: &relation.predicate,
            object: relation.object,
            literal: relation.literal.as_deref(),
            confidence: relation.confidence.value(),
            evidence: parts(evidence),
        })
    }

    fn link(&mut self, link: &SameAsView) -> io::Result<()> {
        self.line(&SameAsLine {
            canonical: link.canonical,
            member: link.member,
            confidence: link.confidence.value(),
            reason: &link.reason,
        })
    }

    fn document(&mut self, document: &DocumentView) -> io::Result<()> {
        self.line(&DocumentLine {
            id: document.content_id,
            name: &document.name,
            source_uri: document.source_uri.as_deref(),
            status: document.status,
            error: document.error.as_deref(),
        })
    }

    fn end(mut self) -> io::Result<()> {
        self.out.write_all(b"]}\n")?;
        self.out.flush()
    }
}

fn parts(evidence: &[EvidenceView]) -> Vec<EvidencePart<'_>> {
    evidence.iter().map(EvidencePart::from).collect()
}

impl<'a> From<&'a EvidenceView> for EvidencePart<'a> {
    fn from(evidence: &'a EvidenceView) -> Self {
        Self {
            document: evidence.document_id,
            start_char: evidence.start_char,
            end_char: evidence.end_char,
            text: &evidence.text,
        }
    }
}
