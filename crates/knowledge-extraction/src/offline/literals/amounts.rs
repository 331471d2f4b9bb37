//! Numbers with and without units, money, durations.

use super::{Literal, Scan};
use crate::offline::{
    kind::Kind,
    lexicon::{WordClass, one_of},
    token::{Shape, Token},
};

pub(super) const CURRENCY: &[&str] = &["$", "£", "€", "¥", "₹", "₽", "₩", "₤"];
pub(super) const CURRENCY_PREFIX: &[&str] = &[
    "US", "USD", "EUR", "GBP", "A", "C", "HK", "NZ", "CHF", "Rs", "DM",
];
/// Words before a number that make it a label.
const LABELS: &[&str] = &[
    "number",
    "no",
    "nr",
    "chapter",
    "volume",
    "vol",
    "page",
    "route",
    "highway",
    "interstate",
    "channel",
    "figure",
    "table",
    "section",
    "article",
    "part",
    "level",
    "phase",
    "grade",
    "class",
    "type",
    "version",
    "season",
    "episode",
    "district",
    "flight",
    "unit",
    "room",
    "platform",
];

impl Scan<'_> {
    /// `a week`, `one mile`, `one million`.
    pub(super) fn single_unit(&self) -> Option<Literal> {
        let hyphen = usize::from(
            self.get(1)
                .is_some_and(|next| next.is_dash() && !next.spaced),
        );
        let unit = self.get(1 + hyphen)?;
        let article = matches!(self.get(0)?.text, "a" | "an");
        let plain = matches!(
            unit.text,
            "mile" | "kilometer" | "kilometre" | "meter" | "metre" | "acre"
        );
        if plain {
            return Some(self.found(0, 1 + hyphen, Kind::Quantity));
        }
        if article {
            return matches!(unit.text, "week" | "decade" | "century")
                .then(|| self.date(0, 1))
                .filter(|_| {
                    hyphen == 0
                        && self.back(1).is_some_and(|b| {
                            matches!(
                                b.text,
                                "for" | "than" | "about" | "over" | "within" | "in" | "after"
                            )
                        })
                });
        }
        if unit.is(WordClass::TIME_UNIT) && unit.shape == Shape::Lower && unit.text != "day" {
            return Some(self.date(0, 1 + hyphen));
        }
        unit.is(WordClass::MAGNITUDE)
            .then(|| self.found(0, self.unit(1 + hyphen).0, Kind::Quantity))
    }

    /// `5km`, `31st`, `2nd`: units count, ordinals do not.
    pub(super) fn suffixed(&self) -> Option<Literal> {
        let token = self.get(0)?;
        let suffix = token.text.trim_start_matches(|c: char| !c.is_alphabetic());
        let known = one_of(
            suffix,
            "km m cm mm kg g ft mph MW kW GB MB Hz GHz MHz bn k ha",
        );
        known.then(|| self.found(0, 0, Kind::Quantity))
    }

    /// The end of a number with what follows at `ahead`: magnitude and unit; the kind where a unit
    /// decided it.
    pub(super) fn unit(&self, ahead: usize) -> (usize, Option<Kind>) {
        let mut last = ahead;
        let mut kind = None;
        while self
            .get(last + 1)
            .is_some_and(|next| next.shape == Shape::Lower && next.is(WordClass::MAGNITUDE))
        {
            last += 1;
            kind = Some(Kind::Quantity);
        }
        let Some(next) = self.get(last + 1) else {
            return (last, kind);
        };
        if next.sign("%") {
            return (last + 1, Some(Kind::Quantity));
        }
        if next.is_dash() && !next.spaced {
            return self.hyphenated(last, kind);
        }
        if next.is(WordClass::TIME_UNIT) && next.shape == Shape::Lower && next.text != "second" {
            return (last + 1, Some(Kind::Date));
        }
        if next.is(WordClass::UNIT) && next.spaced && self.unit_fits(last + 1) {
            return (last + 1, Some(Kind::Quantity));
        }
        let qualified = matches!(
            next.text,
            "square" | "cubic" | "nautical" | "air" | "metric" | "US" | "U.S."
        );
        if qualified
            && self
                .get(last + 2)
                .is_some_and(|unit| unit.is(WordClass::UNIT))
        {
            return (last + 2, Some(Kind::Quantity));
        }
        (last, kind)
    }

    /// Whether a word that can be a unit is one: short symbols are, unless a name goes on.
    fn unit_fits(&self, ahead: usize) -> bool {
        let Some(unit) = self.get(ahead) else {
            return false;
        };
        unit.shape == Shape::Lower || !self.get(ahead + 1).is_some_and(Token::is_capital)
    }

    /// `36-meter`, `two-year`, `17-volume`.
    fn hyphenated(&self, last: usize, kind: Option<Kind>) -> (usize, Option<Kind>) {
        match self.get(last + 2) {
            Some(word) if word.shape == Shape::Lower && !word.spaced => {
                if word.is(WordClass::TIME_UNIT) {
                    let old = self.get(last + 3).is_some_and(Token::is_dash)
                        && self.get(last + 4).is_some_and(|token| token.text == "old");
                    return (last + 2 + 2 * usize::from(old), Some(Kind::Date));
                }
                if self.get(last).is_some_and(Token::is_word)
                    && !word.is(WordClass::UNIT)
                    && !matches!(word.text, "tone" | "part" | "fold")
                {
                    return (last, Some(Kind::Quantity));
                }
                (last + 2, Some(Kind::Quantity))
            }
            _ => (last, kind),
        }
    }

    pub(super) fn amount(&self, sign: usize) -> Option<Literal> {
        let number = self.get(sign + 1)?;
        if number.shape != Shape::Number {
            return None;
        }
        let (mut last, _) = self.unit(sign + 1);
        let short = self
            .get(last + 1)
            .is_some_and(|next| next.spaced && matches!(next.text, "m" | "bn" | "k" | "M" | "B"));
        last += usize::from(short);
        Some(self.found(0, last, Kind::Quantity))
    }

    /// Values that start with a spelled number.
    pub(super) fn spelled(&self) -> Option<Literal> {
        if self
            .back(1)
            .is_some_and(|before| matches!(before.text, "number" | "top" | "Number" | "Top"))
        {
            return None;
        }
        let mut last = 0;
        loop {
            let dash = usize::from(
                self.get(last + 1)
                    .is_some_and(|next| next.is_dash() && !next.spaced),
            );
            let next = self.get(last + 1 + dash);
            let goes_on = next.is_some_and(|next| {
                next.is(WordClass::NUMBER.and(WordClass::MAGNITUDE))
                    || (dash == 1
                        && matches!(
                            next.text,
                            "one"
                                | "thirds"
                                | "quarters"
                                | "fifths"
                                | "fourths"
                                | "half"
                                | "and"
                                | "a"
                        ))
                    || (dash == 0
                        && matches!(next.text, "thirds" | "quarters" | "fifths" | "fourths"))
            });
            if !goes_on || last > 12 {
                break;
            }
            last += 1 + dash;
        }
        let (end, kind) = self.unit(last);
        let kind = kind.unwrap_or(Kind::Quantity);
        let named = self.get(0)?.is_capital() && !self.get(0)?.opens
            || self.get(end + 1).is_some_and(|next| {
                next.is_capital() && self.get(0).is_some_and(Token::is_capital)
            });
        (!named).then(|| self.found(0, end, kind))
    }

    /// Whether digits alone are worth a mention: labels, scores and references are not.
    pub(super) fn bare_number(&self) -> bool {
        let labelled = self.back(1).is_some_and(|before| {
            LABELS.contains(&before.text.to_lowercase().as_str())
                || one_of(before.text, "# / : . [ § № ’ '")
                || (before.is_dash() && !self.tokens[self.at].spaced)
                || (before.is_capital() && !before.opens && !before.is(WordClass::FUNCTION))
        });
        let goes_on = self.get(1).is_some_and(|next| {
            !next.spaced && (next.is_dash() || matches!(next.text, "/" | ":" | "]" | "°"))
        });
        !labelled && !goes_on
    }
}
