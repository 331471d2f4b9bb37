//! The graph as JSON: one object, an entity or a relation a line, the same input the same bytes.

use std::{collections::BTreeMap, io::Write};

use knowledge_domain::{
    document::DocumentStatus,
    ids::{BatchId, DocumentId, EntityId, OrganizationId, RelationId},
};
use serde::Serialize;

use super::{
    ExportError,
    graph::{Graph, distinct, portions},
};
use crate::store::{
    Store,
    read::{DocumentView, EntityView, EvidenceView, RelationView, SameAsView},
};

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
/// times are left out, so that the same documents give the same bytes. What is written is one state
/// of the database, whatever is resolved meanwhile; it is read in portions, so memory holds ids of
/// all entities and the rest of few.
///
/// # Errors
/// [`ExportError`] says whether reading or writing failed; what was written is then incomplete.
pub async fn write_json(
    store: &Store,
    organization: OrganizationId,
    batch: Option<BatchId>,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let reads = store.reads_of_now(organization).await?;
    if let Some(batch) = batch {
        let head = reads.batch_head(batch).await?;
        head.ok_or(ExportError::NoSuchBatch)?;
    }
    write_graph(&Graph::new(reads, batch), out).await
}

async fn write_graph(graph: &Graph, out: &mut impl Write) -> Result<(), ExportError> {
    out.write_all(b"{\"entities\":[")?;
    let clustered = write_entities(graph, out).await?;
    out.write_all(b"],\n\"relations\":[")?;
    write_relations(graph, out).await?;
    out.write_all(b"],\n\"sameAs\":[")?;
    write_links(graph, &clustered, out).await?;
    out.write_all(b"],\n\"documents\":[")?;
    let documents = graph.documents().await?;
    Lines::new(out).write(documents.iter().map(DocumentLine::from))?;
    out.write_all(b"]}\n")?;
    Ok(out.flush()?)
}

/// Gives back, by id, the entities that have other members.
async fn write_entities(graph: &Graph, out: &mut impl Write) -> Result<Vec<EntityId>, ExportError> {
    let mut lines = Lines::new(out);
    let mut clustered = Vec::new();
    for portion in graph.entities().await? {
        let mut read = graph.read_entities(&portion).await?;
        let others = |entity: &&EntityView| entity.members != [entity.id];
        clustered.extend(read.entities.iter().filter(others).map(|entity| entity.id));
        lines.write(read.entities.iter().map(|entity| {
            let evidence = read.evidence.remove(&entity.id).unwrap_or_default();
            EntityLine::new(entity, evidence)
        }))?;
    }
    clustered.sort_unstable();
    Ok(clustered)
}

async fn write_relations(graph: &Graph, out: &mut impl Write) -> Result<(), ExportError> {
    let mut lines = Lines::new(out);
    for portion in graph.subjects().await? {
        let mut read = graph.read_relations(&portion).await?;
        lines.write(read.relations.iter().map(|relation| {
            let evidence = relation
                .members
                .iter()
                .filter_map(|member| read.evidence.remove(member))
                .flatten()
                .collect();
            RelationLine::new(relation, evidence)
        }))?;
    }
    Ok(())
}

async fn write_links(
    graph: &Graph,
    clustered: &[EntityId],
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let mut lines = Lines::new(out);
    for portion in portions(clustered) {
        let same_as = graph.read_links(&portion).await?;
        lines.write(same_as.iter().map(SameAsLine::from))?;
    }
    Ok(())
}

/// A list that is written a line for each of its elements.
struct Lines<'a, W> {
    out: &'a mut W,
    first: bool,
}

impl<'a, W: Write> Lines<'a, W> {
    fn new(out: &'a mut W) -> Self {
        Self { out, first: true }
    }

    fn write<T: Serialize>(&mut self, lines: impl Iterator<Item = T>) -> Result<(), ExportError> {
        for line in lines {
            let separator: &[u8] = if self.first { b"\n" } else { b",\n" };
            self.out.write_all(separator)?;
            self.first = false;
            serde_json::to_writer(&mut *self.out, &line).map_err(std::io::Error::from)?;
        }
        Ok(())
    }
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
