use std::time::Instant;

use knowledge_domain::{ErrorKind, core_type, graph::RelationObject};
use proptest::prelude::*;

use super::*;
use crate::OfflineExtractor;

fn pipeline() -> ExtractionPipeline {
    ExtractionPipeline::new(Arc::new(OfflineExtractor::new()))
}

async fn graph(text: &str) -> DocumentGraph {
    let (ontology, config) = (Ontology::core(), PipelineConfig::default());
    pipeline().run(text, &ontology, &config).await.unwrap()
}

/// Three paragraphs about invented things.
const STORY: &str = "Rosalind Thorne (born 4 May 1871 in Eastmere) was an English botanist. She \
    studied at the University of Eastmere and joined the Royal Fern Society (RFS) in 1895. In 1902 \
    Thorne founded Thorne Nurseries Ltd in Dunholm, Kent, with a capital of £12,000.\n\n\
    Thorne Nurseries was acquired by Calloway & Sons in 1931 for £2 million. The company is \
    headquartered in Dunholm. Its chairman, Edward Calloway, wrote \"The Quiet Garden\", which won \
    the Linden Prize. About 40% of its 350 workers left during World War II.\n\n\
    R. Thorne met Marie Dubois, a French painter, at the 1900 Paris Exposition. The RFS named the \
    Thorne Medal after her. She died in Dunholm on 9 June 1940.";

/// What a reader would mark in [`STORY`].
const GOLD: &[(&str, &str)] = &[
    ("Rosalind Thorne", "Person"),
    ("4 May 1871", "Date"),
    ("Eastmere", "Place"),
    ("English", "Place"),
    ("University of Eastmere", "Organization"),
    ("Royal Fern Society", "Organization"),
    ("RFS", "Organization"),
    ("1895", "Date"),
    ("1902", "Date"),
    ("Thorne", "Person"),
    ("Thorne Nurseries Ltd", "Organization"),
    ("Dunholm", "Place"),
    ("Kent", "Place"),
    ("£12,000", "Quantity"),
    ("Thorne Nurseries", "Organization"),
    ("Calloway & Sons", "Organization"),
    ("1931", "Date"),
    ("£2 million", "Quantity"),
    ("Edward Calloway", "Person"),
    ("The Quiet Garden", "Work"),
    ("Linden Prize", "Work"),
    ("40%", "Quantity"),
    ("350", "Quantity"),
    ("World War II", "Event"),
    ("R. Thorne", "Person"),
    ("Marie Dubois", "Person"),
    ("French", "Place"),
    ("1900 Paris Exposition", "Event"),
    ("Thorne Medal", "Work"),
    ("9 June 1940", "Date"),
];

#[tokio::test]
async fn quality_does_not_fall() {
    let graph = graph(STORY).await;
    let found: std::collections::BTreeSet<(&str, &str)> = graph
        .mentions
        .iter()
        .map(|mention| (mention.text.as_str(), mention.mention_type.as_str()))
        .collect();
    let correct = GOLD.iter().filter(|gold| found.contains(*gold)).count() as f64;
    let f1 = 2.0 * correct / (found.len() + GOLD.len()) as f64;
    assert!(f1 >= 0.9, "typed F1 {f1}: {found:?}");
}

#[tokio::test]
async fn one_entity_has_all_its_names() {
    let graph = graph(STORY).await;
    let aliases = |name: &str| {
        let entity = graph.entities.iter().find(|entity| entity.name == name);
        entity
            .map(|entity| entity.aliases.join(", "))
            .unwrap_or_default()
    };
    assert_eq!(aliases("Rosalind Thorne"), "R. Thorne, Thorne");
    assert_eq!(aliases("Royal Fern Society"), "RFS");
    assert_eq!(aliases("Thorne Nurseries Ltd"), "Thorne Nurseries");
}

