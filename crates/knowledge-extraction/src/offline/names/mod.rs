//! Where names start and end: runs of capitalised words with what joins them.
//!
//! [`steps`] extends a name to the right, [`trims`] takes off what does not belong to it.

mod steps;
mod trims;

use std::collections::{HashMap, HashSet};

use super::{
    lexicon::{WordClass, one_of},
    literals::Literal,
    token::{Shape, Token},
};

/// A run of tokens that is a name; `last` is inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: usize,
    pub(super) last: usize,
}

/// What the rules look at: the tokens, the values among them and how words are written elsewhere.
pub(super) struct Scene<'a> {
    pub(super) tokens: &'a [Token<'a>],
    /// For each token, whether it belongs to a value.
    valued: Vec<bool>,
    /// Words that are capitalised where that means something.
    capitalised: HashSet<&'a str>,
    /// Words that are written in lower case.
    lower: HashSet<&'a str>,
    /// Words that stand beside another capitalised word somewhere.
    joined: HashSet<&'a str>,
    /// How often two capitalised words are joined by `and`.
    pairs: HashMap<(&'a str, &'a str), u32>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(tokens: &'a [Token<'a>], literals: &[Literal]) -> Self {
        let mut valued = vec![false; tokens.len()];
        for literal in literals {
            valued[literal.first..=literal.last].fill(true);
        }
        let mut scene = Self {
            tokens,
            valued,
            capitalised: HashSet::new(),
            lower: HashSet::new(),
            joined: HashSet::new(),
            pairs: HashMap::new(),
        };
        scene.survey();
        scene
    }

    fn survey(&mut self) {
        for (at, token) in self.tokens.iter().enumerate() {
            let next = self
                .tokens
                .get(at + 1)
                .filter(|next| next.sentence == token.sentence);
            if token.shape == Shape::Lower {
                self.lower.insert(token.text);
            } else if token.is_capital() {
                self.survey_capital(at, next);
            }
            let after = self.tokens.get(at + 2);
            if let (Some(and), Some(right)) = (next, after.filter(|right| right.is_capital()))
                && token.is_capital()
                && matches!(and.text, "and" | "&")
            {
                let sure = 1 + u32::from(and.text == "&");
                *self.pairs.entry((token.text, right.text)).or_default() += sure;
            }
        }
    }

    fn survey_capital(&mut self, at: usize, next: Option<&'a Token<'a>>) {
        let token = &self.tokens[at];
        let neighbour = next.filter(|next| next.spaced && next.is_capital());
        if !token.opens && !self.after_opening(at) {
            self.capitalised.insert(token.text);
        }
        let Some(next) = neighbour.filter(|_| !token.is(WordClass::FUNCTION)) else {
            return;
        };
        self.joined.insert(token.text);
        self.joined.insert(next.text);
        if token.opens && !token.is(WordClass::COMMON) {
            self.capitalised.insert(next.text);
            self.capitalised.insert(token.text);
        }
    }

    /// Whether a quote, bracket or colon before the token makes its capital meaningless.
    fn after_opening(&self, at: usize) -> bool {
        at.checked_sub(1).is_some_and(|before| {
            matches!(
                self.tokens[before].text,
                "\"" | "“" | "‘" | ":" | "«" | "„" | "•" | "*"
            )
        })
    }

    fn get(&self, at: usize, of: usize) -> Option<&'a Token<'a>> {
        let token = self.tokens.get(at)?;
        (token.sentence == self.tokens[of].sentence).then_some(token)
    }

    /// Whether the token can be a part of a name.
    fn nameable(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        token.is_capital() && !self.valued[at] && token.char_count() <= 40
    }

    /// The names, in order, disjoint; `quoted` are tokens of titles in quotes, left out.
    pub(super) fn names(&self, quoted: &[bool]) -> Vec<Span> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            if quoted[at] {
                at += 1;
                continue;
            }
            match self.name(at) {
                Some(span) => {
                    at = span.last + 1;
                    self.split(span, &mut found);
                }
                None => at += 1,
            }
        }
        found
    }

    fn name(&self, at: usize) -> Option<Span> {
        let token = &self.tokens[at];
        let start = self.starts(at)?;
        let last = self.extend(start, at.max(start));
        let mut span = Span { first: start, last };
        if token.opens || self.after_opening(at) {
            span.first = self.without_opener(span)?;
        }
        Some(span)
    }

    /// The first token of the name that starts at `at`, if one does.
    fn starts(&self, at: usize) -> Option<usize> {
        let token = &self.tokens[at];
        if token.shape == Shape::Lower {
            let particle = matches!(
                token.text,
                "van" | "von" | "al" | "el" | "ibn" | "bin" | "af"
            );
            let next = self.get(at + 1, at)?;
            let dashed = next.is_dash() && !next.spaced && matches!(token.text, "al" | "el");
            let follows = self.get(at + 1 + usize::from(dashed), at)?;
            let capital = follows.is_capital()
                && (dashed || matches!(token.text, "van" | "von" | "ibn" | "bin"));
            return (particle && capital && !self.valued[at + 1]).then_some(at);
        }
        if !self.nameable(at) {
            return None;
        }
        if token.is(WordClass::FUNCTION) && !self.is_acronym(at) {
            let article = !one_of(token.text, "I He She It They We You His Her This These");
            let next = self.get(at + 1, at);
            let title = article
                && !token.opens
                && next.is_some_and(|next| next.is_capital() && next.spaced)
                && !self.after_opening(at);
            return title.then_some(at);
        }
        Some(at)
    }

    /// Whether a function word is written as an acronym: `US`, `IT`, `WHO`.
    fn is_acronym(&self, at: usize) -> bool {
        self.tokens[at].shape == Shape::Capitals
    }

    /// The tokens in lower case with single spaces.
    pub(super) fn phrase(&self, first: usize, last: usize) -> String {
        let mut phrase = String::new();
        for token in &self.tokens[first..=last] {
            if token.spaced && !phrase.is_empty() {
                phrase.push(' ');
            }
            phrase.extend(token.text.chars().flat_map(char::to_lowercase));
        }
        phrase
    }
}
