//! How well the offline extractor does on short texts in many registers that were written for this
//! test: rules were developed on one half and never looked at the other. The floors keep both.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails where a fixture is wrong"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::Path,
    sync::Arc,
};

use knowledge_domain::{
    Ontology,
    graph::{DocumentGraph, RelationObject},
};
use knowledge_extraction::{ExtractionPipeline, OfflineExtractor, PipelineConfig};

/// A text whose mentions are `[TYPE text]` or `[TYPE text=name]`, with its relations below `---`.
struct Annotated {
    text: String,
    /// Characters, label and name.
    mentions: Vec<(u32, u32, String, String)>,
    relations: BTreeSet<(String, String, String)>,
}

fn parse(source: &str) -> Annotated {
    let (marked, relations) = source.split_once("\n---\n").expect("a line of dashes");
    let (mut text, mut at, mut mentions) = (String::new(), 0_u32, Vec::new());
    let mut rest = marked;
    while let Some((before, after)) = rest.split_once('[') {
        let (mark, after) = after.split_once(']').expect("a closing bracket");
        let (label, shown) = mark.split_once(' ').expect("a label");
        let (shown, name) = shown.split_once('=').unwrap_or((shown, shown));
        let start = at + count(before);
        at = start + count(shown);
        mentions.push((start, at, label.to_owned(), name.to_owned()));
        text.push_str(before);
        text.push_str(shown);
        rest = after;
    }
    text.push_str(rest);
    let relations = relations
        .lines()
        .map(|line| {
            let parts: Vec<&str> = line.split(" | ").collect();
            let [subject, predicate, object] = parts.as_slice() else {
                panic!("not a relation: {line}")
            };
            relation(subject, predicate, object)
        })
        .collect();
    Annotated {
        text,
        mentions,
        relations,
    }
}

fn count(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap()
}

fn relation(subject: &str, predicate: &str, object: &str) -> (String, String, String) {
    let (a, b) = (subject.to_lowercase(), object.to_lowercase());
    if matches!(predicate, "siblingOf" | "marriedTo" | "met") && b < a {
        (b, predicate.to_owned(), a)
    } else {
        (a, predicate.to_owned(), b)
    }
}

fn label(class: &str) -> &'static str {
    match class {
        "Person" => "PER",
        "Organization" => "ORG",
        "Place" => "LOC",
        "Date" => "TIME",
        "Quantity" => "NUM",
        _ => "MISC",
    }
}

#[derive(Default)]
struct Counts {
    found: usize,
    gold: usize,
    correct: usize,
}

impl Counts {
    fn add<T: Ord>(&mut self, found: &BTreeSet<T>, gold: &BTreeSet<T>) {
        self.found += found.len();
        self.gold += gold.len();
        self.correct += found.intersection(gold).count();
    }

    fn f1(&self) -> f64 {
        2.0 * self.correct as f64 / (self.found + self.gold).max(1) as f64
    }
}

#[derive(Default)]
struct Scores {
    spans: Counts,
    typed: Counts,
    relations: Counts,
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spans, typed, relations) = (self.spans.f1(), self.typed.f1(), self.relations.f1());
        write!(
            f,
            "mentions {spans:.3}, typed {typed:.3}, relations {relations:.3}"
        )
    }
}

impl Scores {
    fn add(&mut self, gold: &Annotated, graph: &DocumentGraph, show: bool) {
        let truth: BTreeSet<(u32, u32, &str)> = gold
            .mentions
            .iter()
            .map(|(start, end, label, _)| (*start, *end, label.as_str()))
            .collect();
        let found: BTreeSet<(u32, u32, &str)> = graph
            .mentions
            .iter()
            .map(|mention| {
                let span = mention.span;
                (span.start(), span.end(), label(&mention.mention_type))
            })
            .collect();
        let spans = |set: &BTreeSet<(u32, u32, &str)>| -> BTreeSet<(u32, u32)> {
            set.iter().map(|(start, end, _)| (*start, *end)).collect()
        };
        self.spans.add(&spans(&found), &spans(&truth));
        self.typed.add(&found, &truth);
        let stated = stated(gold, graph);
        self.relations.add(&stated, &gold.relations);
        if show {
            let shown = |set: BTreeSet<(u32, u32, &str)>| {
                let text = |m: &(u32, u32, &str)| {
                    let chars = gold.text.chars().skip(m.0 as usize);
                    let name: String = chars.take((m.1 - m.0) as usize).collect();
                    format!("{} {name}", m.2)
                };
                set.iter().map(text).collect::<Vec<_>>()
            };
            println!("  wrong   {:?}", shown(&found - &truth));
            println!("  missing {:?}", shown(&truth - &found));
            println!("  untrue  {:#?}", &stated - &gold.relations);
            println!("  unsaid  {:#?}", &gold.relations - &stated);
        }
    }
}

/// The relations of a graph between annotated names.
fn stated(gold: &Annotated, graph: &DocumentGraph) -> BTreeSet<(String, String, String)> {
    let names: BTreeMap<(u32, u32), &str> = gold
        .mentions
        .iter()
        .map(|(start, end, _, name)| ((*start, *end), name.as_str()))
        .collect();
    let name = |entity: u32| -> String {
        let entity = &graph.entities[entity as usize];
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for mention in &entity.mentions {
            let span = graph.mentions[*mention as usize].span;
            if let Some(name) = names.get(&(span.start(), span.end())) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let best = votes.into_iter().max_by_key(|(_, votes)| *votes);
        best.map_or_else(
            || format!("unknown {}", entity.name),
            |(name, _)| name.to_owned(),
        )
    };
    let as_stated = |found: &knowledge_domain::graph::Relation| {
        let object = match &found.object {
            RelationObject::Entity(entity) => name(*entity),
            RelationObject::Literal { value, .. } => value.clone(),
        };
        relation(&name(found.subject), &found.predicate, &object)
    };
    graph.relations.iter().map(as_stated).collect()
}

async fn scores(half: &str) -> Scores {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/style");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(half))
        })
        .collect();
    files.sort();
    assert_eq!(files.len(), 6);
    let pipeline = ExtractionPipeline::new(Arc::new(OfflineExtractor::new()));
    let (ontology, config) = (Ontology::core(), PipelineConfig::default());
    let mut scores = Scores::default();
    for file in files {
        let gold = parse(&fs::read_to_string(&file).unwrap());
        let graph = pipeline.run(&gold.text, &ontology, &config).await.unwrap();
        if half == "developed" {
            println!("{}", file.file_name().unwrap().to_string_lossy());
        }
        scores.add(&gold, &graph, half == "developed");
    }
    println!("{half}: {scores}");
    scores
}

#[tokio::test]
async fn what_the_rules_were_developed_on() {
    let scores = scores("developed").await;
    assert!(scores.spans.f1() >= 0.97, "{scores}");
    assert!(scores.typed.f1() >= 0.93, "{scores}");
    assert!(scores.relations.f1() >= 0.87, "{scores}");
}

#[tokio::test]
async fn what_the_rules_have_not_seen() {
    let scores = scores("heldout").await;
    assert!(scores.spans.f1() >= 0.94, "{scores}");
    assert!(scores.typed.f1() >= 0.90, "{scores}");
    assert!(scores.relations.f1() >= 0.62, "{scores}");
}
