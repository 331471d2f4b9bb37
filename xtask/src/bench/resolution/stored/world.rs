//! Invented documents about persons and firms, of which half were told of before.

use std::fmt::Write as _;

/// Sentences of a document, each of a person and a firm.
const SENTENCES: usize = 50;
/// Entities of a document, about: now and then it names one twice.
const ENTITIES: usize = 90;

/// The same people and firms in every run.
pub(super) struct World {
    state: u64,
    documents: usize,
    persons: usize,
    firms: usize,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            state: seed,
            documents: 0,
            persons: 0,
            firms: 0,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state % bound as u64).unwrap_or_default()
    }

    /// Leaves out documents that are stored.
    pub(super) fn skip(&mut self, documents: usize) {
        while self.documents < documents {
            self.document();
        }
    }

    /// Documents with about so many entities, as JSON lines.
    pub(super) fn documents(&mut self, entities: usize) -> String {
        let mut lines = String::new();
        for _ in 0..entities.div_ceil(ENTITIES) {
            let text = self.text();
            let line = serde_json::json!({ "id": format!("d{}", self.documents), "text": text });
            let _ = writeln!(lines, "{line}");
        }
        lines
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        for (person, said, firm) in self.document() {
            let _ = writeln!(text, "{person} {said} {firm}.");
        }
        text
    }

    /// The sentences of one more document: a person, what it did, and a firm.
    pub(super) fn document(&mut self) -> Vec<(String, &'static str, String)> {
        self.documents += 1;
        let sentence = |_| {
            let (person, firm) = (self.person(), self.firm());
            let said = ["worked for", "joined", "founded"][self.below(3)];
            (person, said, firm)
        };
        (0..SENTENCES).map(sentence).collect()
    }

    /// One of so many, or one more; and in which of four ways it is named, a new one in the last.
    fn one_of(&mut self, known: usize) -> (usize, usize) {
        if known == 0 || self.below(2) == 0 {
            return (known, 3);
        }
        (self.below(known), self.below(4))
    }

    fn person(&mut self) -> String {
        let (number, way) = self.one_of(self.persons);
        self.persons = self.persons.max(number + 1);
        let mixed = mixed(number as u64);
        let given = name(below(mixed, 2_000), 2);
        let surname = name(2_000 + below(mixed >> 20, 60_000), 3);
        match way {
            0 => format!("{}. {surname}", &given[..1]),
            1 => format!("Dr. {given} {surname}"),
            _ => format!("{given} {surname}"),
        }
    }

    fn firm(&mut self) -> String {
        let (number, way) = self.one_of(self.firms);
        self.firms = self.firms.max(number + 1);
        let mixed = mixed(number as u64 ^ 0x5555_5555_5555);
        let one = name(70_000 + below(mixed, 40_000), 3);
        let two = name(70_000 + below(mixed >> 20, 40_000), 3);
        let trade = ["Works", "Shipping", "Railway", "Press"];
        match way {
            0 => format!("{one} {two}"),
            _ => format!("{one} {two} {}", trade[below(mixed >> 40, 4)]),
        }
    }
}

fn below(mixed: u64, bound: u64) -> usize {
    usize::try_from(mixed % bound).unwrap_or_default()
}

fn mixed(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 32)
}

/// The word of a number: always the same one.
fn name(number: usize, syllables: usize) -> String {
    const BEGIN: &[&str] = &[
        "b", "br", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v", "w",
    ];
    const MIDDLE: &[&str] = &["a", "e", "i", "o", "u", "ai", "ea", "oo"];
    let mut mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995;
    let mut below = |bound: usize| {
        mixed = mixed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        usize::try_from((mixed >> 33) % bound as u64).unwrap_or_default()
    };
    let mut word = String::new();
    for _ in 0..syllables {
        word.push_str(BEGIN[below(BEGIN.len())]);
        word.push_str(MIDDLE[below(MIDDLE.len())]);
    }
    word.push_str(["n", "r", "s", "l"][below(4)]);
    word[..1].to_uppercase() + &word[1..]
}
