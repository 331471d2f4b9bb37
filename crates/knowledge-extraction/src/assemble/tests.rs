use std::collections::BTreeMap;

use knowledge_domain::graph::RelationObject;

use super::*;

const TEXT: &str =
    "Ada Reed. A. Reed. Reed. Acme Bank Ltd. Acme Bank. Bo Reed. ACME. London. 1990.";

/// The mention of the `nth` occurrence of a text.
fn mention(text: &str, nth: usize, kind: &str) -> FoundMention {
    let (start, _) = TEXT.match_indices(text).nth(nth).unwrap();
    let start = u32::try_from(start).unwrap();
    let end = start + u32::try_from(text.len()).unwrap();
    FoundMention {
        span: CharSpan::new(start, end).unwrap(),
        mention_type: kind.to_owned(),
        confidence: Confidence::new(0.9),
        entity: None,
    }
}

fn entity(name: &str, kind: &str, mentions: &[u32]) -> FoundEntity {
    FoundEntity {
        name: name.to_owned(),
        types: vec![kind.to_owned()],
        attributes: BTreeMap::from([(format!("from {name}"), "x".to_owned())]),
        confidence: Confidence::new(0.8),
        mentions: mentions.to_vec(),
    }
}

fn relation(
    subject: u32,
    object: RelationTarget,
    evidence: (u32, u32),
    confidence: f64,
) -> FoundRelation {
    FoundRelation {
        subject,
        predicate: "knows".to_owned(),
        object,
        evidence: CharSpan::new(evidence.0, evidence.1).unwrap(),
        confidence: Confidence::new(confidence),
    }
}

fn assembly() -> Assembly {
    let mut mentions = vec![
        mention("Ada Reed", 0, "Person"),
        mention("A. Reed", 0, "Person"),
        mention("Acme Bank Ltd", 0, "Organization"),
        mention("Acme Bank", 1, "Organization"),
        mention("London", 0, "Place"),
        mention("1990", 0, "Date"),
    ];
    mentions.sort_by_key(|mention| mention.span);
    Assembly {
        chunks: Vec::new(),
        mentions,
        entities: vec![
            entity("Ada Reed", "Person", &[0]),
            entity("A. Reed", "Person", &[1]),
            entity("Acme Bank Ltd", "Organization", &[2]),
            entity("Acme Bank", "Organization", &[3]),
            entity("London", "Place", &[4]),
        ],
        relations: vec![
            relation(0, RelationTarget::Mention(2), (0, 9), 0.6),
            relation(1, RelationTarget::Mention(3), (10, 18), 0.9),
            relation(0, RelationTarget::Mention(1), (0, 9), 0.9),
            relation(0, RelationTarget::Mention(5), (0, 9), 0.7),
            relation(5, RelationTarget::Mention(0), (0, 9), 0.7),
        ],
    }
}

fn graph(assembly: Assembly) -> DocumentGraph {
    assemble(&SourceText::new(TEXT).unwrap(), assembly, &Ontology::core())
}

#[test]
fn short_forms_join_their_full_forms_and_relations_follow() {
    let graph = graph(assembly());
    let names: Vec<&str> = graph
        .entities
        .iter()
        .map(|entity| entity.name.as_str())
        .collect();
    assert_eq!(names, ["Ada Reed", "Acme Bank Ltd", "London"]);
    assert_eq!(graph.entities[0].aliases, ["A. Reed"]);
    assert_eq!(graph.entities[0].attributes.len(), 2);
    assert_eq!(graph.relations.len(), 2);
    let literal = RelationObject::Literal {
        value: "1990".to_owned(),
        literal_type: Some("Date".to_owned()),
    };
    assert_eq!(graph.relations[0].object, literal);
    let folded = &graph.relations[1];
    assert_eq!(folded.object, RelationObject::Entity(1));
    assert_eq!(folded.confidence, Confidence::new(0.9));
    assert_eq!(folded.evidence.len(), 2);
}

#[test]
fn the_order_of_what_was_found_does_not_matter() {
    let mut reversed = assembly();
    reversed.entities.reverse();
    reversed.relations.reverse();
    assert_eq!(graph(reversed), graph(assembly()));
}

#[test]
fn an_ambiguous_surname_stays_on_its_own() {
    let mut found = assembly();
    found.mentions = vec![
        mention("Ada Reed", 0, "Person"),
        mention("Reed", 2, "Person"),
        mention("Bo Reed", 0, "Person"),
    ];
    found.entities = vec![
        entity("Ada Reed", "Person", &[0]),
        entity("Reed", "Person", &[1]),
        entity("Bo Reed", "Person", &[2]),
    ];
    found.relations.clear();
    assert_eq!(graph(found).entities.len(), 3);
}

#[test]
fn the_document_decides_the_type_of_a_name() {
    let mut found = assembly();
    found.mentions = vec![
        mention("Acme Bank Ltd", 0, "Organization"),
        mention("Acme Bank", 1, "Thing"),
    ];
    found.entities = vec![
        entity("Acme Bank", "Organization", &[0]),
        entity("Acme Bank", "Thing", &[1]),
    ];
    found.relations.clear();
    let graph = graph(found);
    assert_eq!(graph.entities.len(), 1);
    assert_eq!(graph.mentions[1].mention_type, "Organization");
}

#[test]
fn countries_and_their_adjectives_are_one() {
    let text = "Germany is large. German trains.";
    let found = Assembly {
        mentions: [(0, 7), (18, 24)]
            .map(|(start, end)| FoundMention {
                span: CharSpan::new(start, end).unwrap(),
                mention_type: "Place".to_owned(),
                confidence: Confidence::ONE,
                entity: None,
            })
            .to_vec(),
        entities: vec![
            entity("Germany", "Place", &[0]),
            entity("German", "Place", &[1]),
        ],
        ..Assembly::default()
    };
    let graph = assemble(&SourceText::new(text).unwrap(), found, &Ontology::core());
    assert_eq!(graph.entities.len(), 1);
    assert_eq!(graph.entities[0].name, "Germany");
    assert_eq!(graph.entities[0].aliases, ["German"]);
}
