//! Dates, years, decades, centuries.

use super::Scan;
use crate::offline::{
    lexicon::{WordClass, one_of},
    token::{Shape, Token},
};

impl Scan<'_> {
    /// A date that starts with the month at `ahead`; the position of its last token.
    pub(super) fn month(&self, ahead: usize) -> Option<usize> {
        let month = self.get(ahead)?;
        if !(month.is(WordClass::MONTH) && month.is_capital()) {
            return None;
        }
        let mut at = ahead;
        if self
            .get(at + 1)
            .is_some_and(|token| token.sign(".") && !token.spaced)
            && month.char_count() <= 4
        {
            at += 1;
        }
        if self.get(at + 1).is_some_and(|token| day(token)) {
            let comma = usize::from(self.get(at + 2).is_some_and(|token| token.sign(",")));
            if self.get(at + 2 + comma).is_some_and(|token| year(token)) {
                return Some(at + 2 + comma);
            }
            return Some(at + 1);
        }
        let comma = usize::from(self.get(at + 1).is_some_and(|token| token.sign(",")));
        let of = usize::from(self.get(at + 1).is_some_and(|token| token.text == "of"));
        if self
            .get(at + 1 + comma + of)
            .is_some_and(|token| year(token))
        {
            return Some(at + 1 + comma + of);
        }
        (at == ahead && ahead == 0 && self.month_stands_alone(month)).then_some(ahead)
    }

    /// Whether a bare month is one, not a verb or the name of a person.
    fn month_stands_alone(&self, month: &Token<'_>) -> bool {
        let follows = self
            .get(1)
            .is_some_and(|next| next.is_capital() && next.spaced);
        if follows
            || self
                .back(1)
                .is_some_and(|before| before.is_capital() && !before.opens)
        {
            return false;
        }
        let ambiguous = one_of(
            month.text,
            "May March April June August Mar Jan Sep Dec Oct",
        );
        let placed = self.back(1).is_some_and(|before| {
            let word = before.text.to_lowercase();
            one_of(
                word.as_str(),
                "in of since until till by from to early late mid during every each last next \
 between through",
            )
        });
        placed || (!ambiguous && month.char_count() > 3)
    }

    /// A period after `the`: a decade or a century, with or without `mid-`.
    pub(super) fn the_period(&self) -> Option<usize> {
        let modified = usize::from(
            self.get(1)
                .is_some_and(|token| matches!(token.text, "mid" | "late" | "early"))
                && self.get(2).is_some_and(Token::is_dash),
        ) * 2;
        self.period(1 + modified)
    }

    /// A decade or a century at `ahead`; the position of its last token.
    pub(super) fn period(&self, ahead: usize) -> Option<usize> {
        let token = self.get(ahead)?;
        if decade(token) || (ahead >= 2 && year(token)) {
            return Some(ahead);
        }
        let ordinal = ordinal(token);
        let dash = usize::from(self.get(ahead + 1).is_some_and(Token::is_dash));
        let century = self.get(ahead + 1 + dash)?;
        if !(ordinal && matches!(century.text, "century" | "centuries" | "millennium")) {
            return None;
        }
        Some(self.era(ahead + 1 + dash))
    }

    /// The position after an era that follows `last`, else `last`.
    pub(super) fn era(&self, last: usize) -> usize {
        let era = self.get(last + 1).is_some_and(|token| {
            matches!(
                token.text,
                "BC" | "AD" | "BCE" | "CE" | "B.C." | "A.D." | "B.C.E." | "C.E."
            )
        });
        last + usize::from(era)
    }

    /// `1997-8`, `1983–84`, `2017/2018` whole; a range of two full years is two dates.
    pub(super) fn year_range(&self) -> usize {
        let joined = |ahead: usize| self.get(ahead).filter(|token| !token.spaced);
        let (Some(dash), Some(end)) = (joined(1), joined(2)) else {
            return self.era(0);
        };
        let short = end.char_count() <= 2 && end.shape == Shape::Number && digits(end.text);
        if (dash.is_dash() && short) || (dash.sign("/") && digits(end.text)) {
            return 2;
        }
        self.era(0)
    }

    /// `2012-05-03`, `3/5/2012`, `03.05.2012`.
    pub(super) fn numeric_date(&self) -> Option<usize> {
        let token = self.get(0)?;
        if token.text.len() >= 8
            && token.text.split('.').count() == 3
            && token.text.split('.').all(digits)
        {
            return Some(0);
        }
        let parts = [1, 2, 3, 4].map(|ahead| self.get(ahead).filter(|token| !token.spaced));
        let [Some(a), Some(b), Some(c), Some(d)] = parts else {
            return None;
        };
        let same = a.text == c.text && (a.is_dash() || a.sign("/"));
        let lengths = [token, b, d].map(|part| {
            if digits(part.text) {
                part.text.len()
            } else {
                0
            }
        });
        (same && matches!(lengths, [4, 2, 2] | [1 | 2, 1 | 2, 4])).then_some(4)
    }
}

pub(super) fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A day of a month: `13`, `2nd`.
pub(super) fn day(token: &Token<'_>) -> bool {
    let number = token.text.trim_end_matches(|c: char| c.is_alphabetic());
    let suffix = &token.text[number.len()..];
    token.shape == Shape::Number
        && digits(number)
        && matches!(suffix, "" | "st" | "nd" | "rd" | "th")
        && number
            .parse::<u32>()
            .is_ok_and(|day| (1..=31).contains(&day))
}

/// A year of four digits.
pub(super) fn year(token: &Token<'_>) -> bool {
    token.shape == Shape::Number
        && token.text.len() == 4
        && digits(token.text)
        && token
            .text
            .parse::<u32>()
            .is_ok_and(|year| (1001..=2100).contains(&year))
}

/// `1990s`.
fn decade(token: &Token<'_>) -> bool {
    token.text.strip_suffix('s').is_some_and(|years| {
        digits(years) && (years.len() == 4 || years.len() == 2) && years.ends_with('0')
    })
}

const SPELLED: &[&str] = &[
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
];

/// `19th`, `nineteenth`.
pub(super) fn ordinal(token: &Token<'_>) -> bool {
    if token.shape == Shape::Number {
        return matches!(
            token.text.trim_start_matches(|c: char| c.is_ascii_digit()),
            "st" | "nd" | "rd" | "th"
        );
    }
    token.is_word() && SPELLED.contains(&token.text.to_lowercase().as_str())
}
