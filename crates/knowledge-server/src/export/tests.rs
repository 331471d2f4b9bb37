use std::collections::BTreeSet;

use clap::ValueEnum;
use knowledge_domain::{batch::BatchStage, ids::BatchId};
use oxjsonld::JsonLdParser;
use oxrdf::{Quad, Triple};
use oxttl::{NTriplesParser, TurtleParser};
use quick_xml::{Reader, events::Event};
use uuid::Uuid;

use super::*;
use crate::fixture::Fixture;

async fn exported(fixture: &Fixture, batch: Option<BatchId>) -> String {
    exported_as(fixture, batch, Format::Json).await
}

async fn exported_as(fixture: &Fixture, batch: Option<BatchId>, format: Format) -> String {
    let mut out = Vec::new();
    write(
        &fixture.store,
        fixture.organization,
        batch,
        format,
        &mut out,
    )
    .await
    .unwrap();
    String::from_utf8(out).unwrap()
}

/// Two batches that know IBM; the second says one thing twice.
async fn two_batches(fixture: &Fixture) -> (BatchId, BatchId) {
    let first = fixture.batch(1, BatchStage::Completed).await;
    let second = fixture.batch(2, BatchStage::Completed).await;
    let earlier = fixture.document(first, 0, "IBM was founded.").await;
    let later = fixture.document(second, 0, "I.B.M. is in Armonk.").await;
    let again = fixture.document(second, 1, "IBM sits in Armonk.").await;
    let face = fixture.entity(earlier, 0, "IBM", "Organization").await;
    let member = fixture.entity(later, 0, "I.B.M.", "Organization").await;
    let armonk = fixture.entity(later, 1, "Armonk", "Place").await;
    let other = fixture.entity(again, 0, "IBM", "Company").await;
    let place = fixture.entity(again, 1, "Armonk", "Place").await;
    fixture.merge(member, face).await;
    fixture.merge(other, face).await;
    fixture.merge(place, armonk).await;
    fixture
        .relation(later, 0, (member, "locatedIn"), Ok(armonk))
        .await;
    fixture
        .relation(again, 0, (other, "locatedIn"), Ok(place))
        .await;
    fixture
        .relation(again, 1, (other, "foundedIn"), Err("June 1911"))
        .await;
    fixture
        .relation(later, 1, (member, "foundedIn"), Err("JUNE 1911"))
        .await;
    (first, second)
}

#[tokio::test]
async fn a_batch_is_exported_with_its_own_evidence_under_the_canonical_names() {
    let fixture = Fixture::new().await;
    let (_, second) = two_batches(&fixture).await;
    insta::assert_snapshot!(exported(&fixture, Some(second)).await);
}

#[tokio::test]
async fn the_same_graph_gives_the_same_bytes() {
    let fixture = Fixture::new().await;
    let (first, _) = two_batches(&fixture).await;
    let third = fixture.batch(3, BatchStage::Completed).await;
    // The same documents in a later batch of the same organisation.
    fixture.document(third, 0, "IBM was founded.").await;
    for format in Format::value_variants() {
        let once = exported_as(&fixture, Some(first), *format).await;
        assert_eq!(once, exported_as(&fixture, Some(first), *format).await);
        assert_eq!(once, exported_as(&fixture, Some(third), *format).await);
    }
}

