//! The graph as JSON: one object, an entity or a relation a line, the same input the same bytes.

use std::{collections::BTreeMap, io::Write};

use knowledge_domain::{
    document::DocumentStatus,
    ids::{BatchId, DocumentId, EntityId, OrganizationId, RelationId},
};
use serde::Serialize;

use super::{
    ExportError,
    graph::{Graph, distinct},
};
use crate::store::{
    Store,
    read::{DocumentView, EntityView, EvidenceView, Reads, RelationView, SameAsView},
};

/// Entities or relations whose evidence is held at a time.
const CHUNK: usize = 500;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntityLine<'a> {
    id: EntityId,
    name: &'a str,
    types: &'a [String],
    aliases: &'a [String],
    attributes: &'a BTreeMap<String, String>,
    confidence: f64,
    evidence: Vec<EvidencePart>,
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
    evidence: Vec<EvidencePart>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EvidencePart {
    document: DocumentId,
    start_char: i32,
    end_char: i32,
    text: String,
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

/// Writes the resolved graph of a batch, or of the organisation when none is given.
///
/// The graph of a batch has the evidence and the members of its documents only. Ids of runs and
/// times are left out, so that the same documents give the same bytes.
///
/// # Errors
/// [`ExportError`] says whether reading or writing failed; what was written is then incomplete.
pub async fn write_json(
    store: &Store,
    organization: OrganizationId,
    batch: Option<BatchId>,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let reads = store.reads(organization);
    if let Some(batch) = batch {
        let head = reads.batch_head(batch).await?;
        head.ok_or(ExportError::NoSuchBatch)?;
    }
    let graph = Graph::read(&reads, batch).await?;
    out.write_all(b"{\"entities\":[")?;
    write_entities(&reads, batch, &graph.entities, out).await?;
    out.write_all(b"],\n\"relations\":[")?;
    write_relations(&reads, &graph.relations, out).await?;
    out.write_all(b"],\n\"sameAs\":[")?;
    write_lines(graph.same_as.iter().map(SameAsLine::from), true, out)?;
    out.write_all(b"],\n\"documents\":[")?;
    write_lines(graph.documents.iter().map(DocumentLine::from), true, out)?;
    out.write_all(b"]}\n")?;
    Ok(out.flush()?)
}

async fn write_entities(
    reads: &Reads,
    batch: Option<BatchId>,
    entities: &[EntityView],
    out: &mut impl Write,
) -> Result<(), ExportError> {
    for (index, chunk) in entities.chunks(CHUNK).enumerate() {
        let ids: Vec<_> = chunk.iter().map(|entity| entity.id).collect();
        let mut evidence = reads.entity_evidence(batch, &ids).await?;
        let lines = chunk.iter().map(|entity| {
            let evidence = evidence.remove(&entity.id).unwrap_or_default();
            EntityLine::new(entity, evidence)
        });
        write_lines(lines, index == 0, out)?;
    }
    Ok(())
}

async fn write_relations(
    reads: &Reads,
    relations: &[RelationView],
    out: &mut impl Write,
) -> Result<(), ExportError> {
    for (index, chunk) in relations.chunks(CHUNK).enumerate() {
        let members: Vec<_> = chunk
            .iter()
            .flat_map(|relation| relation.members.iter().copied())
            .collect();
        let mut evidence = reads.relation_evidence(&members).await?;
        let lines = chunk.iter().map(|relation| {
            let evidence = relation
                .members
                .iter()
                .filter_map(|member| evidence.remove(member))
                .flatten()
                .collect();
            RelationLine::new(relation, evidence)
        });
        write_lines(lines, index == 0, out)?;
    }
    Ok(())
}

/// Writes each on a line of its own; `first` when nothing of the list was written before.
fn write_lines<T: Serialize>(
    lines: impl Iterator<Item = T>,
    mut first: bool,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    for line in lines {
        out.write_all(if first { b"\n" } else { b",\n" })?;
        first = false;
        serde_json::to_writer(&mut *out, &line).map_err(std::io::Error::from)?;
    }
    Ok(())
}

impl<'a> EntityLine<'a> {
    fn new(entity: &'a EntityView, evidence: Vec<EvidenceView>) -> Self {
        Self {
            id: entity.id,
            name: &entity.name,
            types: &entity.types,
            aliases: &entity.aliases,
            attributes: &entity.attributes,
            confidence: entity.confidence.value(),
            evidence: parts(evidence),
        }
    }
}

impl<'a> RelationLine<'a> {
    fn new(relation: &'a RelationView, evidence: Vec<EvidenceView>) -> Self {
        Self {
            id: relation.id,
            subject: relation.subject,
            predicate: &relation.predicate,
            object: relation.object,
            literal: relation.literal.as_deref(),
            confidence: relation.confidence.value(),
            evidence: parts(evidence),
        }
    }
}

fn parts(evidence: Vec<EvidenceView>) -> Vec<EvidencePart> {
    let evidence = distinct(evidence).into_iter();
    evidence.map(EvidencePart::from).collect()
}

impl From<EvidenceView> for EvidencePart {
    fn from(evidence: EvidenceView) -> Self {
        Self {
            document: evidence.document_id,
            start_char: evidence.start_char,
            end_char: evidence.end_char,
            text: evidence.text,
        }
    }
}

impl<'a> From<&'a SameAsView> for SameAsLine<'a> {
    fn from(link: &'a SameAsView) -> Self {
        Self {
            canonical: link.canonical,
            member: link.member,
            confidence: link.confidence.value(),
            reason: &link.reason,
        }
    }
}

impl<'a> From<&'a DocumentView> for DocumentLine<'a> {
    fn from(document: &'a DocumentView) -> Self {
        Self {
            id: document.content_id,
            name: &document.name,
            source_uri: document.source_uri.as_deref(),
            status: document.status,
            error: document.error.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests;
