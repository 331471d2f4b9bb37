use std::collections::BTreeSet;

use clap::ValueEnum;
use knowledge_domain::{batch::BatchStage, ids::BatchId};
use knowledge_tables::{batch_document, entity};
use oxjsonld::JsonLdParser;
use oxrdf::{Quad, Triple};
use oxttl::{NTriplesParser, TurtleParser};
use quick_xml::{Reader, escape::unescape, events::Event};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use serde_json::json;
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
    let (_, second) = two_batches(&fixture).await;
    let third = fixture.batch(3, BatchStage::Completed).await;
    // The same documents in a later batch of the same organisation.
    fixture.document(third, 0, "I.B.M. is in Armonk.").await;
    fixture.document(third, 1, "IBM sits in Armonk.").await;
    for format in Format::value_variants() {
        let once = exported_as(&fixture, Some(second), *format).await;
        assert_eq!(once, exported_as(&fixture, Some(second), *format).await);
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
    write_graph(&graph, Format::Json, Vocabulary::default(), &mut out)
        .await
        .unwrap();
    assert_eq!(before, String::from_utf8(out).unwrap());
    assert_ne!(before, exported(&fixture, None).await);
}

/// What some format stumbles over.
const HOSTILE: &str = "\"quoted\" 'too' \\n <b>&amp; ]]> `tick` {id: 1} ; // \n\r\t\u{b}\u{2028} =1+1, \
     北京 \u{fffe}";

/// A graph whose every text is hostile, of a batch that has one content twice, which failed once.
async fn hostile(fixture: &Fixture) -> BatchId {
    let batch = fixture.batch(1, BatchStage::Completed).await;
    let place = fixture.document(batch, 0, HOSTILE).await;
    let twin = fixture.document(batch, 1, HOSTILE).await;
    let subject = fixture.entity(place, 0, HOSTILE, HOSTILE).await;
    let object = fixture
        .entity(place, 1, "北京", "https://schema.org/City")
        .await;
    let known = "https://schema.org/location";
    fixture
        .relation(place, 0, (subject, known), Ok(object))
        .await;
    fixture
        .relation(place, 1, (subject, HOSTILE), Ok(object))
        .await;
    fixture
        .relation(place, 2, (subject, ""), Err(HOSTILE))
        .await;
    let tx = fixture.store.begin().await.unwrap();
    let entity = entity::ActiveModel {
        id: Set(subject.uuid()),
        aliases: Set(json!([format!("{HOSTILE}!")])),
        attributes: Set(json!({ HOSTILE: HOSTILE, "a\\b": "1", "a/b": "2" })),
        ..Default::default()
    };
    entity.update(&tx).await.unwrap();
    for (place, source) in [(place, HOSTILE), (twin, "prov:urn")] {
        let row = batch_document::ActiveModel {
            id: Set(place.document.uuid()),
            name: Set(HOSTILE.to_owned()),
            source_uri: Set(Some(source.to_owned())),
            ..Default::default()
        };
        row.update(&tx).await.unwrap();
    }
    let failed = batch_document::ActiveModel {
        id: Set(twin.document.uuid()),
        status: Set("failed".to_owned()),
        error: Set(Some(HOSTILE.to_owned())),
        ..Default::default()
    };
    failed.update(&tx).await.unwrap();
    tx.commit().await.unwrap();
    batch
}

fn triples(quads: impl Iterator<Item = Quad>) -> BTreeSet<String> {
    quads.map(|quad| Triple::from(quad).to_string()).collect()
}

/// The triples of a graph, which its three formats agree on.
async fn agreed_triples(fixture: &Fixture, batch: Option<BatchId>) -> BTreeSet<String> {
    let n_triples = exported_as(fixture, batch, Format::NTriples).await;
    let parsed = NTriplesParser::new().for_slice(&n_triples);
    let parsed: BTreeSet<String> = parsed.map(|triple| triple.unwrap().to_string()).collect();
    assert_eq!(parsed.len(), n_triples.lines().count(), "each once");

    let turtle = exported_as(fixture, batch, Format::Turtle).await;
    let turtle = TurtleParser::new().for_slice(&turtle);
    let turtle: BTreeSet<String> = turtle.map(|triple| triple.unwrap().to_string()).collect();
    assert_eq!(turtle, parsed);

    let json_ld = exported_as(fixture, batch, Format::JsonLd).await;
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
    agreed_triples(&fixture, None).await;
}