#[tokio::test]
async fn two_runs_and_any_concurrency_agree_to_the_byte() {
    let text = STORY.repeat(20);
    let (ontology, config) = (Ontology::core(), PipelineConfig::default());
    let base = serde_json::to_vec(&graph(&text).await).unwrap();
    for concurrency in [1, 2, 7, 64] {
        let pipeline = pipeline().with_concurrency(concurrency);
        let graph = pipeline.run(&text, &ontology, &config).await.unwrap();
        assert_eq!(
            serde_json::to_vec(&graph).unwrap(),
            base,
            "concurrency {concurrency}"
        );
    }
}

#[tokio::test]
async fn graphs_refer_only_to_what_they_have() {
    let text = STORY.repeat(5);
    let source = SourceText::new(text.as_str()).unwrap();
    let graph = graph(&text).await;
    assert!(graph.chunks.len() > 1);
    assert!(graph.mentions.is_sorted_by(|a, b| a.span < b.span));
    assert!(
        graph
            .mentions
            .iter()
            .all(|mention| source.verifies(mention.span, &mention.text))
    );
    assert!(
        graph
            .entities
            .is_sorted_by_key(|entity| entity.mentions.clone())
    );
    for entity in &graph.entities {
        assert!(!entity.types.is_empty() && entity.types.is_sorted() && entity.aliases.is_sorted());
        assert!(
            entity
                .mentions
                .iter()
                .all(|m| (*m as usize) < graph.mentions.len())
        );
    }
    for relation in &graph.relations {
        assert!((relation.subject as usize) < graph.entities.len());
        assert!(!relation.evidence.is_empty());
        assert!(
            relation
                .evidence
                .iter()
                .all(|e| source.verifies(e.span, &e.text))
        );
        if let RelationObject::Entity(object) = relation.object {
            assert!((object as usize) < graph.entities.len());
        }
    }
}

#[tokio::test]
async fn an_ontology_limits_types_and_predicates() {
    let class = |name: &str| knowledge_domain::Class {
        name: name.to_owned(),
        ..knowledge_domain::Class::default()
    };
    let property = |name: &str, domain: &str, range: &str| knowledge_domain::Property {
        name: name.to_owned(),
        domain: vec![domain.to_owned()],
        range: vec![range.to_owned()],
        ..knowledge_domain::Property::default()
    };
    let ontology = Ontology::new(
        vec![class("Person"), class("City"), class("University")],
        vec![
            property("birthPlace", "Person", "City"),
            property("birthDate", "Person", "xsd:date"),
        ],
    );
    let config = PipelineConfig::default();
    let graph = pipeline().run(STORY, &ontology, &config).await.unwrap();
    let types: std::collections::BTreeSet<&str> = graph
        .mentions
        .iter()
        .map(|mention| mention.mention_type.as_str())
        .collect();
    assert!(
        types.iter().all(|name| ontology.has_class(name)),
        "{types:?}"
    );
    let predicates: Vec<&str> = graph
        .relations
        .iter()
        .map(|r| r.predicate.as_str())
        .collect();
    assert_eq!(predicates, ["birthDate", "birthPlace"]);
}

#[tokio::test]
async fn names_merge_whatever_the_ontology_calls_a_person() {
    let human = knowledge_domain::Class {
        name: "ex:Human".to_owned(),
        ..knowledge_domain::Class::default()
    };
    let ontology = Ontology::new(vec![human], Vec::new());
    let config = PipelineConfig::default();
    let graph = pipeline().run(STORY, &ontology, &config).await.unwrap();
    let thorne = graph
        .entities
        .iter()
        .find(|entity| entity.name == "Rosalind Thorne")
        .unwrap();
    assert_eq!(thorne.types, ["ex:Human"]);
    assert_eq!(thorne.aliases, ["R. Thorne", "Thorne"]);
}

