//! Dates, durations, numbers and amounts.

mod amounts;
mod dates;

use amounts::{CURRENCY, CURRENCY_PREFIX};
use dates::{day, ordinal, year};

use super::{
    kind::Kind,
    lexicon::WordClass,
    token::{Shape, Token},
};

/// A run of tokens that is a value; `last` is inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) kind: Kind,
}

/// The values among the tokens, in order, disjoint.
pub(super) fn literals(tokens: &[Token<'_>]) -> Vec<Literal> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let scan = Scan { tokens, at };
        match scan.literal() {
            Some(literal) => {
                at = literal.last + 1;
                found.push(literal);
            }
            None => at += 1,
        }
    }
    found
}

struct Scan<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
}

impl Scan<'_> {
    fn literal(&self) -> Option<Literal> {
        let token = self.get(0)?;
        if token.is_word() {
            return self
                .month(0)
                .map(|last| self.date(0, last))
                .or_else(|| self.word());
        }
        if token.shape == Shape::Number {
            return self.number();
        }
        if CURRENCY.contains(&token.text) {
            return self.amount(0);
        }
        None
    }

    fn get(&self, ahead: usize) -> Option<&Token<'_>> {
        let token = self.tokens.get(self.at + ahead)?;
        (token.sentence == self.tokens[self.at].sentence).then_some(token)
    }

    fn back(&self, behind: usize) -> Option<&Token<'_>> {
        let token = self.tokens.get(self.at.checked_sub(behind)?)?;
        (token.sentence == self.tokens[self.at].sentence).then_some(token)
    }

    fn date(&self, first: usize, last: usize) -> Literal {
        self.found(first, last, Kind::Date)
    }

    fn found(&self, first: usize, last: usize, kind: Kind) -> Literal {
        Literal {
            first: self.at + first,
            last: self.at + last,
            kind,
        }
    }

    /// Values that start with a word: `two years`, `the 1990s`, `summer of 2008`.
    fn word(&self) -> Option<Literal> {
        let token = self.get(0)?;
        if token.is(WordClass::NUMBER) {
            return self.spelled();
        }
        if token.text == "the" || token.text == "The" {
            return self
                .the_period()
                .map(|last| self.date(usize::from(token.opens), last));
        }
        if ordinal(token) {
            return self.period(0).map(|last| self.date(0, last));
        }
        if matches!(token.text, "late" | "early" | "mid") && self.get(1).is_some_and(Token::is_dash)
        {
            let last = self.period(2)?;
            return Some(self.date(0, last));
        }
        if matches!(
            token.text.to_lowercase().as_str(),
            "spring" | "summer" | "autumn" | "fall" | "winter"
        ) {
            let of = usize::from(self.get(1).is_some_and(|next| next.text == "of"));
            return self
                .get(1 + of)
                .is_some_and(|next| year(next))
                .then(|| self.date(0, 1 + of));
        }
        if token.is(WordClass::WEEKDAY) && token.is_capital() {
            return Some(self.date(0, 0));
        }
        if matches!(token.text, "a" | "an" | "one" | "One" | "half") {
            return self.single_unit();
        }
        if CURRENCY_PREFIX.contains(&token.text)
            && self
                .get(1)
                .is_some_and(|next| !next.spaced && CURRENCY.contains(&next.text))
        {
            return self.amount(1);
        }
        None
    }

    /// A value that starts with digits.
    fn number(&self) -> Option<Literal> {
        let token = self.get(0)?;
        if let Some(last) = self.period(0) {
            return Some(self.date(0, last));
        }
        if day(token) {
            let of = usize::from(self.get(1).is_some_and(|next| next.text == "of"));
            if let Some(last) = self.month(1 + of) {
                return Some(self.date(0, last));
            }
            if self
                .get(1 + of)
                .is_some_and(|next| next.is(WordClass::MONTH) && next.is_capital())
            {
                return Some(self.date(0, 1 + of));
            }
        }
        if let Some(last) = self.numeric_date() {
            return Some(self.date(0, last));
        }
        if token.text.ends_with(|c: char| c.is_alphabetic()) {
            return self.suffixed();
        }
        let (last, kind) = self.unit(0);
        if let Some(kind) = kind {
            return Some(self.found(0, last, kind));
        }
        if year(token) {
            return Some(self.date(0, self.year_range()));
        }
        if self.era(0) > 0 {
            return Some(self.date(0, self.era(0)));
        }
        self.bare_number().then(|| self.found(0, 0, Kind::Quantity))
    }
}