#[tokio::test]
async fn the_organisation_is_exported_with_every_content_once() {
    let fixture = Fixture::new().await;
    two_batches(&fixture).await;
    let third = fixture.batch(3, BatchStage::Completed).await;
    fixture.document(third, 0, "IBM was founded.").await;
    let graph: serde_json::Value = serde_json::from_str(&exported(&fixture, None).await).unwrap();
    assert_eq!(graph["documents"].as_array().unwrap().len(), 3);
    assert_eq!(graph["entities"].as_array().unwrap().len(), 2);
    assert_eq!(graph["relations"].as_array().unwrap().len(), 2);
    assert_eq!(graph["sameAs"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn an_empty_graph_is_still_an_object_and_an_unknown_batch_an_error() {
    let fixture = Fixture::new().await;
    let graph: serde_json::Value = serde_json::from_str(&exported(&fixture, None).await).unwrap();
    assert_eq!(graph["entities"], serde_json::json!([]));
    let unknown = BatchId::from_uuid(Uuid::nil());
    let mut out = Vec::new();
    let refused = write(
        &fixture.store,
        fixture.organization,
        Some(unknown),
        Format::Json,
        &mut out,
    );
    assert!(matches!(refused.await, Err(ExportError::NoSuchBatch)));
}

#[tokio::test]
async fn what_is_resolved_meanwhile_is_not_seen() {
    let fixture = Fixture::new().await;
    let (first, _) = two_batches(&fixture).await;
    let other = fixture.document(first, 1, "Big Blue grew.").await;
    let other = fixture.entity(other, 0, "Big Blue", "Organization").await;
    let before = exported(&fixture, None).await;

    let reads = fixture.store.reads_of_now(fixture.organization).await;
    let graph = Graph::new(reads.unwrap(), None);
    let entities = graph.entities().await.unwrap();
    let face = entities.concat().into_iter().find(|id| *id != other);
    fixture.merge(other, face.unwrap()).await;

    let mut out = Vec::new();
    write_graph(&graph, Format::Json, &mut out).await.unwrap();
    assert_eq!(before, String::from_utf8(out).unwrap());
    assert_ne!(before, exported(&fixture, None).await);
}

/// A graph whose every text is written for some format to stumble over.
async fn hostile(fixture: &Fixture) -> String {
    let text = "\"quoted\" 'too' \\n <b>&amp; ]]> `tick` {id: 1} ; // \n\r\t\u{b}\u{2028} =1+1, 北京 \u{fffe}";
    let batch = fixture.batch(1, BatchStage::Completed).await;
    let place = fixture.document(batch, 0, text).await;
    let subject = fixture.entity(place, 0, text, text).await;
    let object = fixture
        .entity(place, 1, "北京", "https://schema.org/City")
        .await;
    let known = "https://schema.org/location";
    fixture
        .relation(place, 0, (subject, known), Ok(object))
        .await;
    fixture
        .relation(place, 1, (subject, text), Ok(object))
        .await;
    fixture.relation(place, 2, (subject, ""), Err(text)).await;
    text.to_owned()
}

fn triples(quads: impl Iterator<Item = Quad>) -> BTreeSet<String> {
    quads.map(|quad| Triple::from(quad).to_string()).collect()
}

/// The triples of a graph, which its three formats agree on.
async fn agreed_triples(fixture: &Fixture) -> BTreeSet<String> {
    let n_triples = exported_as(fixture, None, Format::NTriples).await;
    let parsed = NTriplesParser::new().for_slice(&n_triples);
    let parsed: BTreeSet<String> = parsed.map(|triple| triple.unwrap().to_string()).collect();
    assert_eq!(parsed.len(), n_triples.lines().count(), "each once");

    let turtle = exported_as(fixture, None, Format::Turtle).await;
    let turtle = TurtleParser::new().for_slice(&turtle);
    let turtle: BTreeSet<String> = turtle.map(|triple| triple.unwrap().to_string()).collect();
    assert_eq!(turtle, parsed);

    let json_ld = exported_as(fixture, None, Format::JsonLd).await;
    let json_ld = JsonLdParser::new().for_slice(&json_ld);
    assert_eq!(triples(json_ld.map(Result::unwrap)), parsed);
    parsed
}

#[tokio::test]
async fn every_format_has_the_same_graph() {
    let fixture = Fixture::new().await;
    let (_, second) = two_batches(&fixture).await;
    for (name, format) in [
        ("turtle", Format::Turtle),
        ("json_ld", Format::JsonLd),
        ("graph_ml", Format::GraphMl),
        ("cypher", Format::Cypher),
        ("csv", Format::Csv),
    ] {
        insta::assert_snapshot!(name, exported_as(&fixture, Some(second), format).await);
    }
    agreed_triples(&fixture).await;
}

#[tokio::test]
async fn an_empty_graph_is_a_file_of_every_format() {
    let fixture = Fixture::new().await;
    assert!(agreed_triples(&fixture).await.is_empty());
    assert_eq!(
        read_xml(&exported_as(&fixture, None, Format::GraphMl).await),
        ["\n"; 0]
    );
    assert_eq!(
        read_csv(&exported_as(&fixture, None, Format::Csv).await).len(),
        0
    );
}

#[tokio::test]
async fn no_text_breaks_out_of_triples() {
    let fixture = Fixture::new().await;
    let text = hostile(&fixture).await;
    let triples = agreed_triples(&fixture).await;
    let object = oxrdf::Literal::from(text.as_str()).to_string();
    let said = triples.iter().filter(|triple| triple.ends_with(&object));
    // The name, the quoted evidence, and the literal twice: as the relation and of it.
    assert_eq!(said.count(), 4, "{triples:#?}");
    let known = |triple: &&String| triple.contains("<https://schema.org/location>");
    assert_eq!(triples.iter().filter(known).count(), 2, "{triples:#?}");
}

/// The texts of the data of a GraphML file, in their order.
fn read_xml(file: &str) -> Vec<String> {
    let mut reader = Reader::from_str(file);
    let (mut texts, mut within) = (Vec::new(), false);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => within = tag.name().as_ref() == b"data",
            Event::End(_) => within = false,
            Event::Text(text) if within => texts.push(text.decode().unwrap().into_owned()),
            Event::Eof => return texts,
            _ => {}
        }
    }
}

fn read_csv(file: &str) -> Vec<Vec<String>> {
    let mut rows = ::csv::Reader::from_reader(file.as_bytes());
    let rows = rows.records().map(Result::unwrap);
    rows.map(|row| row.iter().map(str::to_owned).collect())
        .collect()
}

#[tokio::test]
async fn no_text_breaks_out_of_a_table() {
    let fixture = Fixture::new().await;
    let text = hostile(&fixture).await;
    let file = exported_as(&fixture, None, Format::Csv).await;
    let rows = read_csv(&file);
    let named = rows.iter().find(|row| row[0] == "entity" && row[2] == text);
    assert_eq!(named.unwrap()[3], serde_json::to_string(&[&text]).unwrap());
    assert!(
        rows.iter()
            .any(|row| row[0] == "relation" && row[10] == text)
    );
    assert!(
        rows.iter()
            .any(|row| row[0] == "relation" && row[8] == text)
    );
}

#[tokio::test]
async fn no_text_breaks_out_of_an_element() {
    let fixture = Fixture::new().await;
    hostile(&fixture).await;
    let file = exported_as(&fixture, None, Format::GraphMl).await;
    assert!(
        !file.contains(['\u{b}', '\u{fffe}']),
        "XML has no such characters"
    );
    assert!(file.contains("&lt;b&gt;&amp;amp; ]]&gt;"), "{file}");
    assert_eq!(
        file.matches("<node ").count(),
        4,
        "two entities, a value and a document"
    );
    assert_eq!(file.matches("<edge ").count(), 3);
    read_xml(&file);
}

#[tokio::test]
async fn no_text_breaks_out_of_a_statement() {
    let fixture = Fixture::new().await;
    hostile(&fixture).await;
    let file = exported_as(&fixture, None, Format::Cypher).await;
    // Constraints, entities, mentions, relations and the document.
    assert_eq!(file.lines().count(), 4 + 2 + 2 + 3 + 1, "{file}");
    assert!(!file.contains(['\u{2028}', '\u{b}', '\r', '\t']));
    for statement in file.lines() {
        assert_eq!(
            outside_of_quotes(statement).matches(';').count(),
            1,
            "{statement}"
        );
        assert!(statement.ends_with(';'));
    }
}

/// A statement without its strings and names.
fn outside_of_quotes(statement: &str) -> String {
    let (mut outside, mut within) = (String::new(), None);
    let mut chars = statement.chars();
    while let Some(char) = chars.next() {
        match (within, char) {
            (Some('"'), '\\') => {
                chars.next();
            }
            (Some(quote), char) if char == quote => within = None,
            (None, '"' | '`') => within = Some(char),
            (None, char) => outside.push(char),
            (Some(_), _) => {}
        }
    }
    assert_eq!(within, None, "{statement}");
    outside
}

#[test]
fn every_format_has_an_ending() {
    let endings = ["json", "jsonld", "ttl", "nt", "graphml", "cypher", "csv"];
    let by_ending = endings.map(|ending| Format::by_ending(ending).unwrap());
    assert_eq!(by_ending, Format::value_variants());
    assert_eq!(Format::by_ending("txt"), None);
    let words = Format::value_variants()
        .iter()
        .map(|format| format.to_possible_value().unwrap());
    let words: Vec<String> = words.map(|word| word.get_name().to_owned()).collect();
    assert_eq!(
        words,
        [
            "json", "jsonld", "turtle", "ntriples", "graphml", "cypher", "csv"
        ]
    );
}
