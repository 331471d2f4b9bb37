use knowledge_domain::{Class, Property};

use super::*;

fn candidate(start: u32, end: u32, text: &str, mention_type: &str) -> MentionCandidate {
    MentionCandidate {
        span: CharSpan::new(start, end).unwrap(),
        text: text.to_owned(),
        mention_type: mention_type.to_owned(),
        confidence: Confidence::new(0.9),
        entity: None,
    }
}

fn check(text: &str, candidates: Vec<MentionCandidate>) -> (Vec<(u32, u32)>, Rejections) {
    let source = SourceText::new(text).unwrap();
    let ontology = Ontology::core();
    let verifier = Verifier {
        text: &source,
        offset: 10,
        ontology: &ontology,
        floor: Confidence::new(0.5),
    };
    let mut rejections = Rejections::default();
    let found = verifier.mentions(candidates, &mut rejections);
    let spans = found
        .iter()
        .map(|m| (m.span.start(), m.span.end()))
        .collect();
    (spans, rejections)
}

#[test]
fn spans_are_moved_into_the_document() {
    let (spans, rejections) = check("Ada met Bo.", vec![candidate(0, 3, "Ada", "Person")]);
    assert_eq!(spans, [(10, 13)]);
    assert_eq!(rejections, Rejections::default());
}

#[test]
fn a_wrong_span_is_relocated_to_the_nearest_occurrence() {
    let text = "Ünal Ada … Ada met Ada.";
    let (spans, rejections) = check(text, vec![candidate(10, 12, "Ada", "Person")]);
    assert_eq!(spans, [(21, 24)]);
    assert_eq!(rejections.relocated_mentions, 1);
}

#[test]
fn what_cannot_be_verified_is_dropped_and_counted() {
    let mut unsure = candidate(0, 3, "Ada", "Person");
    unsure.confidence = Confidence::new(0.4);
    let (spans, rejections) = check(
        "Ada met Bo.",
        vec![
            candidate(0, 4, "Adam", "Person"),
            candidate(900, 904, "", "Person"),
            candidate(0, 3, "Ada", "Wizard"),
            unsure,
        ],
    );
    assert!(spans.is_empty());
    assert_eq!(
        rejections,
        Rejections {
            unverified: 2,
            unknown_types: 1,
            low_confidence: 1,
            ..Rejections::default()
        }
    );
}

#[test]
fn types_outside_the_ontology_are_rejected() {
    let mut rejections = Rejections::default();
    let candidate = |types: &[&str], mentions: Vec<u32>| EntityCandidate {
        name: "Ada".to_owned(),
        types: types.iter().map(|name| (*name).to_owned()).collect(),
        attributes: std::collections::BTreeMap::new(),
        confidence: Confidence::ONE,
        mentions,
    };
    let kept = entities(
        vec![
            candidate(&["Person", "Wizard"], vec![1, 0, 1, 7]),
            candidate(&["Wizard"], vec![0]),
            candidate(&["Person"], vec![7]),
        ],
        2,
        &Ontology::core(),
        Confidence::new(0.5),
        &mut rejections,
    );
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].types, ["Person"]);
    assert_eq!(kept[0].mentions, [0, 1]);
    assert_eq!(rejections.unknown_types, 2);
    assert_eq!(rejections.unverified, 1);
}

#[test]
fn domains_and_ranges_follow_the_hierarchy() {
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let class = |name: &str, parents: &[&str]| Class {
        name: name.to_owned(),
        parents: named(parents),
        term: None,
    };
    let property = |name: &str, domain: &[&str], range: &[&str], takes| Property {
        name: name.to_owned(),
        domain: named(domain),
        range: named(range),
        takes,
        term: None,
    };
    let ontology = Ontology::new(
        vec![
            class("Agent", &[]),
            class("Person", &["Agent"]),
            class("Place", &[]),
            class("Time", &[]),
            class("Date", &["Time"]),
        ],
        vec![
            property("bornIn", &["Agent"], &["Place"], Takes::Anything),
            property("age", &["Person"], &["xsd:int"], Takes::Anything),
            property("seat", &["Place", "Person"], &[], Takes::Entities),
            property("motto", &[], &[], Takes::Literals),
            property("bornOn", &[], &["Time"], Takes::Entities),
            property("since", &[], &["Person", "xsd:date"], Takes::Anything),
        ],
    );
    let fits = |predicate: &str, subject: &str, object: &str, literal: bool| {
        super::fits(
            &ontology,
            predicate,
            &[subject.to_owned()],
            &[object.to_owned()],
            literal,
        )
    };
    assert!(fits("bornIn", "Person", "Place", false));
    assert!(!fits("bornIn", "Place", "Place", false));
    assert!(!fits("bornIn", "Person", "Person", false));
    assert!(!fits("bornIn", "Person", "Date", true));
    assert!(fits("age", "Person", "Quantity", true));
    assert!(!fits("age", "Person", "Place", false));
    assert!(fits("seat", "Person", "Place", false) && !fits("seat", "Agent", "Place", false));
    assert!(!fits("seat", "Person", "string", true) && !fits("seat", "Person", "Place", true));
    assert!(fits("bornOn", "Person", "Date", true) && !fits("bornOn", "Person", "string", true));
    assert!(fits("motto", "Place", "string", true) && !fits("motto", "Place", "Place", false));
    assert!(fits("since", "Place", "Date", true) && fits("since", "Place", "Person", false));
    assert!(!fits("since", "Place", "Place", false));
}
