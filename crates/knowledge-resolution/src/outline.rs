//! What is told of a name at a glance: enough to see of most pairs that no rule can hold of them.
//!
//! Names lie all over the memory and their outlines side by side, so of millions of pairs that
//! share a block only those are read that may be one.

use crate::{
    Kind,
    hash::stable_hash,
    name::{Name, is_initial},
    sound,
};

/// Words that count of which an outline tells.
const WORDS: usize = 4;

/// Letters that only one of two words has at most which a slip, or another spelling, makes of each
/// other: both are two letters that are others.
const OTHER_LETTERS: u32 = 4;

/// A name at a glance; hashes are as short as they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outline {
    kind: Kind,
    /// The name as a whole, whatever of it counts.
    name: u16,
    /// How many words there are.
    words: u8,
    /// How many of them count.
    core: u8,
    /// Those that count, in any order.
    sorted: u16,
    /// What each of the first ones begins with.
    begin: [u8; WORDS],
    /// A bit for each letter of the first ones; none of an initial, which is for any.
    letters: [u32; WORDS],
    /// The first and the last one.
    ends: [u16; 2],
    /// The letters of all that count.
    all: u16,
}

impl Outline {
    /// The outline of a name, given as a `whole` and taken apart, of whose words that count
    /// `sorted` is a hash; nothing of one with more words than can be counted, or whose words count
    /// as others or in another order: rules for persons take them as they are.
    pub(crate) fn of(whole: &str, name: &Name, kind: Kind, sorted: u64) -> Option<Self> {
        let core = name.core();
        let ends = [core.first()?, core.last()?];
        let mut words = name.words.iter();
        if !core.iter().all(|word| words.any(|other| other == word)) {
            return None;
        }
        let (mut begin, mut letters) = ([0; WORDS], [0; WORDS]);
        for (at, word) in core.iter().take(WORDS).enumerate() {
            begin[at] = beginning(word);
            letters[at] = if is_initial(word) {
                0
            } else {
                letters_of(word)
            };
        }
        let all = core.iter().fold(0, |all, word| all | letters_of(word));
        Some(Self {
            kind,
            name: short(stable_hash(&[whole])),
            words: u8::try_from(name.words.len()).ok()?,
            core: u8::try_from(core.len()).ok()?,
            sorted: short(sorted),
            begin,
            letters,
            ends: ends.map(|word| short(stable_hash(&[word]))),
            all: short(u64::from(all) ^ u64::from(all >> u16::BITS)),
        })
    }

    /// Whether no rule can hold of two names of which their documents say no other.
    pub(crate) fn is_unlike(&self, other: &Self) -> bool {
        // Kinds take one name apart in ways of their own.
        if self.name == other.name || self.sorted == other.sorted {
            return false;
        }
        let one_word = self.words == 1 || other.words == 1;
        match (self.words == other.words, self.core == other.core) {
            (true, true) => self.has_other_words(other),
            // What follows goes by rules for names of one kind.
            _ if self.kind != other.kind => false,
            _ if self.kind != Kind::Person && one_word => false,
            (false, true) => self.has_other_words(other),
            (_, false) => self.is_no_part(other),
        }
    }

    /// Of two with as many words that count: none is a part of the other, and a slip, an initial or
    /// another spelling keeps what its word begins with and nearly all of its letters. So two that
    /// differ in more than that may at most have the same words in another order.
    fn has_other_words(&self, other: &Self) -> bool {
        let differs = |(one, other): (&u32, &u32)| {
            *one != 0 && *other != 0 && (one ^ other).count_ones() > OTHER_LETTERS
        };
        self.begin != other.begin || self.letters.iter().zip(&other.letters).any(differs)
    }

    /// Of two, neither of which is an acronym: one that is short for the other begins or ends with
    /// the same word, and one that is written in more words has the same letters.
    fn is_no_part(&self, other: &Self) -> bool {
        let [first, last] = [0, 1].map(|end| self.ends[end] == other.ends[end]);
        !first && !last && self.all != other.all
    }
}

