//! A graph, part by part, in the order in which every format has it.

use std::io;

use knowledge_domain::ids::EntityId;

use super::{
    ExportError,
    graph::{Graph, distinct, portions},
};
use crate::store::read::{DocumentView, EntityView, EvidenceView, RelationView, SameAsView};

/// What a graph consists of, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Entities,
    Relations,
    Links,
    Documents,
}

/// What a format makes of a graph's parts: all of one kind, then all of the next.
pub(super) trait Sink {
    /// Whether a content that a batch has twice is one thing, and not two lines of a list.
    const CONTENTS_ONCE: bool = true;

    /// From here on it is parts of this kind, if there are any.
    fn begin(&mut self, _part: Part) -> io::Result<()> {
        Ok(())
    }

    fn entity(&mut self, entity: &EntityView, evidence: &[EvidenceView]) -> io::Result<()>;

    fn relation(&mut self, relation: &RelationView, evidence: &[EvidenceView]) -> io::Result<()>;

    fn link(&mut self, link: &SameAsView) -> io::Result<()>;

    fn document(&mut self, document: &DocumentView) -> io::Result<()>;

    /// Nothing follows.
    fn end(self) -> io::Result<()>;
}

/// Hands a graph to a format.
pub(super) async fn walk<S: Sink>(graph: &Graph, mut sink: S) -> Result<(), ExportError> {
    sink.begin(Part::Entities)?;
    let clustered = entities(graph, &mut sink).await?;
    sink.begin(Part::Relations)?;
    relations(graph, &mut sink).await?;
    sink.begin(Part::Links)?;
    for portion in portions(&clustered) {
        for link in graph.read_links(&portion).await? {
            sink.link(&link)?;
        }
    }
    sink.begin(Part::Documents)?;
    for document in graph.documents(S::CONTENTS_ONCE).await? {
        sink.document(&document)?;
    }
    Ok(sink.end()?)
}

/// Gives back, by id, the entities that have other members.
async fn entities(graph: &Graph, sink: &mut impl Sink) -> Result<Vec<EntityId>, ExportError> {
    let mut clustered = Vec::new();
    for portion in graph.entities().await? {
        let mut read = graph.read_entities(&portion).await?;
        for entity in &read.entities {
            if entity.members != [entity.id] {
                clustered.push(entity.id);
            }
            let evidence = read.evidence.remove(&entity.id).unwrap_or_default();
            sink.entity(entity, &distinct(evidence))?;
        }
    }
    clustered.sort_unstable();
    Ok(clustered)
}

async fn relations(graph: &Graph, sink: &mut impl Sink) -> Result<(), ExportError> {
    for portion in graph.subjects().await? {
        let mut read = graph.read_relations(&portion).await?;
        for relation in &read.relations {
            let evidence = relation
                .members
                .iter()
                .filter_map(|member| read.evidence.remove(member))
                .flatten()
                .collect();
            sink.relation(relation, &distinct(evidence))?;
        }
    }
    Ok(())
}
