//! Where sentences end, in any script, in one pass.
//!
//! A full stop ends a sentence unless it belongs to an abbreviation, an initial or a number; the
//! terminators of other scripts always end one. A line that is too short to have been wrapped is a
//! heading or an item and ends one, too. White space between sentences belongs to none.

use std::{collections::HashSet, sync::LazyLock};

/// A sentence by bytes and by characters of the text, end-exclusive, without outer white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sentence {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) start_char: u32,
    pub(crate) end_char: u32,
}

/// A line of fewer characters was not broken because it was full.
const SHORT_LINE: u32 = 60;

/// What follows a line is looked for up to so many characters.
const LOOK_AHEAD: usize = 80;

/// Words whose full stop does not end a sentence, whatever follows.
static ABBREVIATIONS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    "mr mrs ms mx dr prof st ste mt ft gen col lt sgt capt cmdr adm maj brig rev hon pres gov sen \
     rep vs vol vols fig figs pp pg ch sec approx ca cf eg ie viz al bros jan feb mar \
     apr jun jul aug sep sept oct nov dec mme mlle hr fr nr bzw str dept univ assn ave blvd rd \
     messrs esq op cit ed eds trans est b d c r fl km mi"
        .split_whitespace()
        .collect()
});

/// Words whose full stop ends a sentence only when a typical opening word follows.
static CLOSING_ABBREVIATIONS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    "inc ltd co corp llc plc jr sr bc ad etc ph phd am pm gmbh sa ag nv bv cie"
        .split_whitespace()
        .collect()
});

/// Words that open a sentence often and a name seldom.
static OPENERS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    "The A An In On At He She It They We I You His Her Its Their Our This That These Those There \
     After Before During Since While When As By For From With Although However But And Or So \
     According Today Later Then Also Other Some Many Most All Both Each Under Over Until Upon To \
     Another Because If Its One Two Three"
        .split_whitespace()
        .collect()
});

/// Whether the character is white space, or takes no part in text: controls.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace() || (c.is_control() && c != '\u{ad}')
}

fn is_closer(c: char) -> bool {
    matches!(
        c,
        '"' | '\''
            | ')'
            | ']'
            | '}'
            | '”'
            | '’'
            | '»'
            | '›'
            | '」'
            | '』'
            | '）'
            | '】'
            | '〉'
            | '》'
    )
}

/// Terminators after which a sentence ends without white space.
fn is_wide_terminator(c: char) -> bool {
    matches!(
        c,
        '。' | '！' | '？' | '｡' | '।' | '॥' | '።' | '။' | '۔' | '។'
    )
}

fn is_terminator(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '؟' | '‽')
}

/// The sentences of a text, in order, covering every character that is not blank.
pub(crate) fn sentences(text: &str) -> Vec<Sentence> {
    let mut scan = Scan {
        text,
        found: Vec::new(),
        open: None,
        last: (0, 0),
    };
    scan.run();
    scan.found
}

struct Scan<'a> {
    text: &'a str,
    found: Vec<Sentence>,
    /// Byte and character at which the current sentence started.
    open: Option<(usize, u32)>,
    /// Byte and character after the last character that is not blank.
    last: (usize, u32),
}