/// Less of a hash.
fn short(hash: u64) -> u16 {
    let [low, high, ..] = hash.to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// A hash of what a word begins with.
fn beginning(word: &str) -> u8 {
    let mut letter = [0; 4];
    let begins = sound::beginning(word).map_or("", |begins| begins.encode_utf8(&mut letter));
    let [hash, ..] = stable_hash(&[begins]).to_le_bytes();
    hash
}

/// The letters of a word, those of other alphabets several to a bit.
fn letters_of(word: &str) -> u32 {
    let bit = |letter: char| 1 << (u32::from(letter) % u32::BITS);
    word.chars()
        .fold(0, |letters, letter| letters | bit(letter))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{Settings, compare, form::Prepared, tests::form_of};

    const CLASSES: &[&str] = &["Person", "Organization", "Work", "Thing", "Place"];

    fn are_unlike(one: (&str, &str), other: (&str, &str)) -> bool {
        let (one, other) = (form_of(one.0, one.1), form_of(other.0, other.1));
        let (one, other) = (Prepared::new(&one), Prepared::new(&other));
        assert_eq!(one.is_unlike(&other), other.is_unlike(&one));
        one.is_unlike(&other)
    }

    #[test]
    fn what_a_rule_holds_of_is_not_unlike() {
        for (class, one, other) in [
            ("Person", "E. Brandt", "Elias Brandt"),
            ("Person", "Elias Johann Brandt", "Elias J. Brandt"),
            ("Person", "Catherine Meyer", "Katherine Maier"),
            ("Place", "Port Featherstone", "Port Fektherstome"),
            ("Place", "Koeln Muelheim", "Koln Mulheim"),
            (
                "Organization",
                "Selby Port University",
                "University of Port Selby",
            ),
            ("Person", "Brandt", "Elias Brandt"),
            ("Person", "Elias B.", "Elias Johann Brandt"),
            ("Person", "Elias Brandt", "Maria Elias Brandt"),
            ("Person", "An Na Mari Us", "Anna Marius"),
            ("Work", "Wi-Fi Ether Net", "WiFi EtherNet"),
            ("Work", "Port Selby Light", "The New Port Selby Light"),
            ("Organization", "Calder Works", "Kalder Works Ltd"),
            ("Organization", "Calder Works", "Calder Shipping Works Ltd"),
            ("Organization", "CSW", "Calder Shipping Works"),
        ] {
            let (one, other) = ((one, class), (other, class));
            let [left, right] = [one, other].map(|(name, class)| form_of(name, class));
            let rule = compare(&left, &right, &Settings::default()).rule;
            assert!(
                rule.is_some() && !are_unlike(one, other),
                "{one:?}, {other:?}"
            );
        }
    }

    #[test]
    fn words_that_count_as_others_do_not_tell() {
        for (name, class) in [
            ("Oka 株式会社日本山田", "Person"),
            ("株式会社トヨタ (トヨタ)", "Person"),
            ("株式会社and and bra", "Work"),
        ] {
            assert!(!are_unlike((name, class), (name, "Thing")), "{name}");
        }
        let (person, place) = (("Lake A. Brandt", "Person"), ("Lake Anna Brandt", "Place"));
        assert!(!are_unlike(person, place));
    }

    #[test]
    fn other_names_are_told_at_a_glance() {
        for (class, one, other) in [
            ("Person", "Anna Brandt", "Maria Brandt"),
            ("Person", "Elias Brandt", "Emmerich Brandt"),
            (
                "Organization",
                "Calder Shipping Works",
                "Cumnock Salvage Works",
            ),
            (
                "Organization",
                "Calder Shipping Inc",
                "Cumnock Shipping Company Ltd",
            ),
            ("Organization", "Calder Optics", "Cumnock Salvage Works"),
            ("Person", "Elias Brandt", "Elena Johanna Meyer"),
        ] {
            assert!(are_unlike((one, class), (other, class)), "{one}, {other}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn what_is_unlike_follows_no_rule(
            left in "([adeopx]\\.|dr|(株式会社)?(the|of|and)|ltd|[aboc][nr][adlno]{3,5})( ([aep]\\.|of|and|ltd|co|[abop][hnr][adlno]{3,5}|lake|(株式会社)?bra)){0,5}",
            slip in prop::collection::vec((0_usize..30, "[adfiklnr ]|ei|ck|ph|ue|oe"), 0..5),
            turned in any::<bool>(),
            part in prop::option::of((0_usize..3, 1_usize..4)),
            shortened in any::<bool>(),
            [class, other] in prop::array::uniform2(prop::sample::select(CLASSES)),
        ) {
            let mut right: Vec<char> = left.chars().collect();
            for (at, letters) in slip {
                let at = at % right.len();
                right.splice(at..=at, letters.chars());
            }
            let right: String = right.into_iter().collect();
            let mut words: Vec<&str> = right.split(' ').collect();
            if turned {
                words.reverse();
            }
            if let Some((from, count)) = part {
                words = words.into_iter().skip(from).take(count).collect();
            }
            let right = if shortened {
                words.iter().filter_map(|word| word.chars().next()).collect()
            } else {
                words.join(" ")
            };
            let (left, right) = (form_of(&left, class), form_of(&right, other));
            let (one, other) = (Prepared::new(&left), Prepared::new(&right));
            if one.is_unlike(&other) {
                prop_assert_eq!(compare(&left, &right, &Settings::default()).rule, None);
            }
        }
    }
}
