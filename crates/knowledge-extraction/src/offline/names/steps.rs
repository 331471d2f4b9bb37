//! How a name goes on: by the next capitalised word, or by what joins it.

use super::Scene;
use crate::offline::{
    lexicon::{WordClass, lexicon, one_of},
    token::{Shape, Token},
};

/// No name has more tokens.
const MAX_TOKENS: usize = 18;

impl Scene<'_> {
    /// The last token of the name that starts at `first` and includes `at`.
    pub(super) fn extend(&self, first: usize, at: usize) -> usize {
        let mut last = at;
        while last - first < MAX_TOKENS {
            match self.step(first, last) {
                Some(next) if next > last && !self.quoted[last + 1..=next].contains(&true) => {
                    last = next;
                }
                _ => break,
            }
        }
        last
    }

    /// The next token that belongs to the name `first..=last`.
    fn step(&self, first: usize, last: usize) -> Option<usize> {
        let next = self.get(last + 1, last)?;
        if next.is_capital() {
            return self.step_word(last);
        }
        match next.shape {
            Shape::Number => self.step_number(first, last),
            Shape::Sign => self.step_sign(first, last),
            _ => self.step_joiner(first, last),
        }
    }

    fn step_word(&self, last: usize) -> Option<usize> {
        let next = self.get(last + 1, last)?;
        let pronoun = next.is(WordClass::FUNCTION) && next.shape == Shape::Capital;
        let goes_on = !pronoun
            || (self.get(last + 2, last).is_some_and(Token::is_capital)
                && !matches!(next.text, "I" | "He" | "She" | "It" | "They" | "We"));
        let numeral = next.text == "I"
            && (self.tokens[last].text == "War" || self.tokens[last].is(WordClass::GIVEN));
        (self.nameable(last + 1) && next.spaced && (goes_on || numeral)).then_some(last + 1)
    }

    /// `Studio 92`, `Route 20`; never a year.
    fn step_number(&self, first: usize, last: usize) -> Option<usize> {
        let next = self.get(last + 1, last)?;
        let digits = next.text.bytes().all(|byte| byte.is_ascii_digit());
        let model = digits
            && next.text.len() == 4
            && !matches!(next.text.as_bytes()[0], b'1' | b'0')
            && next.text >= "2100";
        let short = model
            || next.text.len() <= 3 && next.text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let month = self.tokens[last].is(WordClass::MONTH);
        let longer = self.valued.get(last + 2).copied().unwrap_or(false)
            && self
                .get(last + 2, last)
                .is_some_and(|token| token.shape != Shape::Number);
        let alone = !self.valued[last + 1] || !longer;
        let label = self.tokens[last].is(WordClass::COMMON) && self.tokens[last].opens;
        let opener = (self.tokens[last].is(WordClass::FUNCTION) || label) && first == last;
        let goes_on = self.get(last + 2, last).is_some_and(|after| {
            !after.spaced && (after.is_dash() || matches!(after.text, "/" | ":" | "%"))
        });
        (short
            && next.spaced
            && alone
            && !month
            && !opener
            && !goes_on
            && !next.text.ends_with("th"))
        .then_some(last + 1)
    }

    fn step_sign(&self, first: usize, last: usize) -> Option<usize> {
        let (token, sign) = (&self.tokens[last], self.get(last + 1, last)?);
        let after = self.get(last + 2, last);
        if sign.text == "." && !sign.spaced {
            return self.step_full_stop(last);
        }
        if sign.is_dash() && !sign.spaced {
            return self.step_dash(first, last);
        }
        if sign.text == "&" {
            return after.filter(|after| after.is_capital()).map(|_| last + 2);
        }
        if sign.text == "," {
            let suffix = after.filter(|after| {
                after.is_capital() && after.is(WordClass::SUFFIX) && after.text != "MD"
            });
            return suffix.map(|_| last + 2);
        }
        if sign.text == "/" && !sign.spaced {
            let both = token.shape == Shape::Capitals
                && after.is_some_and(|after| after.shape == Shape::Capitals && !after.spaced);
            return both.then_some(last + 2);
        }
        if matches!(sign.text, "'" | "’") && !sign.spaced {
            return self.step_possessive(last);
        }
        if matches!(sign.text, "\"" | "“") && sign.spaced && token.is_capital() {
            return self.step_nickname(last);
        }
        None
    }

    /// Initials, abbreviations and web addresses.
    fn step_full_stop(&self, last: usize) -> Option<usize> {
        let token = &self.tokens[last];
        let after = self.get(last + 2, last)?;
        let capital = after.is_capital() && self.nameable(last + 2);
        if !after.spaced && after.shape == Shape::Lower {
            return matches!(after.text, "com" | "org" | "net" | "edu" | "co").then_some(last + 2);
        }
        let abbreviated = token.is_initial()
            || one_of(
                token.text,
                "St Mt Ft Jr Sr Dr Mr Mrs Ms Bros Inc Ltd Co Corp Gen Col Capt Lt Sgt Prof Rev \
 Hon Sen Rep Gov Wm Chas Geo Jos",
            );
        if !abbreviated {
            return None;
        }
        let suffix = token.is(WordClass::SUFFIX);
        if capital && !(suffix && after.is(WordClass::FUNCTION)) {
            return Some(last + if suffix { 1 } else { 2 });
        }
        (suffix || (token.is_initial() && after.shape != Shape::Lower && last > 0))
            .then_some(last + 1)
    }

    fn step_dash(&self, first: usize, last: usize) -> Option<usize> {
        let after = self.get(last + 2, last)?;
        if after.spaced {
            return None;
        }
        if after.is_capital() && self.nameable(last + 2) {
            let place = |at: usize| {
                let token = &self.tokens[at];
                token.is(WordClass::DEMONYM) || lexicon().known(&token.lower()).is_some()
            };
            let split = last == first
                && place(last)
                && (place(last + 2) || after.shape == Shape::Capitals)
                && !self.get(last + 3, last).is_some_and(Token::is_capital);
            return (!split).then_some(last + 2);
        }
        if after.shape == Shape::Number {
            let short = after.text.len() <= 4 && self.tokens[last].char_count() <= 4;
            return short.then_some(last + 2);
        }
        let foreign = first < last
            && after.shape == Shape::Lower
            && after.char_count() <= 6
            && !after.is(WordClass::FUNCTION
                .and(WordClass::COMMON)
                .and(WordClass::UNIT)
                .and(WordClass::TIME_UNIT))
            && ![
                "ed", "ing", "born", "like", "era", "wide", "style", "only", "speak",
            ]
            .iter()
            .any(|end| after.text.ends_with(end))
            && self.tokens[last].spaced
            && !self.tokens[last].is(WordClass::DEMONYM.and(WordClass::GROUP));
        if foreign
            && !self.get(last + 3, last).is_some_and(Token::is_dash)
            && !lexicon().class(after.text).is(WordClass::EVENT_HEAD
                .and(WordClass::PLACE_HEAD)
                .and(WordClass::ORG_HEAD)
                .and(WordClass::PERSON_NOUN))
        {
            return Some(last + 2);
        }
        let bridge = after.is(WordClass::PARTICLE.and(WordClass::FUNCTION))
            && self
                .get(last + 3, last)
                .is_some_and(|dash| dash.is_dash() && !dash.spaced)
            && self
                .get(last + 4, last)
                .is_some_and(|end| end.is_capital() && !end.spaced);
        bridge.then_some(last + 4)
    }

    /// `Women's Hospital`, `St. John's College`; a plain owner is another name.
    fn step_possessive(&self, last: usize) -> Option<usize> {
        let token = &self.tokens[last];
        let s = self.get(last + 2, last)?;
        let plural = s.spaced && token.text.ends_with('s');
        let head = if plural { last + 2 } else { last + 3 };
        if !plural && (s.spaced || !matches!(s.text, "s" | "S")) {
            return None;
        }
        let generic = one_of(
            token.text,
            "Women Men Children People Queen King Workers Farmers Girls Boys Ladies Veterans \
 Soldiers Mother Father Players Writers Teachers Students Peoples Lord World",
        ) || last.checked_sub(1).is_some_and(|before| {
            matches!(self.tokens[before].text, "St" | "Saint" | ".")
                && (self.tokens[before].text != "."
                    || before > 0 && self.tokens[before - 1].text == "St")
        });
        let capital = self
            .get(head, last)
            .is_some_and(|token| token.is_capital() && token.spaced);
        (generic && capital).then_some(head)
    }

    /// `Siegfried "Sigi" Baumann`.
    fn step_nickname(&self, last: usize) -> Option<usize> {
        let inside = (1..=2).find(|words| {
            self.get(last + 2 + words, last)
                .is_some_and(|token| matches!(token.text, "\"" | "”"))
        })?;
        let capital = |at: usize| self.get(at, last).is_some_and(Token::is_capital);
        (capital(last + 2) && capital(last + 3 + inside)).then_some(last + 3 + inside)
    }

    /// Words in lower case that join names.
    fn step_joiner(&self, first: usize, last: usize) -> Option<usize> {
        let joiner = self.get(last + 1, last)?;
        if !joiner.spaced {
            return None;
        }
        match joiner.text {
            "of" => self.step_of(first, last),
            "and" => self.step_and(first, last),
            "for" | "on" | "in" | "to" | "against" | "with" => self.step_preposition(first, last),
            "the" => {
                let next = self.get(last + 2, last)?;
                let given = self.tokens[last].is(WordClass::GIVEN) || first == last;
                (next.is_capital() && given && !self.tokens[last].is(WordClass::FUNCTION))
                    .then_some(last + 2)
            }
            _ => self.step_particles(last),
        }
        .or_else(|| self.step_title(first, last))
    }

    /// Small words within a title that starts with a capitalised one: `Where the Wild Things Are`.
    fn step_title(&self, first: usize, last: usize) -> Option<usize> {
        let opening = &self.tokens[first];
        if !opening.is(WordClass::FUNCTION) || opening.opens || self.tokens[first + 1].sign(".") {
            return None;
        }
        (1..=2)
            .find(|small| {
                let run = self
                    .tokens
                    .get(last + 1..last + 1 + small)
                    .unwrap_or_default();
                run.iter()
                    .all(|token| one_of(token.text, "a an the of in to for with on"))
                    && self
                        .get(last + 1 + small, last)
                        .is_some_and(Token::is_capital)
                    && self.nameable(last + 1 + small)
            })
            .map(|small| last + 1 + small)
    }

    fn step_particles(&self, last: usize) -> Option<usize> {
        let mut limit = 3;
        for count in 1..=7 {
            let token = self.get(last + count, last)?;
            let elided = token.text.starts_with("d'")
                || token.text.starts_with("d’")
                || token.text.starts_with("l'");
            if token.is_capital() {
                return (count > 1 && self.nameable(last + count)).then_some(last + count);
            }
            limit += 3 * usize::from(elided && limit == 3);
            if count > limit
                || !(token.is(WordClass::PARTICLE) || elided)
                || token.shape != Shape::Lower
            {
                return None;
            }
            if elided && token.text.chars().nth(2).is_some_and(char::is_uppercase) {
                return Some(last + count);
            }
        }
        None
    }

    fn step_of(&self, first: usize, last: usize) -> Option<usize> {
        let token = &self.tokens[last];
        let article = usize::from(
            self.get(last + 2, last)
                .is_some_and(|next| next.text == "the"),
        );
        let next = self.get(last + 2 + article, last)?;
        if !next.is_capital() || !self.nameable(last + 2 + article) {
            return None;
        }
        let joined = Some(last + 2 + article);
        let heads = WordClass::ORG_HEAD
            .and(WordClass::PLACE_HEAD)
            .and(WordClass::WORK_HEAD)
            .and(WordClass::EVENT_HEAD);
        let noble = one_of(
            token.text,
            "Duke Duchess Earl Countess Marquess Marquis Baroness Viscount",
        );
        if noble && article == 0 {
            return joined;
        }
        if token.is(WordClass::ROLE
            .and(WordClass::TITLE)
            .and(WordClass::PERSON_NOUN))
            && !token.is(heads)
        {
            return None;
        }
        let alone = first == last;
        if alone && token.opens && token.is(WordClass::COMMON) && !token.is(heads) {
            return None;
        }
        if token.is(heads) {
            return joined;
        }
        if self.is_full_person(first, last) {
            return None;
        }
        let name: String = self.phrase(first, last);
        let known = lexicon().known(&name).is_some()
            || token.is(WordClass::DEMONYM.and(WordClass::GROUP))
            || token.shape == Shape::Capitals;
        let common = token.is(WordClass::COMMON.and(WordClass::FUNCTION)) && alone && token.opens;
        (!known && !common).then_some(joined).flatten()
    }

    /// `Helena Marchetti`, `J. Petrak`: `of` leads to where a person belongs.
    fn is_full_person(&self, first: usize, last: usize) -> bool {
        let plain = self.tokens[first..=last]
            .iter()
            .all(|token| token.is_capital() || token.sign("."));
        let full = (first..last)
            .find(|at| !self.tokens[*at].is(WordClass::TITLE) && !self.tokens[*at].sign("."))
            .unwrap_or(first);
        let opening = &self.tokens[full];
        let initial = opening.is_initial() && self.tokens[full + 1].sign(".");
        let titled = full > first
            || first.checked_sub(1).is_some_and(|before| {
                let word = &self.tokens[before];
                word.shape == Shape::Lower && word.is(WordClass::PERSON_NOUN)
            });
        let first = full;
        first < last && plain && (opening.is(WordClass::GIVEN) || initial || titled)
    }

    fn step_and(&self, first: usize, last: usize) -> Option<usize> {
        let (left, right) = (&self.tokens[last], self.get(last + 2, last)?);
        if !right.is_capital() || !self.nameable(last + 2) {
            return None;
        }
        let joined = Some(last + 2);
        let known = lexicon().known(&self.phrase(first, last + 2)).is_some();
        let war = self
            .get(last + 3, last)
            .is_some_and(|head| head.is_capital() && head.is(WordClass::EVENT_HEAD));
        if known || (war && left.is(WordClass::DEMONYM) && right.is(WordClass::DEMONYM)) {
            return joined;
        }
        let plain = |token: &Token<'_>| {
            token.shape == Shape::Capital
                && !token.is(WordClass::GIVEN
                    .and(WordClass::DEMONYM)
                    .and(WordClass::GROUP))
                && lexicon().known(&token.lower()).is_none()
        };
        if !plain(right) {
            return None;
        }
        let field = self.tokens[first..=last]
            .iter()
            .any(|token| matches!(token.text, "of" | "for"))
            && self.tokens[first..=last].iter().any(|token| {
                one_of(
                    token.text,
                    "Ministry Department Faculty School Institute College Board Bureau Office \
 Academy Society University Museum Council Committee Commission Secretary \
 Federation Association Union Church Center Centre Minister",
                )
            })
            && plain(left);
        if field {
            return joined;
        }
        let single = first == last && plain(left);
        let headed = self.get(last + 3, last).is_some_and(|head| {
            head.is_capital()
                && head.spaced
                && head.is(WordClass::ORG_HEAD.and(WordClass::SUFFIX))
                && !self.get(last + 4, last).is_some_and(Token::is_capital)
        });
        (single && (headed || self.is_firm(first, last)))
            .then_some(joined)
            .flatten()
    }

    /// Whether `X and Y` at `last` reads as one firm: always a pair, and treated as one thing.
    fn is_firm(&self, first: usize, last: usize) -> bool {
        let (left, right) = (&self.tokens[last], &self.tokens[last + 2]);
        let pair = self
            .pairs
            .get(&(left.text, right.text))
            .copied()
            .unwrap_or(0);
        let singular = self.get(last + 3, last).is_some_and(|verb| {
            one_of(
                verb.text,
                "was is has keeps operates makes owns employs sells publishes runs",
            )
        });
        let before = first
            .checked_sub(2)
            .map(|at| (&self.tokens[at], &self.tokens[at + 1]));
        let employed = before.is_some_and(|(noun, of)| {
            matches!(of.text, "of" | "for" | "at" | "with" | "by")
                && (noun.is(WordClass::PERSON_NOUN
                    .and(WordClass::ROLE)
                    .and(WordClass::TITLE))
                    || one_of(noun.text, "share shares stake head research part worked published control acquisition"))
        });
        let elsewhere = |word: &str| {
            self.tokens.iter().enumerate().any(|(at, token)| {
                token.text == word
                    && !self
                        .tokens
                        .get(at + 1)
                        .is_some_and(|next| matches!(next.text, "and" | "&"))
                    && !at
                        .checked_sub(1)
                        .is_some_and(|before| matches!(self.tokens[before].text, "and" | "&"))
            })
        };
        let together = pair >= 2 || singular || employed || (left.opens && pair >= 1);
        together && self.tokens.len() < 5000 && !elsewhere(left.text) && !elsewhere(right.text)
    }

    /// `Institute for Advanced Study`, `Conference on Trade`.
    fn step_preposition(&self, first: usize, last: usize) -> Option<usize> {
        let joiner = self.get(last + 1, last)?;
        let article = usize::from(
            self.get(last + 2, last)
                .is_some_and(|next| next.text == "the"),
        );
        let next = self.get(last + 2 + article, last)?;
        if !next.is_capital() || !self.nameable(last + 2 + article) {
            return None;
        }
        let head = &self.tokens[last];
        let fits = match joiner.text {
            "for" => {
                head.is(WordClass::ORG_HEAD) && !self.place(last + 2 + article)
                    || matches!(
                        head.text,
                        "Campaign" | "Movement" | "Prize" | "Award" | "Medal" | "Centre" | "Center"
                    )
            }
            "on" => {
                head.is(WordClass::ORG_HEAD)
                    || matches!(head.text, "Conference" | "Convention" | "War")
            }
            "against" => matches!(head.text, "Campaign" | "League" | "Alliance" | "Movement"),
            _ => false,
        };
        (fits
            && (first < last || joiner.text == "for" || joiner.text == "on")
            && !next.is(WordClass::GIVEN.and(WordClass::DEMONYM)))
        .then_some(last + 2 + article)
    }

    fn place(&self, at: usize) -> bool {
        lexicon().known(&self.tokens[at].lower()).is_some()
    }
}
