//! Documents for measurements: invented, the same every time, each different from the others.

use std::fmt::Write as _;

const GIVEN: &[&str] = &[
    "Ilse", "Tomas", "Maria", "Jonas", "Amara", "Viktor", "Helen", "Kenji", "Lucia", "Omar",
    "Freya", "Dmitri", "Nadia", "Pablo", "Sigrid", "Owen",
];
const FAMILY: &[&str] = &[
    "Varga",
    "Renn",
    "Okello",
    "Bleck",
    "Lindqvist",
    "Moreau",
    "Castellan",
    "Hadley",
    "Petrov",
    "Sandoval",
    "Achterberg",
    "Nakamura",
    "Whitlock",
    "Osei",
    "Brandt",
    "Kowalski",
];
const FIRM: &[&str] = &[
    "Calder",
    "Northlight",
    "Brenna",
    "Ashby",
    "Meridian",
    "Kestrel",
    "Halcyon",
    "Ironbridge",
    "Solway",
    "Tarn",
    "Vantage",
    "Corvid",
];
const TRADE: &[&str] = &[
    "Instruments",
    "Shipping",
    "Optics",
    "Foundation",
    "Energy",
    "Laboratories",
    "Press",
    "University",
    "Railways",
    "Bank",
];
const PLACE: &[&str] = &[
    "London",
    "Bergen",
    "Halvern",
    "Port Ellis",
    "Steinach",
    "Lisbon",
    "Kyoto",
    "Nairobi",
    "Montreal",
    "Geneva",
    "Valparaiso",
    "Tallinn",
];
const SUBJECT: &[&str] = &[
    "tidal power",
    "bridge inspection",
    "public lending",
    "medical imaging",
    "rail signalling",
    "soil chemistry",
    "maritime law",
    "glass making",
];

/// Paragraphs of a report: four chunks and two batches of mentions, so that each stage's units fit
/// into its window and both sides of a comparison run as many at a time.
const REPORT: usize = 6;
/// Paragraphs of a note: one chunk.
const NOTE: usize = 1;

/// A document of about 5,800 characters.
pub(crate) fn report(index: usize) -> String {
    text(index, REPORT)
}

/// A document of about 1,000 characters.
pub(crate) fn note(index: usize) -> String {
    text(index, NOTE)
}

fn text(index: usize, paragraphs: usize) -> String {
    let mut pick = Pick::new(index);
    let mut text = format!("Report {index} of the inquiry into {}.\n", pick.of(SUBJECT));
    for _ in 0..paragraphs {
        text.push('\n');
        paragraph(&mut text, &mut pick);
    }
    text
}

fn paragraph(text: &mut String, pick: &mut Pick) {
    let person = format!("{} {}", pick.of(GIVEN), pick.of(FAMILY));
    let other = format!("{} {}", pick.of(GIVEN), pick.of(FAMILY));
    let firm = format!("{} {}", pick.of(FIRM), pick.of(TRADE));
    let (place, home, subject) = (pick.of(PLACE), pick.of(PLACE), pick.of(SUBJECT));
    let year = 1950 + pick.below(70);
    let amount = 2 + pick.below(90);
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{person} founded {firm} in {place} in {year} and led it for eleven years. Under {person} \
         the company became known for {subject}, and its revenue reached {amount} million dollars \
         in {}. {other}, who was born in {home}, joined {firm} as chief engineer and later became \
         its director. The board, which met in {place} every spring, asked {other} to write a \
         history of the firm. In an interview {other} said that the years in {home} had taught \
         more about {subject} than any university could. The papers that remain are not complete: \
         several volumes were lost when the archive was moved, and what is left was bound in the \
         wrong order, so that a reader has to compare the dates on each page before the story makes \
         sense. Even so it is clear that the first years were harder than the later accounts admit, \
         that wages were often late, and that the work went on because those who did it believed \
         that it was needed.",
        year + 9
    );
}

/// A small generator of numbers: the same index gives the same document.
struct Pick(u64);

impl Pick {
    fn new(index: usize) -> Self {
        Self(index as u64 ^ 0x5DEE_CE66)
    }

    /// `SplitMix64`, by Sebastiano Vigna.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn of(&mut self, words: &[&'static str]) -> &'static str {
        let position = usize::try_from(self.below(words.len() as u64)).unwrap_or_default();
        words.get(position).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn documents_differ_and_repeat() {
        let notes: HashSet<String> = (0..2_000).map(note).collect();
        assert_eq!(notes.len(), 2_000);
        assert_eq!(report(7), report(7));
        assert!(
            (5_400..6_200).contains(&report(7).len()),
            "{}",
            report(7).len()
        );
    }
}