#[tokio::test]
async fn an_empty_graph_is_a_file_of_every_format() {
    let fixture = Fixture::new().await;
    assert!(agreed_triples(&fixture, None).await.is_empty());
    let graph_ml = exported_as(&fixture, None, Format::GraphMl).await;
    assert_eq!(read_xml(&graph_ml).len(), 0);
    assert_eq!(
        read_csv(&exported_as(&fixture, None, Format::Csv).await).len(),
        0
    );
}

#[tokio::test]
async fn no_text_breaks_out_of_triples() {
    let fixture = Fixture::new().await;
    let batch = hostile(&fixture).await;
    let triples = agreed_triples(&fixture, Some(batch)).await;
    let object = oxrdf::Literal::from(HOSTILE).to_string();
    let said = triples.iter().filter(|triple| triple.ends_with(&object));
    // Name, attribute, evidence, the literal twice, as the relation and of it, and the name
    // and the source of the document, which is there once although the batch has it twice.
    assert_eq!(said.count(), 7, "{triples:#?}");
    let alias = oxrdf::Literal::from(format!("{HOSTILE}!")).to_string();
    assert!(
        triples.iter().any(|triple| triple.ends_with(&alias)),
        "{triples:#?}"
    );
    let known = |triple: &&String| triple.contains("<https://schema.org/location>");
    assert_eq!(triples.iter().filter(known).count(), 2, "{triples:#?}");
    let status = |triple: &&String| triple.contains("<urn:knowledge:status>");
    let status: Vec<&String> = triples.iter().filter(status).collect();
    assert!(
        matches!(&status[..], [one] if one.ends_with("\"completed\"")),
        "{status:?}"
    );
}

/// The texts of the data of a GraphML file, in their order.
fn read_xml(file: &str) -> Vec<String> {
    let mut reader = Reader::from_str(file);
    let (mut texts, mut text) = (Vec::new(), None);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) if tag.name().as_ref() == b"data" => text = Some(String::new()),
            Event::End(_) => texts.extend(text.take()),
            Event::Text(part) => {
                // A line's end is a line feed, unless it is written as a reference.
                let lines = str::from_utf8(&part).unwrap().replace("\r\n", "\n");
                let lines = lines.replace('\r', "\n");
                if let Some(text) = &mut text {
                    text.push_str(&unescape(&lines).unwrap());
                }
            }
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
    let batch = hostile(&fixture).await;
    let file = exported_as(&fixture, Some(batch), Format::Csv).await;
    let rows = read_csv(&file);
    let of = |kind: &'static str| rows.iter().filter(move |row| row[0] == kind);
    let named = of("entity").find(|row| row[2] == HOSTILE).unwrap();
    assert_eq!(named[3], json!([HOSTILE]).to_string());
    assert_eq!(named[4], json!([format!("{HOSTILE}!")]).to_string());
    let attributes: serde_json::Value = serde_json::from_str(&named[5]).unwrap();
    assert_eq!(attributes[HOSTILE], HOSTILE);
    assert!(of("relation").any(|row| row[10] == HOSTILE));
    assert!(of("relation").any(|row| row[8] == HOSTILE));
    let documents: Vec<_> = of("document")
        .map(|row| [&row[15], &row[16], &row[17]])
        .collect();
    assert_eq!(
        documents,
        [[HOSTILE, "completed", ""], ["prov:urn", "failed", HOSTILE]]
    );
}

#[tokio::test]
async fn no_text_breaks_out_of_an_element() {
    let fixture = Fixture::new().await;
    let batch = hostile(&fixture).await;
    let file = exported_as(&fixture, Some(batch), Format::GraphMl).await;
    let readable = HOSTILE.replace(['\u{b}', '\u{fffe}'], "\u{fffd}");
    let texts = read_xml(&file);
    // Name, type, predicate, literal, and the document's name and source; the rest is within JSON.
    assert_eq!(
        texts.iter().filter(|text| **text == readable).count(),
        6,
        "{texts:#?}"
    );
    assert_eq!(
        file.matches("<node ").count(),
        4,
        "two entities, a value and a document"
    );
    assert_eq!(file.matches("<edge ").count(), 3);
}

#[tokio::test]
async fn no_text_breaks_out_of_a_statement() {
    let fixture = Fixture::new().await;
    let batch = hostile(&fixture).await;
    let file = exported_as(&fixture, Some(batch), Format::Cypher).await;
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

/// A pipe whose reader has had enough.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_format_says_that_its_reader_is_gone() {
    let fixture = Fixture::new().await;
    two_batches(&fixture).await;
    for format in Format::value_variants() {
        let mut out = Closed;
        let written = write(
            &fixture.store,
            fixture.organization,
            None,
            *format,
            &mut out,
        );
        let Err(ExportError::Write(error)) = written.await else {
            panic!("{format:?} was written")
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{format:?}");
    }
}
