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

/// What stands between names in reports and letters, in sentences of about 25 words.
const BETWEEN: &[&str] = &[
    "The work went on through the winter, although the ground was frozen for weeks and most of \
     what had been ordered in the autumn came late or not at all.",
    "Nobody who was asked could say how the first estimate had been made, and the figures that \
     were found later in a drawer did not agree with it.",
    "Much of the old quay had to be taken up again, because the timber underneath was soft, and \
     every plank was measured before it was carried away.",
    "It was agreed that the books should be kept open for another month, so that whoever had a \
     claim could bring it without having to write twice.",
    "What was learned in those years is still taught to apprentices, who are shown the broken \
     lens first and only afterwards how a whole one is ground.",
];

/// The text of a document of so many paragraphs that names people and firms about as often as
/// reports and letters do: ten names in 90 words.
#[must_use]
pub fn prose(index: usize, paragraphs: usize) -> String {
    let between = |place: usize| BETWEEN[place % BETWEEN.len()];
    (0..paragraphs)
        .map(|place| {
            let (first, second) = (between(index + place), between(index + place + 2));
            format!("{} {first} {second}", paragraph(index, place))
        })
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
