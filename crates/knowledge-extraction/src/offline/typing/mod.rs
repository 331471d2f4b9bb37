//! What kind of thing a name names: by its words ([`words`]), by the text around it ([`context`]),
//! by its other uses ([`settle`]).

mod context;
mod nouns;
mod settle;
mod words;

pub(super) use nouns::noun_kind;
use words::is_roman;

use super::{
    kind::Kind,
    lexicon::{WordClass, lexicon},
    names::{Scene, Span},
    token::{Shape, Token},
};

/// A kind with how much speaks for it: 4 where the text says `X is a …`, 3 for the name's own words, 2 for the text around it, 1 for
/// a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) kind: Kind,
    pub(super) weight: u8,
}

#[allow(clippy::unnecessary_wraps, reason = "every caller returns an option")]
fn verdict(kind: Kind, weight: u8) -> Option<Verdict> {
    Some(Verdict { kind, weight })
}

/// The kinds of all names of a text, settled between the uses of each name.
pub(super) fn kinds(scene: &Scene<'_>, names: &[Span]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = names.iter().map(|name| one(scene, *name)).collect();
    settle::settle(scene, names, &mut verdicts);
    verdicts
}

fn one(scene: &Scene<'_>, name: Span) -> Verdict {
    let typing = Typing { scene, name };
    typing
        .by_words()
        .into_iter()
        .chain(typing.by_context())
        .max_by_key(|verdict| verdict.weight)
        .unwrap_or_else(|| typing.guess())
}

struct Typing<'a, 'b> {
    scene: &'a Scene<'b>,
    name: Span,
}

impl Typing<'_, '_> {
    fn token(&self, at: usize) -> &Token<'_> {
        &self.scene.tokens[at]
    }

    fn before(&self, back: usize) -> Option<&Token<'_>> {
        let token = &self.scene.tokens[self.name.first.checked_sub(back)?];
        (token.sentence == self.token(self.name.first).sentence).then_some(token)
    }

    fn after(&self, ahead: usize) -> Option<&Token<'_>> {
        let token = self.scene.tokens.get(self.name.last + ahead)?;
        (token.sentence == self.token(self.name.last).sentence).then_some(token)
    }

    fn words(&self) -> impl Iterator<Item = &Token<'_>> {
        self.scene.tokens[self.name.first..=self.name.last].iter()
    }

    fn word_count(&self) -> usize {
        self.words().filter(|token| token.is_word()).count()
    }

    fn guess(&self) -> Verdict {
        let first = self.token(self.name.first);
        let words = self.word_count();
        let kind = if words == 1 && first.shape == Shape::Capitals {
            Kind::Organization
        } else if self.listed_place() {
            Kind::Place
        } else if words == 1 {
            if first.is(WordClass::GIVEN) {
                Kind::Person
            } else {
                self.lone()
            }
        } else if self.has_of()
            || first.is(WordClass::FUNCTION)
            || self.words().any(|token| matches!(token.text, "&" | "and"))
        {
            if self.words().any(|token| matches!(token.text, "&" | "and")) {
                Kind::Organization
            } else {
                Kind::Work
            }
        } else if self.words().any(|token| token.shape == Shape::Number) {
            Kind::Work
        } else if self.words().any(|token| {
            token.is(WordClass::DEMONYM) || token.shape == Shape::Capitals && !is_roman(token)
        }) || self
            .before(1)
            .is_some_and(|token| matches!(token.text, "the" | "The"))
        {
            Kind::Organization
        } else if (2..=4).contains(&words)
            && self
                .words()
                .all(|token| token.shape != Shape::Capitals && !token.is(WordClass::COMMON))
        {
            Kind::Person
        } else {
            Kind::Thing
        };
        Verdict { kind, weight: 1 }
    }

    /// Single words: an owner or a subject is a person more often than not.
    fn lone(&self) -> Kind {
        let owner = self
            .after(1)
            .is_some_and(|token| matches!(token.text, "'" | "’"));
        let adjective = self.after(1).is_some_and(|token| {
            token.shape == Shape::Lower
                && !token.is(WordClass::FUNCTION)
                && !token.text.ends_with("ed")
                && noun_kind(token).is_some()
        });
        if adjective {
            return Kind::Thing;
        }
        let leads = self.token(self.name.first).opens
            || self.before(1).is_some_and(|token| token.sign(","));
        let acts = leads
            && self.after(1).is_some_and(|token| {
                token.shape == Shape::Lower
                    && (token.text.ends_with("ed")
                        || matches!(token.text, "was" | "is" | "had" | "has" | "became"))
            });
        if owner || acts {
            Kind::Person
        } else {
            Kind::Thing
        }
    }

    /// `Milden, Saskatchewan`: before or after a comma and a known place.
    fn listed_place(&self) -> bool {
        let known = |token: Option<&Token<'_>>| {
            token.is_some_and(|token| {
                token.is_capital() && lexicon().known(&token.lower()).is_some()
            })
        };
        self.after(1).is_some_and(|token| token.sign(",")) && self.after_is_place()
            || self.before(1).is_some_and(|token| token.sign(","))
                && known(self.before(2))
                && self.word_count() <= 2
    }

    fn after_is_place(&self) -> bool {
        (2..=4).any(|last| {
            let end = self.name.last + last;
            end < self.scene.tokens.len()
                && self.token(self.name.last + 2).is_capital()
                && lexicon().known(&self.scene.phrase(self.name.last + 2, end)) == Some(Kind::Place)
        })
    }
}
