//! Documents about people, firms and places of a harbour town that name them in several ways: a
//! corpus whose clusters go across documents.

use knowledge_server::orchestrator::NewDocument;

/// A full name, and what other documents call the same person.
const PEOPLE: &[(&str, &str)] = &[
    ("Ilse Varga", "I. Varga"),
    ("Tomas Renn", "T. Renn"),
    ("Maria Okello", "Dr. Maria Okello"),
    ("Jonas Bleck", "J. Bleck"),
    ("Peter Lindqvist", "Peter Lindquist"),
    ("Hannah Weiss", "H. Weiss"),
];

/// A full name, and what other documents call the same firm.
const FIRMS: &[(&str, &str)] = &[
    ("Calder Instruments Ltd", "Calder Instruments"),
    ("Northlight Shipping Company", "Northlight Shipping"),
    ("University of Port Ellis", "Port Ellis University"),
    ("Saint Brenna Hospital", "St Brenna Hospital"),
    ("Lowland Savings Bank", "Lowland Bank"),
];

const PLACES: &[&str] = &["Halvern", "Port Ellis", "Steinach", "Kingsmouth"];

/// How many documents there are.
pub const DOCUMENTS: usize = 25;

/// Every document, each different from the others.
#[must_use]
pub fn documents() -> Vec<NewDocument> {
    (0..DOCUMENTS).map(document).collect()
}

fn document(index: usize) -> NewDocument {
    NewDocument {
        name: format!("harbour-{index:02}.txt"),
        text: text(index),
        source_uri: None,
        metadata: serde_json::json!({}),
    }
}

/// The text of a document.
#[must_use]
pub fn text(index: usize) -> String {
    let paragraph = |part: usize| {
        let at = index + 3 * part;
        let person = form(PEOPLE[at % PEOPLE.len()], index % 2);
        let friend = form(PEOPLE[(at + 1 + part) % PEOPLE.len()], index % 2);
        let firm = form(FIRMS[at % FIRMS.len()], (index / 2 + part) % 2);
        let place = PLACES[(2 * index + part) % PLACES.len()];
        let year = 1880 + (index * 7 + part * 3) % 60;
        format!(
            "{person} worked for {firm} in {place} from {year} on. {friend} was born in {place} \
             and met {person} there. In {year} {firm} was the largest employer of {place}, as \
             paper {index} of the archive says."
        )
    };
    (0..4).map(paragraph).collect::<Vec<_>>().join("\n\n")
}

fn form((full, other): (&'static str, &'static str), which: usize) -> &'static str {
    if which == 0 { full } else { other }
}
