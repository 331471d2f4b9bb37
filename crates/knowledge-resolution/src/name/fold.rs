//! Folding: what does not distinguish names is taken away.

use std::{borrow::Cow, fmt::Write as _};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::lexicon;

/// A name without what does not distinguish: case, accents, width, punctuation, spacing, and a
/// leading article. What has neither letters nor digits stays as it is.
#[must_use]
pub fn normalise(name: &str) -> String {
    let words = words(name);
    match words.as_slice() {
        [] => name.trim().to_owned(),
        [article, rest @ ..] if article == "the" && !rest.is_empty() => rest.join(" "),
        words => words.join(" "),
    }
}

/// The folded words of a text: lower case, no accents, one spelling for words that have several.
pub(crate) fn words(text: &str) -> Vec<String> {
    let text = without_scheme(text);
    // Most names are ASCII, and of those nothing decomposes.
    if text.is_ascii() {
        return words_of(text.chars());
    }
    words_of(text.nfkd().filter(|char| !is_combining_mark(*char)))
}

/// An address without what addresses begin with: `https://www.example.org`.
fn without_scheme(text: &str) -> &str {
    let text = text.trim_start();
    let begins = |text: &str, with: &str| {
        let beginning = text.get(..with.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(with))
    };
    let mut rest = text;
    for beginning in ["https://", "http://", "www."] {
        if begins(rest, beginning) && rest.len() > beginning.len() {
            rest = &rest[beginning.len()..];
        }
    }
    rest
}

fn words_of(text: impl Iterator<Item = char>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut text = text.peekable();
    while let Some(char) = text.next() {
        if char.is_ascii_alphanumeric() {
            word.push(char.to_ascii_lowercase());
        } else if char.is_alphanumeric() {
            fold_into(&mut word, char);
        } else if let Some(said) = ends_with_sign(&word, &words, char, text.peek()) {
            push(&mut words, &mut word);
            words.push(said.to_owned());
        } else if char == '&' || char == '+' {
            push(&mut words, &mut word);
            words.push("and".to_owned());
        } else if !matches!(char, '\'' | '’' | '‘' | '`' | '.' | '·') {
            push(&mut words, &mut word);
        } else if char == '.' && (is_long(&word) || is_between_digits(&word, text.peek())) {
            // `St.Brannock` and `2.7` are two words, `U.S.A.` is one.
            push(&mut words, &mut word);
        }
    }
    push(&mut words, &mut word);
    words
}

fn is_long(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(char::is_alphabetic)
        && chars.next().is_some_and(char::is_alphabetic)
        && lexicon::spelling(word) != word
}

/// A sign at the end of a word that makes another name of it: `C#`, `C++`, `S9+`.
fn ends_with_sign(
    word: &str,
    before: &[String],
    char: char,
    next: Option<&char>,
) -> Option<&'static str> {
    let follows = !word.is_empty() || before.last().is_some_and(|word| word == "plus");
    let ends = next.is_none_or(|next| !next.is_alphanumeric() && *next != '&');
    match char {
        '+' if follows && ends => Some("plus"),
        '#' if !word.is_empty() && ends => Some("sharp"),
        _ => None,
    }
}

fn is_between_digits(word: &str, next: Option<&char>) -> bool {
    let before = word.ends_with(|last: char| last.is_ascii_digit());
    before && next.is_some_and(char::is_ascii_digit)
}

fn push(words: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        words.push(lexicon::spelling(word).to_owned());
        word.clear();
    }
}

/// Lower case, and letters that no decomposition takes to ASCII as they are transliterated.
fn fold_into(word: &mut String, char: char) {
    for lower in char.to_lowercase() {
        let folded = match lower {
            'ß' => "ss",
            'æ' => "ae",
            'œ' => "oe",
            'ø' => "o",
            'đ' | 'ð' => "d",
            'ł' => "l",
            'þ' => "th",
            'ı' => "i",
            'ς' => "σ",
            other => {
                // A lower case letter may decompose again: `İ` becomes `i` and a dot.
                if !is_combining_mark(other) {
                    word.push(other);
                }
                continue;
            }
        };
        let _ = word.write_str(folded);
    }
}

/// `Brandt, Elias` with the given name first; anything else as it is.
pub(super) fn given_name_first(text: &str) -> String {
    let Some((last, first)) = text.split_once(',') else {
        return text.to_owned();
    };
    let given = words(first);
    let suffix = given
        .iter()
        .all(|word| lexicon::is_suffix(word) || lexicon::is_distinguishing(word));
    let birth = given.first().is_some_and(|word| lexicon::is_birth(word));
    let fits = |words: usize| (1..=3).contains(&words);
    if suffix || birth || !fits(given.len()) || !fits(words(last).len()) || first.contains(',') {
        return text.to_owned();
    }
    format!("{first} {last}")
}

/// `London, City of` with its head first; anything else as it is.
pub(super) fn head_first(text: &str) -> Cow<'_, str> {
    let Some((tail, head)) = text.split_once(',') else {
        return text.into();
    };
    let head = head.trim();
    let inverted = head.ends_with(" of") || head.ends_with(" Of") || head.ends_with(" OF");
    if !inverted || head.contains(',') {
        return text.into();
    }
    format!("{head} {tail}").into()
}

/// Initials that were written together apart: `J.R.R. Tolkien` is `J. R. R. Tolkien`.
pub(super) fn spaced_initials(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len() + 4);
    let mut letters = 0;
    for char in text.chars() {
        spaced.push(char);
        if char == '.' && letters == 1 {
            spaced.push(' ');
        }
        letters = if char.is_alphabetic() { letters + 1 } else { 0 };
    }
    spaced
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_differ_in_dress_only_meet() {
        for (left, right) in [
            ("Elias Brandt", "ELIAS  BRANDT"),
            ("the Selby Breakwater", "Selby Breakwater"),
            ("Café Müller", "Cafe Muller"),
            ("St. Brannock's", "Saint Brannocks"),
            ("Jean-Luc Picard", "Jean Luc Picard"),
            ("Harrow & Finch", "Harrow and Finch"),
            ("Łódź", "Lodz"),
            ("U.S.A.", "USA"),
            ("ＩＢＭ", "ibm"),
        ] {
            assert_eq!(normalise(left), normalise(right));
        }
    }

    #[test]
    fn names_without_letters_keep_themselves_apart() {
        assert_ne!(normalise("★"), normalise("☆"));
    }

    #[test]
    fn a_number_keeps_names_apart() {
        assert_ne!(normalise("Boeing 737"), normalise("Boeing 747"));
    }

    proptest! {
        #[test]
        fn any_name_is_normalised_without_panic_and_for_good(name in "\\PC{0,40}") {
            let once = normalise(&name);
            if !once.is_empty() && !once.starts_with("the ") && !words(&name).is_empty() {
                prop_assert_eq!(normalise(&once), once);
            }
        }
    }
}
