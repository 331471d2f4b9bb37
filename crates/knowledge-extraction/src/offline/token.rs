//! Words, numbers and signs with their positions.

use unicode_normalization::char::is_combining_mark;

use super::lexicon::{WordClass, lexicon};
use crate::sentence::{is_blank, sentences};

/// What a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A word whose first letter is upper case.
    Capital,
    /// A word of upper-case letters only, at least two.
    Capitals,
    /// A word with an upper-case letter later: `iPhone`.
    Inner,
    /// Any other word.
    Lower,
    /// Starts with a digit: `1990s`, `3.5`.
    Number,
    /// A single other character.
    Sign,
}

/// A token of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    /// Bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Characters.
    pub(super) start_char: u32,
    pub(super) end_char: u32,
    pub(super) shape: Shape,
    pub(super) class: WordClass,
    /// The sentence's position.
    pub(super) sentence: u32,
    /// Whether no word or number comes before it in its sentence.
    pub(super) opens: bool,
    /// Whether white space comes before it.
    pub(super) spaced: bool,
}

impl Token<'_> {
    /// Whether it may be part of a name.
    pub(super) fn is_capital(&self) -> bool {
        matches!(self.shape, Shape::Capital | Shape::Capitals | Shape::Inner)
    }

    pub(super) fn is_word(&self) -> bool {
        self.is_capital() || self.shape == Shape::Lower
    }

    pub(super) fn is(&self, class: WordClass) -> bool {
        self.class.is(class)
    }

    /// Whether it is this sign.
    pub(super) fn sign(&self, sign: &str) -> bool {
        self.shape == Shape::Sign && self.text == sign
    }

    pub(super) fn is_dash(&self) -> bool {
        self.shape == Shape::Sign && matches!(self.text, "-" | "–" | "—" | "‐" | "‑" | "−")
    }

    pub(super) fn lower(&self) -> String {
        self.text.to_lowercase()
    }

    pub(super) fn char_count(&self) -> u32 {
        self.end_char - self.start_char
    }

    /// A single capital letter.
    pub(super) fn is_initial(&self) -> bool {
        self.is_capital() && self.char_count() == 1
    }
}

/// The tokens of a text, in order. Linear in the text.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::with_capacity(text.len() / 5);
    let mut lower = String::new();
    for (sentence, position) in sentences(text).iter().zip(0_u32..) {
        let mut scan = Scan {
            text: &text[..sentence.end],
            byte: sentence.start,
            char: sentence.start_char,
        };
        let mut opens = true;
        let mut spaced = true;
        while let Some(c) = scan.peek() {
            if is_blank(c) {
                scan.advance(c);
                spaced = true;
                continue;
            }
            let mut token = scan.token(c);
            token.sentence = position;
            token.opens = opens;
            token.spaced = spaced;
            if token.shape != Shape::Sign {
                opens = false;
                token.class = class(token.text, &mut lower);
            }
            spaced = false;
            found.push(token);
        }
    }
    found
}

fn class(text: &str, lower: &mut String) -> WordClass {
    if text.len() > 40 {
        return WordClass::default();
    }
    lower.clear();
    if text.is_ascii() {
        lower.push_str(text);
        lower.make_ascii_lowercase();
    } else {
        lower.extend(text.chars().flat_map(char::to_lowercase));
    }
    lexicon().class(lower)
}

