//! What is told of a name at a glance: enough to see of most pairs that no rule can hold of them.
//!
//! Names lie all over the memory and their outlines side by side, so of millions of pairs that
//! share a block only those are read that may be one.

use crate::{
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
    /// How many words there are.
    words: u8,
    /// How many of them count.
    core: u8,
    /// Those that count, in any order.
    sorted: u16,
    /// What each of the first ones begins with.
    begin: [u8; WORDS],
    /// A bit for each letter of the first ones; none of an initial, which is for any.
    letters: [u16; WORDS],
}

impl Outline {
    /// The outline of a name, of whose words that count `sorted` is a hash; nothing of one with
    /// more words than can be counted, or whose words count as others or in another order: rules
    /// for persons take them as they are.
    pub(crate) fn of(name: &Name, sorted: u64) -> Option<Self> {
        let core = name.core();
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
        let [low, high, ..] = sorted.to_le_bytes();
        Some(Self {
            words: u8::try_from(name.words.len()).ok()?,
            core: u8::try_from(core.len()).ok()?,
            sorted: u16::from_le_bytes([low, high]),
            begin,
            letters,
        })
    }

    /// Whether no rule can hold of two names of which their documents say no other.
    ///
    /// With as many words in both, none is a part or an acronym of the other, and a slip, an
    /// initial or another spelling keeps what its word begins with and nearly all of its letters.
    /// So two names that differ in more than that may at most have the same words in another order.
    pub(crate) fn is_unlike(&self, other: &Self) -> bool {
        if (self.words, self.core) != (other.words, other.core) || self.sorted == other.sorted {
            return false;
        }
        let differs = |(one, other): (&u16, &u16)| {
            *one != 0 && *other != 0 && (one ^ other).count_ones() > OTHER_LETTERS
        };
        self.begin != other.begin || self.letters.iter().zip(&other.letters).any(differs)
    }
}

/// A hash of what a word begins with.
fn beginning(word: &str) -> u8 {
    let mut letter = [0; 4];
    let begins = sound::beginning(word).map_or("", |begins| begins.encode_utf8(&mut letter));
    let [hash, ..] = stable_hash(&[begins]).to_le_bytes();
    hash
}

/// The letters of a word, two or more of the alphabet to a bit.
fn letters_of(word: &str) -> u16 {
    let bit = |letter: char| 1_u16 << (u32::from(letter) % u16::BITS);
    word.chars()
        .fold(0, |letters, letter| letters | bit(letter))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{Settings, compare, form::Prepared, tests::form_of};

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
        for name in ["Oka 株式会社日本山田", "株式会社トヨタ (トヨタ)"] {
            assert!(!are_unlike((name, "Person"), (name, "Thing")), "{name}");
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
        ] {
            assert!(are_unlike((one, class), (other, class)), "{one}, {other}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn what_is_unlike_follows_no_rule(
            left in "([adeopx]\\.|dr|the|of|and|ltd|[aboc][nr][adlno]{3,5})( ([aep]\\.|of|and|ltd|co|[abop][hnr][adlno]{3,5}|lake|(株式会社)?bra)){0,5}",
            slip in prop::collection::vec((0_usize..30, "[adfiklnr ]|ei|ck|ph|ue|oe"), 0..5),
            turned in any::<bool>(),
            classes in prop::sample::subsequence(vec!["Person", "Organization", "Work", "Thing", "Place"], 2),
        ) {
            let mut right: Vec<char> = left.chars().collect();
            for (at, letters) in slip {
                let at = at % right.len();
                right.splice(at..=at, letters.chars());
            }
            let mut right: String = right.into_iter().collect();
            if turned {
                right = right.rsplit(' ').collect::<Vec<_>>().join(" ");
            }
            let (left, right) = (form_of(&left, classes[0]), form_of(&right, classes[1]));
            let (one, other) = (Prepared::new(&left), Prepared::new(&right));
            if one.is_unlike(&other) {
                prop_assert_eq!(compare(&left, &right, &Settings::default()).rule, None);
            }
        }
    }
}