#[tokio::test]
async fn dates_are_values_not_entities() {
    let graph = graph("Ada Reed was born in Leeds in 1815.").await;
    let types: Vec<&str> = graph
        .entities
        .iter()
        .map(|entity| entity.types[0].as_str())
        .collect();
    assert_eq!(types, [core_type::PERSON, core_type::PLACE]);
    assert_eq!(graph.mentions[2].mention_type, core_type::DATE);
}

#[tokio::test]
async fn empty_and_wrong_input_is_refused_for_good() {
    let (ontology, config) = (Ontology::core(), PipelineConfig::default());
    for text in ["", " \n\u{a0}\u{0}"] {
        let error = pipeline().run(text, &ontology, &config).await.unwrap_err();
        assert!(matches!(error, ExtractionError::EmptyDocument));
        assert_eq!(error.kind(), ErrorKind::Permanent);
    }
    let wrong = PipelineConfig {
        mentions_per_batch: 0,
        ..config
    };
    let error = pipeline()
        .run("Text.", &ontology, &wrong)
        .await
        .unwrap_err();
    assert!(matches!(error, ExtractionError::Config(_)));
}

#[tokio::test]
async fn hostile_text_gives_a_graph() {
    for text in [
        "😀",
        "\u{202e}!\u{202c}",
        "e\u{301}\u{301}",
        "a",
        "A",
        "…",
        "\u{feff}x",
    ] {
        assert!(graph(text).await.chunks.len() == 1, "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_text_gives_a_graph_that_the_text_bears_out(
        text in "(([A-Z]?[a-zé]{1,7}|University of|Ltd|John|was born in|1990|£5 million|\\(ABC\\)|\"|Smith's|。|\n\n)[ .,]{1,2}){1,150}",
        max_chars in 50_u32..400,
    ) {
        // A text of blanks alone is refused, and another test's.
        prop_assume!(text.chars().any(|char| !char.is_whitespace()));
        let chunk = crate::ChunkConfig { max_chars, min_chars: 20, overlap_sentences: 1 };
        let config = PipelineConfig { chunk, mentions_per_batch: 7, ..PipelineConfig::default() };
        let ontology = Ontology::core();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let graph = runtime.block_on(pipeline().run(&text, &ontology, &config)).unwrap();
        let source = SourceText::new(text.as_str()).unwrap();
        prop_assert!(graph.mentions.iter().all(|m| source.verifies(m.span, &m.text)));
        prop_assert!(graph.mentions.is_sorted_by(|a, b| a.span < b.span));
        let evidence = graph.relations.iter().flat_map(|relation| &relation.evidence);
        prop_assert!(evidence.into_iter().all(|e| source.verifies(e.span, &e.text)));
        let owned: usize = graph.entities.iter().map(|entity| entity.mentions.len()).sum();
        prop_assert!(owned <= graph.mentions.len());
    }
}

/// Makes a text of about so many characters.
type Sample = fn(usize) -> String;

/// The work for four times the text may be six times the work at most, beside noise.
#[tokio::test]
async fn work_grows_with_the_text() {
    let samples: [Sample; 6] = [
        |size| "A".repeat(size),
        |size| "Ab ".repeat(size / 3),
        |size| "A. ".repeat(size / 3),
        |size| "\" ( Of and 1 ".repeat(size / 13),
        |size| "Al Xu met Bo of Ek. ".repeat(size / 20),
        |size| "Ada Reed met Bo Reed, ".repeat(size / 22),
    ];
    for (index, sample) in samples.iter().enumerate() {
        let mut ratios = Vec::new();
        for _ in 0..3 {
            let mut seconds = [0.0; 2];
            for (slot, size) in [20_000, 80_000].into_iter().enumerate() {
                let text = sample(size);
                let start = Instant::now();
                graph(&text).await;
                seconds[slot] = start.elapsed().as_secs_f64() + 0.005;
            }
            ratios.push(seconds[1] / seconds[0]);
        }
        let best = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(best < 9.0, "sample {index}: {ratios:?}");
    }
}
