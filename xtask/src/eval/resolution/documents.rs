//! Annotated documents: clusters of mentions, across documents where the annotations go across,
//! within each where they do not.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::Path,
};

use anyhow::{Context as _, Result};
use knowledge_domain::{
    Ontology,
    graph::{CharSpan, Confidence, DocumentGraph, RelationObject, SourceText},
    ids::{DocumentId, EntityId, ExtractionId, OrganizationId},
};
use knowledge_extraction::{Assembly, FoundEntity, FoundMention, assemble};
use knowledge_resolution::{Candidate, Decisions, Settings, resolve};
use serde::Serialize;

use super::{
    super::{
        NAMED, aligned,
        data::{self, GoldDocument, GoldMention, Layout, label},
        extract,
    },
    bcubed::{self, Place, Score},
};

/// How good the clusters of a folder's documents are.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    folder: String,
    documents: usize,
    /// Whether clusters go across documents.
    across: bool,
    /// B-cubed with the annotated mentions.
    gold_mentions: Score,
    /// B-cubed with the mentions that the offline extractor finds.
    own_mentions: Score,
    entities: usize,
    clusters: usize,
}

pub(super) fn evaluate(folder: &Path) -> Result<Report> {
    let (layout, documents) = data::load(folder)?;
    let across = layout == Layout::Invented;
    let truth = truth(layout, &documents);
    let mut gold = Clusters::default();
    let mut own = Clusters::default();
    for (index, document) in documents.iter().enumerate() {
        gold.add(index, assembled(document)?, across);
        own.add(index, extract(&document.text)?, across);
    }
    let own_mentions = own.resolved(layout, &documents);
    let gold_mentions = gold.resolved(layout, &documents);
    Ok(Report {
        folder: folder.display().to_string(),
        documents: documents.len(),
        across,
        gold_mentions: bcubed::score(&gold_mentions, &truth),
        own_mentions: bcubed::score(&own_mentions, &truth),
        entities: own.entities.len(),
        clusters: own.count,
    })
}

fn wanted(layout: Layout, label: &str) -> bool {
    layout == Layout::Wikipedia || NAMED.contains(&label)
}

fn truth(layout: Layout, documents: &[GoldDocument]) -> HashMap<Place, String> {
    let mut truth = HashMap::new();
    for (index, document) in documents.iter().enumerate() {
        for mention in document.mentions.iter().filter(|m| wanted(layout, m.label)) {
            let (start, end, _) = aligned(
                layout,
                (mention.start, mention.end, mention.label),
                &document.text,
            );
            let cluster = match layout {
                Layout::Invented => mention.entity.clone(),
                Layout::Wikipedia => format!("{index}:{}", mention.entity),
            };
            truth.insert((index, start, end), cluster);
        }
    }
    truth
}

/// The graph of a document whose mentions are annotated and whose entities are not.
fn assembled(document: &GoldDocument) -> Result<DocumentGraph> {
    let mut gold: Vec<&GoldMention> = document.mentions.iter().collect();
    gold.sort_by_key(|mention| (mention.start, mention.end));
    gold.dedup_by_key(|mention| (mention.start, mention.end));
    let mut assembly = Assembly::default();
    for (mention, position) in gold.into_iter().zip(0_u32..) {
        let confidence = Confidence::new(1.0);
        let class = class(mention.label);
        assembly.mentions.push(FoundMention {
            span: CharSpan::new(mention.start, mention.end)?,
            mention_type: class.to_owned(),
            confidence,
            entity: None,
        });
        assembly.entities.push(FoundEntity {
            name: mention.text.clone(),
            types: vec![class.to_owned()],
            attributes: BTreeMap::new(),
            confidence,
            mentions: vec![position],
        });
    }
    let source = SourceText::new(document.text.as_str()).context("a document without text")?;
    Ok(assemble(&source, assembly, &Ontology::core()))
}

