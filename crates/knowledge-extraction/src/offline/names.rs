//! Where names start and end: runs of capitalised words with what joins them.

use std::collections::{HashMap, HashSet};

use super::{
    kind::Kind,
    lexicon::{WordClass, lexicon},
    literals::Literal,
    token::{Shape, Token},
};

/// A run of tokens that is a name; `last` is inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: usize,
    pub(super) last: usize,
}

/// No name has more tokens.
const MAX_TOKENS: usize = 18;

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
            if token.shape == Shape::Lower {
                self.lower.insert(token.text);
            } else if token.is_capital() && !token.opens && !self.after_opening(at) {
                self.capitalised.insert(token.text);
            } else if token.is_capital()
                && token.opens
                && !token.is(WordClass::FUNCTION.and(WordClass::COMMON))
            {
                if let Some(next) = self.tokens.get(at + 1).filter(|next| {
                    next.is_capital() && next.sentence == token.sentence && next.spaced
                }) {
                    self.capitalised.insert(next.text);
                    self.capitalised.insert(token.text);
                }
            }
            let neighbour = self
                .tokens
                .get(at + 1)
                .filter(|next| next.spaced && next.sentence == token.sentence && next.is_capital());
            if let Some(next) =
                neighbour.filter(|_| token.is_capital() && !token.is(WordClass::FUNCTION))
            {
                self.joined.insert(token.text);
                self.joined.insert(next.text);
            }
            if let [left, and, right] = self.tokens[at..].split_at(3.min(self.tokens.len() - at)).0
                && left.is_capital()
                && matches!(and.text, "and" | "&")
                && right.is_capital()
            {
                *self.pairs.entry((left.text, right.text)).or_default() +=
                    1 + u32::from(and.text == "&");
            }
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
            let article = !matches!(
                token.text,
                "I" | "He"
                    | "She"
                    | "It"
                    | "They"
                    | "We"
                    | "You"
                    | "His"
                    | "Her"
                    | "This"
                    | "These"
            );
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

    /// The last token of the name that starts at `first` and includes `at`.
    fn extend(&self, first: usize, at: usize) -> usize {
        let mut last = at;
        while last - first < MAX_TOKENS {
            match self.step(first, last) {
                Some(next) if next > last => last = next,
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
        (self.nameable(last + 1) && next.spaced && goes_on).then_some(last + 1)
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
        let alone = !self.valued[last + 1]
            || !(self.valued.get(last + 2).copied().unwrap_or(false)
                && self
                    .get(last + 2, last)
                    .is_some_and(|token| token.shape != Shape::Number));
        let opener = self.tokens[last].is(WordClass::FUNCTION) && first == last;
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
            || matches!(
                token.text,
                "St" | "Mt"
                    | "Ft"
                    | "Jr"
                    | "Sr"
                    | "Dr"
                    | "Mr"
                    | "Mrs"
                    | "Ms"
                    | "Bros"
                    | "Inc"
                    | "Ltd"
                    | "Co"
                    | "Corp"
                    | "Gen"
                    | "Col"
                    | "Capt"
                    | "Lt"
                    | "Sgt"
                    | "Prof"
                    | "Rev"
                    | "Hon"
                    | "Sen"
                    | "Rep"
                    | "Gov"
                    | "Wm"
                    | "Chas"
                    | "Geo"
                    | "Jos"
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
        let generic = matches!(
            token.text,
            "Women"
                | "Men"
                | "Children"
                | "People"
                | "Queen"
                | "King"
                | "Workers"
                | "Farmers"
                | "Girls"
                | "Boys"
                | "Ladies"
                | "Veterans"
                | "Soldiers"
                | "Mother"
                | "Father"
                | "Players"
                | "Writers"
                | "Teachers"
                | "Students"
                | "Peoples"
                | "Lord"
                | "World"
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

    /// `Wilfried "Willi" Schneider`.
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
        if !opening.is(WordClass::FUNCTION) || opening.opens {
            return None;
        }
        (1..=2)
            .find(|small| {
                let run = self
                    .tokens
                    .get(last + 1..last + 1 + small)
                    .unwrap_or_default();
                run.iter().all(|token| {
                    matches!(
                        token.text,
                        "a" | "an" | "the" | "of" | "in" | "to" | "for" | "with" | "on"
                    )
                }) && self
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
        if token.is(WordClass::ROLE
            .and(WordClass::TITLE)
            .and(WordClass::PERSON_NOUN))
            && !token.is(heads)
        {
            return None;
        }
        let alone = first == last;
        if alone && token.opens && token.is(WordClass::COMMON) && !token.is(WordClass::WORK_HEAD) {
            return None;
        }
        if token.is(heads) {
            return joined;
        }
        let name: String = self.phrase(first, last);
        let known = lexicon().known(&name).is_some()
            || token.is(WordClass::DEMONYM
                .and(WordClass::GIVEN)
                .and(WordClass::GROUP))
            || token.shape == Shape::Capitals;
        let common = token.is(WordClass::COMMON.and(WordClass::FUNCTION)) && alone && token.opens;
        (!known && !common).then_some(joined).flatten()
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
                matches!(
                    token.text,
                    "Ministry"
                        | "Department"
                        | "Faculty"
                        | "School"
                        | "Institute"
                        | "College"
                        | "Board"
                        | "Bureau"
                        | "Office"
                        | "Academy"
                        | "Society"
                        | "University"
                        | "Museum"
                        | "Council"
                        | "Committee"
                        | "Commission"
                        | "Secretary"
                        | "Federation"
                        | "Association"
                        | "Union"
                        | "Church"
                        | "Center"
                        | "Centre"
                        | "Minister"
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
            matches!(
                verb.text,
                "was"
                    | "is"
                    | "has"
                    | "keeps"
                    | "operates"
                    | "makes"
                    | "owns"
                    | "employs"
                    | "sells"
                    | "publishes"
                    | "runs"
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
                    || matches!(
                        noun.text,
                        "share"
                            | "shares"
                            | "stake"
                            | "head"
                            | "research"
                            | "part"
                            | "worked"
                            | "published"
                            | "control"
                            | "acquisition"
                    ))
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

    /// The first token of a name at the start of a sentence: without an opening word that is none.
    fn without_opener(&self, span: Span) -> Option<usize> {
        let first = &self.tokens[span.first];
        if span.first == span.last {
            return self.lone_opener(span.first).then_some(span.first);
        }
        let next = &self.tokens[span.first + 1];
        if !next.is_capital()
            || lexicon()
                .known(&self.phrase(span.first, span.last))
                .is_some()
        {
            return Some(span.first);
        }
        let kept = first.is(WordClass::OPENING.and(WordClass::GIVEN))
            || self.capitalised_elsewhere(span.first);
        let heads = WordClass::ORG_HEAD
            .and(WordClass::PLACE_HEAD)
            .and(WordClass::WORK_HEAD)
            .and(WordClass::EVENT_HEAD);
        let headed = self.tokens[span.last].is(heads) && !first.text.ends_with("ing");
        let verbal = (first.text.ends_with("ing") || first.text.ends_with("ly"))
            && first.char_count() > 4
            && (first.is(WordClass::COMMON) || self.verbal(first.text));
        let drop = !kept && (verbal || first.is(WordClass::COMMON)) && !headed;
        Some(span.first + usize::from(drop))
    }

    fn verbal(&self, word: &str) -> bool {
        word.ends_with("ing") || word.ends_with("ly")
    }

    fn capitalised_elsewhere(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        self.tokens.len() < 5000
            && self
                .tokens
                .iter()
                .any(|other| other.text == token.text && !other.opens)
    }

    /// Whether a single capitalised word at the start of a sentence is a name.
    fn lone_opener(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        let lower = token.lower();
        if token.shape != Shape::Capital {
            return true;
        }
        if self.capitalised.contains(token.text) {
            return !token.is(WordClass::FUNCTION);
        }
        if self.lower.contains(lower.as_str())
            || token.is(WordClass::FUNCTION.and(WordClass::COMMON))
            || token.is_initial()
        {
            return false;
        }
        if lexicon().known(&lower).is_some()
            || token.is(WordClass::DEMONYM
                .and(WordClass::GROUP)
                .and(WordClass::GIVEN))
        {
            return true;
        }
        let ordinary = [
            "ing", "ly", "ed", "tion", "tions", "ment", "ments", "ness", "ists", "ers", "ity",
            "ies",
        ]
        .iter()
        .any(|ending| lower.ends_with(ending));
        let classes = WordClass::ORG_HEAD
            .and(WordClass::PLACE_HEAD)
            .and(WordClass::WORK_HEAD)
            .and(WordClass::EVENT_HEAD)
            .and(WordClass::PERSON_NOUN)
            .and(WordClass::ROLE)
            .and(WordClass::TITLE)
            .and(WordClass::NUMBER);
        if ordinary || token.is(classes) {
            return false;
        }
        self.get(at + 1, at).is_none_or(|next| {
            next.shape != Shape::Lower
                || matches!(
                    next.text,
                    "is" | "was"
                        | "has"
                        | "had"
                        | "who"
                        | "will"
                        | "would"
                        | "and"
                        | "in"
                        | "of"
                        | "also"
                        | "then"
                        | "himself"
                        | "herself"
                )
                || next.text.ends_with("ed")
                || next.text.ends_with('s')
                || matches!(
                    next.text,
                    "became"
                        | "began"
                        | "won"
                        | "wrote"
                        | "met"
                        | "sold"
                        | "made"
                        | "left"
                        | "took"
                        | "held"
                        | "built"
                        | "went"
                        | "said"
                        | "grew"
                        | "lost"
                        | "gave"
                        | "got"
                        | "came"
                        | "saw"
                        | "led"
                        | "ran"
                        | "fought"
                        | "taught"
                        | "felt"
                        | "kept"
                        | "spent"
                        | "sent"
                        | "sang"
                        | "found"
                        | "bought"
                        | "paid"
                        | "broke"
                        | "drew"
                        | "rose"
                        | "fell"
                )
        })
    }

    /// Cuts titles and roles off, separates a country's adjective from a person.
    fn split(&self, span: Span, found: &mut Vec<Span>) {
        let mut first = span.first;
        let last = self.without_tail(span);
        if matches!(self.tokens[first].text, "The" | "A" | "An")
            && first < last
            && self.tokens[first].is(WordClass::FUNCTION)
        {
            found.push(Span { first, last });
            return;
        }
        if let Some(cut) = self.person_after(first, last) {
            found.push(Span { first, last: cut.0 });
            first = cut.1;
        }
        first = self.without_titles(first, last);
        if first > last || self.only_roles(first, last) {
            return;
        }
        found.push(self.with_year(Span { first, last }));
    }

    /// `German Johann Bach`, `US President Barack Obama`: the end of the first name and the start of
    /// the second.
    fn person_after(&self, first: usize, last: usize) -> Option<(usize, usize)> {
        if first + 1 >= last {
            return None;
        }
        let token = &self.tokens[first];
        if !(token.is(WordClass::DEMONYM.and(WordClass::GROUP))
            || lexicon().known(&token.lower()) == Some(Kind::Place))
        {
            return None;
        }
        let next = &self.tokens[first + 1];
        if !next.is_capital() || !next.spaced {
            return None;
        }
        let heads = WordClass::ORG_HEAD
            .and(WordClass::PLACE_HEAD)
            .and(WordClass::WORK_HEAD)
            .and(WordClass::EVENT_HEAD);
        let headed = self.tokens[last].is(heads);
        let person = next.is(WordClass::GIVEN)
            && !headed
            && token.is(WordClass::DEMONYM.and(WordClass::GROUP));
        let office = next.is(WordClass::ROLE) && !headed;
        (person || office).then_some((first, first + 1))
    }

    fn without_titles(&self, first: usize, last: usize) -> usize {
        let mut at = first;
        while at < last {
            let token = &self.tokens[at];
            let title =
                token.is(WordClass::TITLE.and(WordClass::ROLE)) && token.shape == Shape::Capital;
            let next = self.tokens[at + 1..=last]
                .iter()
                .position(|next| next.is_word());
            let Some(next) = next.map(|ahead| at + 1 + ahead) else {
                break;
            };
            let heads = WordClass::ORG_HEAD
                .and(WordClass::PLACE_HEAD)
                .and(WordClass::EVENT_HEAD);
            if !title
                || !self.tokens[next].is_capital()
                || self.tokens[last].is(heads)
                || self.kept_title(at, last)
            {
                break;
            }
            at = next;
        }
        at
    }

    /// Titles that are a part of the name: `Sir`, `Lord`, and ambiguous words.
    fn kept_title(&self, at: usize, _last: usize) -> bool {
        matches!(
            self.tokens[at].text,
            "Sir"
                | "Lord"
                | "Lady"
                | "Dame"
                | "Saint"
                | "Major"
                | "Judge"
                | "Father"
                | "Brother"
                | "Sister"
                | "Prime"
                | "Earl"
                | "Marshal"
                | "Head"
                | "Member"
        ) && !(self.tokens[at].text == "Prime" && self.tokens[at + 1].text == "Minister")
    }

    fn only_roles(&self, first: usize, last: usize) -> bool {
        self.tokens[first..=last].iter().all(|token| {
            (token.is(WordClass::ROLE
                .and(WordClass::TITLE)
                .and(WordClass::PERSON_NOUN))
                && token.shape != Shape::Capitals)
                || !token.is_capital()
        }) || (first == last && self.is_noise(first))
    }

    /// A capitalised word that names nothing: an ordinary noun, an initial.
    fn is_noise(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        let format = matches!(
            token.text,
            "CD" | "DVD"
                | "TV"
                | "LP"
                | "EP"
                | "BA"
                | "MA"
                | "BS"
                | "BSc"
                | "MSc"
                | "PhD"
                | "CEO"
                | "CFO"
                | "FM"
                | "AM"
                | "PM"
                | "PC"
                | "ID"
                | "DJ"
                | "MC"
                | "VHS"
                | "BC"
                | "AD"
                | "BCE"
                | "CE"
                | "VIP"
                | "MP"
                | "QC"
                | "UTC"
                | "GMT"
                | "OK"
                | "II"
                | "III"
                | "IV"
                | "VI"
                | "DNA"
                | "HIV"
        );
        if token.is_initial() || format {
            return true;
        }
        let heads = WordClass::ORG_HEAD
            .and(WordClass::PLACE_HEAD)
            .and(WordClass::WORK_HEAD)
            .and(WordClass::EVENT_HEAD);
        let generic = token.shape == Shape::Capital
            && token.is(heads)
            && !token.is(WordClass::GIVEN)
            && !self.joined.contains(token.text);
        if generic && lexicon().known(&token.lower()).is_none() {
            return true;
        }
        let ordinary = token.shape == Shape::Capital
            && token.is(WordClass::COMMON)
            && lexicon().known(&token.lower()).is_none();
        ordinary && !token.is(WordClass::GIVEN.and(WordClass::GROUP))
    }

    /// The last token without a trailing office: `US President`.
    fn without_tail(&self, span: Span) -> usize {
        let mut last = span.last;
        while last > span.first
            && self.tokens[last].is(WordClass::ROLE)
            && self.tokens[last].shape == Shape::Capital
            && !self.tokens[last].is(WordClass::GIVEN)
        {
            last -= 1;
        }
        while last > span.first
            && !self.tokens[last].is_word()
            && self.tokens[last].shape != Shape::Number
            && self.tokens[last].text != "."
            && last < span.last
        {
            last -= 1;
        }
        if last < span.last && last > span.first && self.tokens[last].shape == Shape::Lower {
            return span.last;
        }
        last
    }

    /// With the year or number before it that belongs to an event: `2002 Winter Olympics`.
    fn with_year(&self, span: Span) -> Span {
        let event = self.tokens[span.first..=span.last]
            .iter()
            .any(|token| token.is(WordClass::EVENT_HEAD));
        let Some(before) = span.first.checked_sub(1) else {
            return span;
        };
        let token = &self.tokens[before];
        let same =
            token.sentence == self.tokens[span.first].sentence && self.tokens[span.first].spaced;
        let year = token.shape == Shape::Number
            && token.text.len() == 4
            && token.text.bytes().all(|b| b.is_ascii_digit());
        if event && same && year {
            return Span {
                first: before,
                ..span
            };
        }
        if event
            && same
            && token.shape == Shape::Number
            && before >= 2
            && self.tokens[before - 1].is_dash()
            && token.text.len() == 2
            && self.tokens[before - 2].text.len() == 4
            && !token.spaced
        {
            return Span {
                first: before - 2,
                ..span
            };
        }
        span
    }
}
