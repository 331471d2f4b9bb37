//! Annotated documents, read from either layout.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// Where the annotations come from decides what can be scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// `documents.jsonl` and `gold.jsonl` in the manner of Re-DocRED.
    Wikipedia,
    /// `doc_*.txt` and `gold.jsonl` with entities by name and triples.
    Invented,
}

/// An annotated mention, in characters, end-exclusive.
#[derive(Debug, Clone)]
pub(super) struct GoldMention {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) text: String,
    /// PER, ORG, LOC, TIME, NUM, MISC.
    pub(super) label: &'static str,
    /// The entity that is meant, unique in the document.
    pub(super) entity: String,
}

/// An annotated statement; the object is an entity or a plain value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GoldTriple {
    pub(super) subject: String,
    pub(super) predicate: String,
    pub(super) object: String,
}

/// A document with its annotations.
#[derive(Debug, Clone)]
pub(super) struct GoldDocument {
    pub(super) text: String,
    pub(super) mentions: Vec<GoldMention>,
    pub(super) triples: Vec<GoldTriple>,
}

/// Reads a folder in either layout.
pub(super) fn load(folder: &Path) -> Result<(Layout, Vec<GoldDocument>)> {
    if folder.join("documents.jsonl").is_file() {
        return Ok((Layout::Wikipedia, wikipedia(folder)?));
    }
    if !folder.join("gold.jsonl").is_file() {
        bail!(
            "{} has neither documents.jsonl nor gold.jsonl",
            folder.display()
        );
    }
    Ok((Layout::Invented, invented(folder)?))
}

#[derive(Deserialize)]
struct WikipediaDocument {
    name: String,
    text: String,
}

#[derive(Deserialize)]
struct WikipediaGold {
    name: String,
    entities: Vec<WikipediaEntity>,
    #[serde(default)]
    relations: Vec<WikipediaRelation>,
}

#[derive(Deserialize)]
struct WikipediaEntity {
    id: u32,
    #[serde(rename = "type")]
    label: String,
    mentions: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    start: u32,
    end: u32,
    text: String,
}

#[derive(Deserialize)]
struct WikipediaRelation {
    subject: u32,
    predicate: String,
    object: u32,
}

fn wikipedia(folder: &Path) -> Result<Vec<GoldDocument>> {
    let texts: BTreeMap<String, String> =
        lines::<WikipediaDocument>(&folder.join("documents.jsonl"))?
            .into_iter()
            .map(|document| (document.name, document.text))
            .collect();
    let mut documents = Vec::new();
    for gold in lines::<WikipediaGold>(&folder.join("gold.jsonl"))? {
        let text = texts.get(&gold.name).context("gold without document")?;
        documents.push(GoldDocument {
            text: text.clone(),
            mentions: gold.entities.iter().flat_map(mentions_of).collect(),
            triples: gold
                .relations
                .into_iter()
                .map(|relation| GoldTriple {
                    subject: relation.subject.to_string(),
                    predicate: relation.predicate,
                    object: relation.object.to_string(),
                })
                .collect(),
        });
    }
    Ok(documents)
}

fn mentions_of(entity: &WikipediaEntity) -> impl Iterator<Item = GoldMention> {
    entity.mentions.iter().map(|span| GoldMention {
        start: span.start,
        end: span.end,
        text: span.text.clone(),
        label: label(&entity.label),
        entity: entity.id.to_string(),
    })
}

#[derive(Deserialize)]
struct InventedGold {
    id: String,
    mentions: Vec<InventedMention>,
    #[serde(default)]
    triples: Vec<(String, String, String)>,
}

#[derive(Deserialize)]
struct InventedMention {
    start: u32,
    end: u32,
    text: String,
    entity: String,
    #[serde(rename = "type")]
    label: String,
}

fn invented(folder: &Path) -> Result<Vec<GoldDocument>> {
    let mut documents = Vec::new();
    for gold in lines::<InventedGold>(&folder.join("gold.jsonl"))? {
        let path = folder.join(format!("{}.txt", gold.id));
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        documents.push(GoldDocument {
            text,
            mentions: gold
                .mentions
                .into_iter()
                .map(|mention| GoldMention {
                    start: mention.start,
                    end: mention.end,
                    text: mention.text,
                    label: label(&mention.label),
                    entity: mention.entity,
                })
                .collect(),
            triples: gold
                .triples
                .into_iter()
                .map(|(subject, predicate, object)| GoldTriple {
                    subject,
                    predicate,
                    object,
                })
                .collect(),
        });
    }
    Ok(documents)
}

/// The label of a type in any of the vocabularies: core types, Re-DocRED's, the invented set's.
pub(super) fn label(name: &str) -> &'static str {
    match name {
        "PER" | "Person" => "PER",
        "ORG" | "Organization" => "ORG",
        "LOC" | "Place" => "LOC",
        "TIME" | "Date" => "TIME",
        "NUM" | "Quantity" => "NUM",
        _ => "MISC",
    }
}

fn lines<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).with_context(|| path.display().to_string()))
        .collect()
}
