//! What does not belong to a name: opening words, titles, offices, adjectives of countries.

use super::{Scene, Span};
use crate::offline::{
    kind::Kind,
    lexicon::{WordClass, lexicon, one_of},
    token::{Shape, Token},
};

impl Scene<'_> {
    /// The first token of a name at the start of a sentence: without an opening word that is none.
    pub(super) fn without_opener(&self, span: Span) -> Option<usize> {
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
            || self.is_defined(span.last)
            || self.capitalised_elsewhere(span.first);
        let heads = WordClass::ORG_HEAD
            .and(WordClass::PLACE_HEAD)
            .and(WordClass::WORK_HEAD)
            .and(WordClass::EVENT_HEAD);
        let headed = self.tokens[span.last].is(heads) && !first.text.ends_with("ing");
        let verbal = first.text.ends_with("ing") && first.char_count() > 4;
        let drop = !kept && (verbal || first.is(WordClass::COMMON)) && !headed;
        Some(span.first + usize::from(drop))
    }

    /// `Paper Lanterns is the second album`: a sentence that says what its first words name.
    fn is_defined(&self, last: usize) -> bool {
        let is = |at: usize, words: &str| {
            self.get(last + at, last)
                .is_some_and(|token| one_of(token.text, words))
        };
        is(1, "is was") && is(2, "a an the")
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
            || lexicon().known_name(&lower).is_some()
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
                || one_of(
                    next.text,
                    "is was has had who will would and in of also then himself herself",
                )
                || next.text.ends_with("ed")
                || next.text.ends_with('s')
                || one_of(
                    next.text,
                    "became began won wrote met sold made left took held built went said grew lost \
 gave got came saw led ran fought taught felt kept spent sent sang found bought \
 paid broke drew rose fell",
                )
        })
    }

    /// Cuts titles and roles off, separates a country's adjective from a person.
    pub(super) fn split(&self, span: Span, found: &mut Vec<Span>) {
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
        let name = Span { first, last };
        let dated = self.with_year(name);
        let taken = found
            .last()
            .is_some_and(|before| before.last >= dated.first)
            || self.quoted[dated.first..=last].contains(&true);
        found.push(if taken { name } else { dated });
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
        let named = self.tokens[first + 1..=last]
            .iter()
            .any(|token| token.is(WordClass::GIVEN));
        let office = next.is(WordClass::ROLE) && (!headed || named);
        (person || office).then_some((first, first + 1))
    }

    fn without_titles(&self, first: usize, last: usize) -> usize {
        let mut at = first;
        while at < last {
            let token = &self.tokens[at];
            let title =
                token.is(WordClass::TITLE.and(WordClass::ROLE)) && token.shape == Shape::Capital;
            let next = self.tokens[at + 1..=last].iter().position(Token::is_word);
            let Some(next) = next.map(|ahead| at + 1 + ahead) else {
                break;
            };
            let heads = WordClass::ORG_HEAD
                .and(WordClass::PLACE_HEAD)
                .and(WordClass::EVENT_HEAD);
            let named = self.tokens[at + 1..=last]
                .iter()
                .any(|token| token.is(WordClass::GIVEN));
            let headed = self.tokens[last].is(heads) && !named;
            if !title || !self.tokens[next].is_capital() || headed || self.kept_title(at) {
                break;
            }
            at = next;
        }
        at
    }

    /// Titles that are a part of the name: `Sir`, `Lord`, and ambiguous words.
    fn kept_title(&self, at: usize) -> bool {
        one_of(
            self.tokens[at].text,
            "Sir Lord Lady Dame Saint Major Judge Father Brother Sister Prime Earl Marshal \
 Head Member",
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
        let format = one_of(
            token.text,
            "CD DVD TV LP EP BA MA BS BSc MSc PhD CEO CFO FM AM PM PC ID DJ MC VHS BC AD BCE \
 CE VIP MP QC UTC GMT OK II III IV VI DNA HIV",
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
