//! `cargo xtask eval`: how good and how fast the offline extractor is on annotated documents, and
//! how good the resolver.

mod data;
mod relations;
mod report;
mod resolution;
mod score;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use clap::Subcommand;
use data::{GoldDocument, Layout, label};
use knowledge_domain::{Ontology, graph::DocumentGraph};
use knowledge_extraction::{ExtractionPipeline, OfflineExtractor, PipelineConfig};
use relations::RelationCounts;
use report::Report;
use score::Counts;

/// Speed is measured for at least so long.
const MEASURE: Duration = Duration::from_millis(1500);
/// Labels whose mentions are names.
const NAMED: &[&str] = &["PER", "ORG", "LOC", "MISC"];

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// A folder with documents and gold.jsonl
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// The resolver, on annotated documents and on tables with known pairs
    Resolution {
        /// A folder with gold.jsonl, or LEFT-RIGHT with LEFT.tsv, RIGHT.tsv and gt.tsv; or one that
        /// has such folders
        #[arg(long)]
        data: PathBuf,
        /// Print JSON instead of tables
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.part {
        Some(Part::Resolution { data, json }) => resolution::run(data, *json),
        None => {
            let data = arguments.data.as_deref();
            extractor(
                data.context("say where the documents are with --data")?,
                arguments.json,
            )
        }
    }
}

/// Evaluates the documents of a folder and prints a table, or JSON.
fn extractor(data: &Path, json: bool) -> Result<()> {
    let (layout, documents) = data::load(data)?;
    ensure!(!documents.is_empty(), "no documents in {}", data.display());
    let mut tally = Tally::default();
    for document in &documents {
        tally.add(layout, document, &extract(&document.text)?);
    }
    let report = Report::new(layout, documents.len(), &tally, speed(&documents)?);
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}

fn extract(text: &str) -> Result<DocumentGraph> {
    let pipeline = ExtractionPipeline::new(Arc::new(OfflineExtractor::new()));
    let (ontology, config) = (Ontology::core(), PipelineConfig::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(pipeline.run(text, &ontology, &config))?)
}

/// Characters a second on one core, whole pipeline.
fn speed(documents: &[GoldDocument]) -> Result<f64> {
    let start = Instant::now();
    let mut chars = 0_usize;
    while start.elapsed() < MEASURE {
        for document in documents {
            extract(&document.text)?;
            chars += document.text.chars().count();
        }
    }
    Ok(chars as f64 / start.elapsed().as_secs_f64())
}

/// The counts over all documents.
#[derive(Default)]
struct Tally {
    spans: Counts,
    typed: Counts,
    by_label: BTreeMap<&'static str, Counts>,
    names: Counts,
    relations: RelationCounts,
}

impl Tally {
    fn add(&mut self, layout: Layout, gold: &GoldDocument, graph: &DocumentGraph) {
        let wanted = |label: &str| layout == Layout::Wikipedia || NAMED.contains(&label);
        let found: BTreeSet<(u32, u32, &str)> = graph
            .mentions
            .iter()
            .map(|mention| {
                (
                    mention.span.start(),
                    mention.span.end(),
                    label(&mention.mention_type),
                )
            })
            .filter(|(_, _, label)| wanted(label))
            .map(|mention| aligned(layout, mention, &gold.text))
            .collect();
        let truth: BTreeSet<(u32, u32, &str)> = gold
            .mentions
            .iter()
            .map(|mention| (mention.start, mention.end, mention.label))
            .map(|mention| aligned(layout, mention, &gold.text))
            .collect();
        let spans = |set: &BTreeSet<(u32, u32, &str)>| -> BTreeSet<(u32, u32)> {
            set.iter().map(|(start, end, _)| (*start, *end)).collect()
        };
        self.spans.add(&spans(&found), &spans(&truth));
        self.typed.add(&found, &truth);
        for name in ["PER", "ORG", "LOC", "TIME", "NUM", "MISC"] {
            let of = |set: &BTreeSet<(u32, u32, &'static str)>| -> BTreeSet<(u32, u32)> {
                set.iter()
                    .filter(|m| m.2 == name)
                    .map(|m| (m.0, m.1))
                    .collect()
            };
            let found: BTreeSet<(u32, u32, &'static str)> =
                found.iter().map(|m| (m.0, m.1, label(m.2))).collect();
            let truth: BTreeSet<(u32, u32, &'static str)> =
                truth.iter().map(|m| (m.0, m.1, label(m.2))).collect();
            self.by_label
                .entry(name)
                .or_default()
                .add(&of(&found), &of(&truth));
        }
        self.names.add(&found_names(graph), &gold_names(gold));
        self.relations.add(layout, gold, graph);
    }
}

/// The invented set annotates `the Ashby Breakwater`: there an article in lower case does not count.
fn aligned<'a>(layout: Layout, mention: (u32, u32, &'a str), text: &str) -> (u32, u32, &'a str) {
    let (start, end, label) = mention;
    let starts = text.chars().skip(start as usize).take(4).eq("the ".chars());
    if layout == Layout::Invented && starts {
        (start + 4, end, label)
    } else {
        (start, end, label)
    }
}

/// The distinct names of a document, without a leading article.
fn gold_names(gold: &GoldDocument) -> BTreeSet<String> {
    gold.mentions
        .iter()
        .filter(|mention| NAMED.contains(&mention.label))
        .map(|mention| bare(&mention.text))
        .collect()
}

fn found_names(graph: &DocumentGraph) -> BTreeSet<String> {
    graph
        .mentions
        .iter()
        .filter(|mention| NAMED.contains(&label(&mention.mention_type)))
        .map(|mention| bare(&mention.text))
        .collect()
}

fn bare(name: &str) -> String {
    name.strip_prefix("the ")
        .or_else(|| name.strip_prefix("The "))
        .unwrap_or(name)
        .to_owned()
}