fn class(label: &str) -> &'static str {
    match label {
        "PER" => "Person",
        "ORG" => "Organization",
        "LOC" => "Place",
        "TIME" => "Date",
        "NUM" => "Quantity",
        _ => "Work",
    }
}

/// The entities of documents, and where they are mentioned.
#[derive(Default)]
struct Clusters {
    entities: Vec<Candidate>,
    mentions: HashMap<EntityId, Vec<(usize, u32, u32, String)>>,
    /// The documents whose entities are resolved together.
    count: usize,
    across: bool,
}

impl Clusters {
    fn add(&mut self, index: usize, graph: DocumentGraph, across: bool) {
        self.across = across;
        let document = DocumentId::derive(OrganizationId::DEFAULT, &index.to_string());
        let extraction = ExtractionId::derive(document, "eval");
        let names: Vec<String> = graph.entities.iter().map(|e| e.name.clone()).collect();
        for (position, entity) in graph.entities.into_iter().enumerate() {
            let id = EntityId::derive(extraction, position);
            let (mut literals, mut neighbours) = (BTreeMap::new(), Vec::new());
            for relation in &graph.relations {
                let subject = relation.subject as usize == position;
                match &relation.object {
                    RelationObject::Literal { value, .. } if subject => {
                        literals.insert(relation.predicate.clone(), value.clone());
                    }
                    RelationObject::Entity(object) if subject => {
                        neighbours.push(names[*object as usize].clone());
                    }
                    RelationObject::Entity(object) if *object as usize == position => {
                        neighbours.push(names[relation.subject as usize].clone());
                    }
                    _ => {}
                }
            }
            let places = entity.mentions.iter().map(|mention| {
                let mention = &graph.mentions[*mention as usize];
                let label = label(&mention.mention_type).to_owned();
                (index, mention.span.start(), mention.span.end(), label)
            });
            self.mentions.insert(id, places.collect());
            self.entities.push(Candidate {
                id,
                document,
                name: entity.name,
                types: entity.types,
                above: entity.above,
                aliases: entity.aliases,
                attributes: entity.attributes,
                literals,
                neighbours,
                mentions: u32::try_from(entity.mentions.len()).unwrap_or(u32::MAX),
                confidence: entity.confidence,
            });
        }
    }

    /// The cluster of each mention.
    fn resolved(&mut self, layout: Layout, documents: &[GoldDocument]) -> HashMap<Place, String> {
        let together: Vec<Vec<Candidate>> = if self.across {
            vec![self.entities.clone()]
        } else {
            let by_document = self
                .entities
                .chunk_by(|one, other| one.document == other.document);
            by_document.map(<[Candidate]>::to_vec).collect()
        };
        let mut found = HashMap::new();
        for (part, candidates) in together.iter().enumerate() {
            let clusters = resolve(candidates, &Decisions::default(), &Settings::default());
            self.count += clusters.len();
            for cluster in clusters {
                for member in &cluster.members {
                    for (index, start, end, label) in &self.mentions[&member.id] {
                        if wanted(layout, label) {
                            let text = &documents[*index].text;
                            let (start, end, _) = aligned(layout, (*start, *end, label), text);
                            let name = format!("{part}:{}", cluster.key);
                            found.insert((*index, start, end), name);
                        }
                    }
                }
            }
        }
        found
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = if self.across {
            "across documents"
        } else {
            "within documents"
        };
        writeln!(f, "{}: {} documents, {scope}", self.folder, self.documents)?;
        writeln!(
            f,
            "{:<28}{:>10}{:>8}{:>8}",
            "B-cubed", "precision", "recall", "F1"
        )?;
        for (name, score) in [
            ("annotated mentions", &self.gold_mentions),
            ("the extractor's mentions", &self.own_mentions),
        ] {
            writeln!(
                f,
                "{name:<28}{:>10.3}{:>8.3}{:>8.3}",
                score.precision, score.recall, score.f1
            )?;
        }
        writeln!(
            f,
            "{} entities in {} clusters",
            self.entities, self.clusters
        )
    }
}
