//! Documents for tests: invented, coherent with each other, as long as a test needs.

use serde_json::{Value, json};

const PEOPLE: &[&str] = &["Ilse Varga", "Tomas Renn", "Maria Okello", "Jonas Bleck"];
const FIRMS: &[&str] = &["Calder Instruments", "Northlight Shipping", "Brenna Optics"];
const PLACES: &[&str] = &["Halvern", "Port Ellis", "Steinach"];

/// A document that names people, firms and places which other documents name too.
#[must_use]
pub fn document(index: usize) -> Value {
    json!({ "name": format!("note-{index:03}.txt"), "text": text(index, 4) })
}

/// The first `count` documents.
#[must_use]
pub fn documents(count: usize) -> Vec<Value> {
    (0..count).map(document).collect()
}

/// The first `count` documents, of one paragraph each.
#[must_use]
pub fn short_documents(count: usize) -> Vec<Value> {
    (0..count)
        .map(|index| json!({ "name": format!("line-{index:04}.txt"), "text": text(index, 1) }))
        .collect()
}

/// The first `count` documents with so many paragraphs that a batch of them can be interrupted.
#[must_use]
pub fn long_documents(count: usize) -> Vec<Value> {
    (0..count)
        .map(|index| json!({ "name": format!("report-{index:03}.txt"), "text": text(index, 60) }))
        .collect()
}

/// A document that fails for good: it has no text.
#[must_use]
pub fn empty_document() -> Value {
    json!({ "name": "empty.txt", "text": "" })
}

/// The text of a document, of so many paragraphs.
#[must_use]
pub fn text(index: usize, paragraphs: usize) -> String {
    (0..paragraphs)
        .map(|paragraph| self::paragraph(index, paragraph))
        .collect::<Vec<_>>()
        .join("\n\n")
}

fn paragraph(index: usize, paragraph: usize) -> String {
    let person = PEOPLE[(index + paragraph) % PEOPLE.len()];
    let friend = PEOPLE[(index + paragraph + 1) % PEOPLE.len()];
    let firm = FIRMS[(index + 2 * paragraph) % FIRMS.len()];
    let place = PLACES[(2 * index + paragraph) % PLACES.len()];
    let year = 1960 + (index * 7 + paragraph) % 50;
    format!(
        "{person} founded {firm} in {place} in {year}. {friend} works for {firm} and lives in \
         {place}. In item {index}.{paragraph} of the file, {person} met {friend} in {place} to \
         speak of {firm}."
    )
}
