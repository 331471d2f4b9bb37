//! Words that sound alike: one name, spelled in several ways.
//!
//! Double Metaphone (Lawrence Philips, 2000) finds them; it leaves out vowels and takes `b` for `p`
//! and `d` for `t`, so what it finds is looked at again before it counts as one name: `Meyer` and
//! `Maier` are, `Mario` and `Maria`, `Dina` and `Tina` are not. Only of words in ASCII letters can
//! be told how they sound; of any other nothing is.

use rapidfuzz::distance::osa;
use rphonetic::DoubleMetaphone;

use crate::lexicon;

/// Letters of a code at most; block keys are stored, so it never changes without their version.
const CODE: usize = 12;

/// How a word sounds; nothing where that cannot be told.
pub(crate) fn code(word: &str) -> Option<String> {
    let plain = word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let encoder = DoubleMetaphone::new(Some(CODE));
    let code = plain.then(|| encoder.double_metaphone(word).primary())?;
    (!code.is_empty()).then_some(code)
}

/// Whether two words that differ are spellings of one name.
pub(crate) fn alike(left: &str, right: &str) -> bool {
    let tells = |word: &str| lexicon::is_distinguishing(word);
    left != right
        && onset(left) == onset(right)
        && voiced(left).eq(voiced(right))
        && vowels(left) == vowels(right)
        && osa::distance(left.bytes(), right.bytes()) <= 2
        && !tells(left)
        && !tells(right)
        && code(left).is_some_and(|code| Some(code) == self::code(right))
}

/// What a word begins with, in one spelling: `Catherine`, `Katherine`; `Philip`, `Filip`.
fn onset(word: &str) -> Option<char> {
    let first = word.chars().next()?;
    Some(match first {
        'c' | 'q' => 'k',
        'p' if word.starts_with("ph") => 'f',
        other => other,
    })
}

/// What a word begins with, as coarsely as any rule takes it: a name may begin with what an initial
/// is for, or with another spelling of it.
pub(crate) fn beginning(word: &str) -> Option<char> {
    onset(word).map(|onset| if onset == 'p' { 'f' } else { onset })
}

/// The letters that a code confounds with others and names do not: `Abel`, `Apel`.
fn voiced(word: &str) -> impl Iterator<Item = char> {
    let letters = word
        .chars()
        .filter(|char| matches!(char, 'b' | 'd' | 'g' | 'z'));
    let mut last = None;
    letters.filter(move |char| last.replace(*char) != Some(*char))
}

/// The vowels of a word in one spelling: umlauts written out, `y` as `i`, and the diphthong of
/// `Meyer` and `Maier` as one.
fn vowels(word: &str) -> Vec<u8> {
    let mut vowels: Vec<u8> = Vec::with_capacity(word.len());
    for letter in word.bytes() {
        match (letter, vowels.last()) {
            (b'e', Some(b'o' | b'u')) => {}
            (b'i' | b'y', Some(b'a' | b'e')) => {
                vowels.pop();
                vowels.push(b'y');
            }
            (b'a' | b'e' | b'i' | b'o' | b'u', _) => vowels.push(letter),
            (b'y', _) => vowels.push(b'i'),
            // What stands between vowels keeps them apart.
            (_, Some(b'-') | None) => {}
            _ => vowels.push(b'-'),
        }
    }
    if vowels.last() == Some(&b'-') {
        vowels.pop();
    }
    vowels
}

/// A word with umlauts that are written out as they are written otherwise: `koeln`, `koln`.
pub(crate) fn plain_umlauts(word: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    for letter in word.chars() {
        if letter != 'e' || !plain.ends_with(['a', 'o', 'u']) {
            plain.push(letter);
        }
    }
    plain
}

/// Whether two words differ in how umlauts are written, and in nothing else.
pub(crate) fn same_umlauts(left: &str, right: &str) -> bool {
    left != right && plain_umlauts(left) == plain_umlauts(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name() {
        for (one, other) in [
            ("meyer", "maier"),
            ("meyer", "meier"),
            ("catherine", "katherine"),
            ("stephen", "steven"),
            ("muller", "mueller"),
            ("schroder", "schroeder"),
            ("philip", "filip"),
            ("eric", "erik"),
            ("jacob", "jakob"),
            ("sophie", "sofie"),
            ("smith", "smyth"),
            ("hoffmann", "hofmann"),
        ] {
            assert!(alike(one, other) && alike(other, one), "{one}, {other}");
        }
    }

    #[test]
    fn other_names_stay_other_names() {
        for (one, other) in [
            ("mario", "maria"),
            ("maria", "marie"),
            ("mary", "marie"),
            ("dina", "tina"),
            ("dom", "tom"),
            ("jan", "jon"),
            ("jane", "joan"),
            ("paul", "paula"),
            ("paul", "paulo"),
            ("abel", "apel"),
            ("anna", "anne"),
            ("meyer", "moore"),
            ("smith", "schmidt"),
            ("stefan", "steven"),
            ("odo", "otto"),
            ("west", "vest"),
            ("иван", "иванн"),
            ("東京", "京都"),
            ("737", "747"),
        ] {
            assert!(!alike(one, other) && !alike(other, one), "{one}, {other}");
        }
    }

    #[test]
    fn what_is_not_in_plain_letters_has_no_sound() {
        for word in ["", "e", "иван", "o東", "b2", "737"] {
            assert_eq!(code(word), None, "{word}");
        }
    }

    #[test]
    fn codes_are_stored_and_stay_what_they_are() {
        let codes = ["meyer", "katherine", "steven", "lindqvist"].map(code);
        let codes = codes.map(Option::unwrap_or_default);
        assert_eq!(codes, ["MR", "K0RN", "STFN", "LNTKFST"]);
    }
}