struct Scan<'a> {
    text: &'a str,
    byte: usize,
    char: u32,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<char> {
        self.text[self.byte..].chars().next()
    }

    fn advance(&mut self, c: char) {
        self.byte += c.len_utf8();
        self.char += 1;
    }

    fn token(&mut self, first: char) -> Token<'a> {
        let (start, start_char) = (self.byte, self.char);
        self.advance(first);
        let shape = if first.is_numeric() {
            self.number();
            Shape::Number
        } else if first.is_alphabetic() {
            self.word();
            shape_of(&self.text[start..self.byte])
        } else {
            Shape::Sign
        };
        Token {
            text: &self.text[start..self.byte],
            start,
            end: self.byte,
            start_char,
            end_char: self.char,
            shape,
            class: WordClass::default(),
            sentence: 0,
            opens: false,
            spaced: false,
        }
    }

    /// Digits with separators between them, then letters.
    fn number(&mut self) {
        while let Some(c) = self.peek() {
            let separates = matches!(c, '.' | ',') && self.after(c).is_some_and(char::is_numeric);
            if !(c.is_alphanumeric() || separates || is_combining_mark(c)) {
                break;
            }
            self.advance(c);
        }
    }

    /// Letters and digits with apostrophes between them, or letters with full stops: `U.S.`.
    fn word(&mut self) {
        if self.dotted() {
            return;
        }
        while let Some(c) = self.peek() {
            let inside = c.is_alphanumeric()
                || is_combining_mark(c)
                || matches!(c, '\u{200c}' | '\u{200d}' | '\u{ad}')
                || (matches!(c, '\'' | '’') && self.joins(c));
            if !inside {
                break;
            }
            self.advance(c);
        }
    }

    /// Takes `X.Y.` and longer whole.
    fn dotted(&mut self) -> bool {
        let mut rest = self.text[self.byte..].chars();
        let (mut letters, mut pairs) = (0_usize, 0_usize);
        loop {
            let mut ahead = rest.clone();
            if ahead.next() != Some('.') {
                break;
            }
            pairs += 1;
            rest = ahead.clone();
            let (letter, then) = (ahead.next(), ahead.next());
            if !(letter.is_some_and(char::is_alphabetic) && then == Some('.')) || pairs > 12 {
                break;
            }
            letters += 1;
            ahead = rest.clone();
            ahead.next();
            rest = ahead;
        }
        if letters == 0 {
            return false;
        }
        for _ in 0..pairs + letters {
            if let Some(c) = self.peek() {
                self.advance(c);
            }
        }
        true
    }

    /// Whether an apostrophe joins letters; the possessive ending does not belong to the word.
    fn joins(&self, apostrophe: char) -> bool {
        let mut rest = self.text[self.byte + apostrophe.len_utf8()..].chars();
        let (next, then) = (rest.next(), rest.next());
        let possessive =
            matches!(next, Some('s' | 'S')) && !then.is_some_and(char::is_alphanumeric);
        next.is_some_and(char::is_alphabetic) && !possessive
    }

    fn after(&self, c: char) -> Option<char> {
        self.text[self.byte + c.len_utf8()..].chars().next()
    }
}

fn shape_of(word: &str) -> Shape {
    let mut chars = word.chars();
    let capital = chars.next().is_some_and(char::is_uppercase);
    let (mut upper, mut lower) = (0, 0);
    for c in chars {
        upper += usize::from(c.is_uppercase());
        lower += usize::from(c.is_lowercase());
    }
    match (capital, upper, lower) {
        (true, 1.., 0) => Shape::Capitals,
        (true, ..) => Shape::Capital,
        (false, 1.., _) => Shape::Inner,
        _ => Shape::Lower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let found: Vec<&str> = tokens(text).iter().map(|token| token.text).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn words_and_numbers() {
        check(
            "O'Brien's U.S. debut",
            &["O'Brien", "'", "s", "U.S.", "debut"],
        );
        check(
            "in the 1990s, £1,200.50.",
            &["in", "the", "1990s", ",", "£", "1,200.50", "."],
        );
        check("E. Brandt", &["E", ".", "Brandt"]);
        check("J.R.R. Tolkien", &["J.R.R.", "Tolkien"]);
        check("Møn–Rügen", &["Møn", "–", "Rügen"]);
        check("e\u{301}t U.S", &["e\u{301}t", "U", ".", "S"]);
    }

    #[test]
    fn positions_are_characters() {
        for token in tokens("Ünal — 東京 ist schön. 😀 İ") {
            assert!(token.char_count() as usize == token.text.chars().count());
        }
    }
}
