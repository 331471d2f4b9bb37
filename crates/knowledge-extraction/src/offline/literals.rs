//! Dates, durations, numbers and amounts.

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

const CURRENCY: &[&str] = &["$", "£", "€", "¥", "₹", "₽", "₩", "₤"];
const CURRENCY_PREFIX: &[&str] = &[
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

    /// A date that starts with the month at `ahead`; the position of its last token.
    fn month(&self, ahead: usize) -> Option<usize> {
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
        let ambiguous = matches!(
            month.text,
            "May" | "March" | "April" | "June" | "August" | "Mar" | "Jan" | "Sep" | "Dec" | "Oct"
        );
        let placed = self.back(1).is_some_and(|before| {
            let word = before.text.to_lowercase();
            matches!(
                word.as_str(),
                "in" | "of"
                    | "since"
                    | "until"
                    | "till"
                    | "by"
                    | "from"
                    | "to"
                    | "early"
                    | "late"
                    | "mid"
                    | "during"
                    | "every"
                    | "each"
                    | "last"
                    | "next"
                    | "between"
                    | "through"
            )
        });
        placed || (!ambiguous && month.char_count() > 3)
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

    /// `a week`, `one mile`, `one million`.
    fn single_unit(&self) -> Option<Literal> {
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

    /// A period after `the`: a decade or a century, with or without `mid-`.
    fn the_period(&self) -> Option<usize> {
        let modified = usize::from(
            self.get(1)
                .is_some_and(|token| matches!(token.text, "mid" | "late" | "early"))
                && self.get(2).is_some_and(Token::is_dash),
        ) * 2;
        self.period(1 + modified)
    }

    /// A decade or a century at `ahead`; the position of its last token.
    fn period(&self, ahead: usize) -> Option<usize> {
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
    fn era(&self, last: usize) -> usize {
        let era = self.get(last + 1).is_some_and(|token| {
            matches!(
                token.text,
                "BC" | "AD" | "BCE" | "CE" | "B.C." | "A.D." | "B.C.E." | "C.E."
            )
        });
        last + usize::from(era)
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
        self.bare_number().then(|| self.found(0, 0, Kind::Quantity))
    }

    /// `1997-8`, `1983–84`, `2017/2018` whole; a range of two full years is two dates.
    fn year_range(&self) -> usize {
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
    fn numeric_date(&self) -> Option<usize> {
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

    /// `5km`, `31st`, `2nd`: units count, ordinals do not.
    fn suffixed(&self) -> Option<Literal> {
        let token = self.get(0)?;
        let suffix = token.text.trim_start_matches(|c: char| !c.is_alphabetic());
        let known = matches!(
            suffix,
            "km" | "m"
                | "cm"
                | "mm"
                | "kg"
                | "g"
                | "ft"
                | "mph"
                | "MW"
                | "kW"
                | "GB"
                | "MB"
                | "Hz"
                | "GHz"
                | "MHz"
                | "bn"
                | "k"
                | "ha"
        );
        known.then(|| self.found(0, 0, Kind::Quantity))
    }

    /// The end of a number with what follows at `ahead`: magnitude and unit; the kind where a unit
    /// decided it.
    fn unit(&self, ahead: usize) -> (usize, Option<Kind>) {
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

    fn amount(&self, sign: usize) -> Option<Literal> {
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
    fn spelled(&self) -> Option<Literal> {
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
    fn bare_number(&self) -> bool {
        let labelled = self.back(1).is_some_and(|before| {
            LABELS.contains(&before.text.to_lowercase().as_str())
                || matches!(
                    before.text,
                    "#" | "/" | ":" | "." | "[" | "§" | "№" | "’" | "'"
                )
                || (before.is_dash() && !self.tokens[self.at].spaced)
                || (before.is_capital() && !before.opens && !before.is(WordClass::FUNCTION))
        });
        let goes_on = self.get(1).is_some_and(|next| {
            !next.spaced && (next.is_dash() || matches!(next.text, "/" | ":" | "]" | "°"))
        });
        !labelled && !goes_on
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A day of a month: `13`, `2nd`.
fn day(token: &Token<'_>) -> bool {
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
fn year(token: &Token<'_>) -> bool {
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

/// `19th`, `nineteenth`.
fn ordinal(token: &Token<'_>) -> bool {
    if token.shape == Shape::Number {
        return matches!(
            token.text.trim_start_matches(|c: char| c.is_ascii_digit()),
            "st" | "nd" | "rd" | "th"
        );
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
    token.is_word() && SPELLED.contains(&token.text.to_lowercase().as_str())
}