impl Scan<'_> {
    fn run(&mut self) {
        let mut position = 0_u32;
        let (mut newlines, mut line) = (0_u32, 0_u32);
        // Set after a terminator: the sentence may end here once closers are passed.
        let mut ending: Option<(usize, char)> = None;
        for (byte, c) in self.text.char_indices() {
            let here = position;
            position = position.saturating_add(1);
            if is_blank(c) {
                newlines += u32::from(c == '\n');
                let short = c == '\n' && self.is_short_line(here - line, byte);
                if newlines > 1 || short || self.ends_before(&mut ending, byte + c.len_utf8()) {
                    self.close();
                }
                if c == '\n' {
                    line = position;
                }
                continue;
            }
            newlines = 0;
            if ending.is_some_and(|(_, t)| is_wide_terminator(t))
                && !is_closer(c)
                && !is_wide_terminator(c)
            {
                self.close();
            }
            if !is_closer(c) {
                ending = (is_terminator(c) || is_wide_terminator(c)).then_some((byte, c));
            }
            self.open.get_or_insert((byte, here));
            self.last = (byte + c.len_utf8(), here + 1);
        }
        self.close();
    }

    /// Whether the line of `length` characters that ends at `byte` is complete: short, and followed
    /// by one that starts like a sentence or an item.
    fn is_short_line(&self, length: u32, byte: usize) -> bool {
        let before = self.text[..byte].trim_end_matches(is_blank_near);
        let goes_on = before.ends_with([',', '-', '&', '–']);
        let next = self.text[byte..]
            .chars()
            .take(LOOK_AHEAD)
            .find(|c| !is_blank(*c));
        length < SHORT_LINE && !goes_on && !next.is_some_and(char::is_lowercase)
    }

    /// Whether the terminator that was just passed ends the sentence, given where white space ends.
    fn ends_before(&self, ending: &mut Option<(usize, char)>, next: usize) -> bool {
        let Some((byte, terminator)) = ending.take() else {
            return false;
        };
        if terminator != '.' {
            return true;
        }
        let word = last_word(&self.text[..byte]);
        let rest = self.text[next..].trim_start_matches(is_blank_near);
        rest.is_empty() || full_stop_ends(word, first_word(rest))
    }

    fn close(&mut self) {
        if let Some((start, start_char)) = self.open.take() {
            self.found.push(Sentence {
                start,
                end: self.last.0,
                start_char,
                end_char: self.last.1,
            });
        }
    }
}

fn is_blank_near(c: char) -> bool {
    c == ' ' || c == '\u{a0}'
}

/// The word before a full stop, at most 16 characters of it.
fn last_word(before: &str) -> &str {
    let start = before
        .char_indices()
        .rev()
        .take(16)
        .take_while(|(_, c)| c.is_alphanumeric() || *c == '.')
        .last()
        .map_or(before.len(), |(byte, _)| byte);
    &before[start..]
}

/// The word that follows, at most 16 characters of it, without opening quotes.
fn first_word(rest: &str) -> &str {
    let end = rest
        .char_indices()
        .take(16)
        .find(|(_, c)| !c.is_alphanumeric())
        .map_or_else(
            || rest.char_indices().nth(16).map_or(rest.len(), |(b, _)| b),
            |(b, _)| b,
        );
    &rest[..end]
}

fn full_stop_ends(word: &str, next: &str) -> bool {
    if next.chars().next().is_some_and(char::is_lowercase) {
        return false;
    }
    let opens = OPENERS.contains(next);
    let mut chars = word.chars();
    if let (Some(initial), None) = (chars.next(), chars.next()) {
        return !initial.is_uppercase() || opens;
    }
    let lower = word.to_lowercase();
    if matches!(lower.as_str(), "no" | "nos" | "art") {
        return !next.chars().next().is_some_and(char::is_numeric);
    }
    if lower.contains('.') || CLOSING_ABBREVIATIONS.contains(lower.as_str()) {
        return opens;
    }
    !(ABBREVIATIONS.contains(lower.as_str()) && word.chars().any(char::is_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let found: Vec<&str> = sentences(text)
            .iter()
            .map(|sentence| &text[sentence.start..sentence.end])
            .collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn full_stops() {
        check("One. Two.", &["One.", "Two."]);
        check("Mr. Smith met E. Marlow.", &["Mr. Smith met E. Marlow."]);
        check("It cost 3.5 m. He paid.", &["It cost 3.5 m.", "He paid."]);
        check(
            "Acme Inc. bought it. It is in the U.S. The firm grew.",
            &[
                "Acme Inc. bought it.",
                "It is in the U.S.",
                "The firm grew.",
            ],
        );
        check("at 5 p.m. on Monday", &["at 5 p.m. on Monday"]);
        check(
            "He said \"No.\" She left!",
            &["He said \"No.\"", "She left!"],
        );
    }

    #[test]
    fn other_scripts() {
        check("東京です。大阪です。", &["東京です。", "大阪です。"]);
        check("ما هذا؟ هذا كتاب.", &["ما هذا؟", "هذا كتاب."]);
        check("यह है। वह है।", &["यह है।", "वह है।"]);
        check("「はい。」と言った。", &["「はい。」", "と言った。"]);
    }

    #[test]
    fn paragraphs_and_blanks() {
        check("A title\n\nSome text", &["A title", "Some text"]);
        check("wrapped\nline", &["wrapped\nline"]);
        check(" \n\t\u{0} ", &[]);
    }
}
