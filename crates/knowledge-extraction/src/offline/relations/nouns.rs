//! Nouns that relate two names: `the founder of Y, X`, `Y's director X`, `X, whose brother Y`.

use super::scene::{Kinds, Scene, Sentence, Statement, Target};
use crate::offline::{
    lexicon::{WordClass, one_of},
    token::{Shape, Token},
};

/// A noun phrase has up to so many words before and after the noun.
const REACH: usize = 5;

/// What a noun says of its holder (`Ada is the …`) and its owner (`… of Acme`).
#[derive(Debug, Clone, Copy)]
enum Sense {
    /// The owner has this relation to the holder.
    Owner(&'static str, Kinds, Kinds),
    /// The holder has this relation to the owner.
    Holder(&'static str, Kinds, Kinds),
    /// The holder has an office at the owner.
    Office,
}

impl Sense {
    fn of(token: &Token<'_>) -> Option<Self> {
        let (person, agent) = (Kinds::PERSON, Kinds::AGENT);
        Some(match token.text {
            "father" | "mother" | "parents" => Self::Owner("childOf", person, person),
            "son" | "daughter" | "child" | "sons" | "daughters" | "children" => {
                Self::Holder("childOf", person, person)
            }
            "brother" | "sister" | "sibling" | "twin" | "brothers" | "sisters" => {
                Self::Holder("siblingOf", person, person)
            }
            "wife" | "husband" | "spouse" | "widow" | "widower" => {
                Self::Holder("marriedTo", person, person)
            }
            "founder" | "founders" | "co-founder" | "cofounder" => {
                Self::Owner("foundedBy", Kinds::FOUNDED, agent)
            }
            "capital" => Self::Holder("capitalOf", Kinds::PLACE, Kinds::PLACE),
            "owner" | "owners" | "proprietor" => Self::Owner("ownedBy", Kinds::LOCATED, agent),
            "author" => Self::Owner("writtenBy", Kinds::MADE, person),
            "film" | "films" => Self::Holder("directedBy", Kinds::MADE, person),
            "novel" | "book" | "poem" | "memoir" | "memoirs" | "novella" => {
                Self::Holder("writtenBy", Kinds::MADE, person)
            }
            "album" | "song" | "single" => Self::Holder("performedBy", Kinds::MADE, agent),
            _ if token.is(WordClass::ROLE.and(WordClass::OFFICE)) => Self::Office,
            _ => return None,
        })
    }

    /// The kinds of the holder and of the owner.
    fn kinds(self) -> (Kinds, Kinds) {
        match self {
            Self::Owner(_, owner, holder) | Self::Holder(_, holder, owner) => (holder, owner),
            Self::Office => (Kinds::PERSON, Kinds::ORGANIZATION),
        }
    }

    fn is_family(self) -> bool {
        matches!(self, Self::Owner("childOf", ..))
            || matches!(
                self,
                Self::Holder("childOf" | "siblingOf" | "marriedTo", ..)
            )
    }
}

pub(super) fn find(scene: &Scene<'_>, sentence: &Sentence, found: &mut Vec<Statement>) {
    let mut last_holder = None;
    for at in sentence.tokens.clone() {
        let token = &scene.tokens[at];
        if token.shape != Shape::Lower || scene.item_at(sentence, at).is_some() {
            continue;
        }
        let Some(sense) = Sense::of(token) else {
            continue;
        };
        let noun = Noun {
            scene,
            sentence,
            at,
            sense,
            start: start(scene, sentence, at),
        };
        noun.state(&mut last_holder, found);
    }
}

/// The first word of the noun phrase that ends with the noun.
fn start(scene: &Scene<'_>, sentence: &Sentence, at: usize) -> usize {
    (sentence.tokens.start..at)
        .rev()
        .take(REACH)
        .take_while(|before| {
            let token = &scene.tokens[*before];
            (token.shape == Shape::Lower && !token.is(WordClass::FUNCTION))
                || matches!(
                    token.text,
                    "own" | "first" | "second" | "third" | "late" | "two" | "three"
                )
                || token.is_dash()
        })
        .last()
        .unwrap_or(at)
}

/// A noun that relates, at `at`; its phrase starts at `start`, after article or owner.
struct Noun<'a, 'b> {
    scene: &'a Scene<'b>,
    sentence: &'a Sentence,
    at: usize,
    sense: Sense,
    start: usize,
}

impl Noun<'_, '_> {
    fn state(&self, last_holder: &mut Option<usize>, found: &mut Vec<Statement>) {
        let (owners, holders) = match self.owner_before() {
            Some(owner) => {
                let mut holders = self.holders_after(self.at + 1);
                if holders.is_empty() {
                    holders.extend(self.holder_before(self.start.saturating_sub(1), *last_holder));
                }
                (vec![owner], holders)
            }
            None => self.of_owner(*last_holder),
        };
        for holder in holders {
            *last_holder = Some(holder);
            for owner in owners.iter().filter(|owner| **owner != holder) {
                self.relate(holder, *owner, found);
            }
        }
    }

    fn relate(&self, holder: usize, owner: usize, found: &mut Vec<Statement>) {
        let (subject, predicate, object) = match self.sense {
            Sense::Owner(predicate, ..) => (owner, predicate, holder),
            Sense::Holder(predicate, ..) => (holder, predicate, owner),
            Sense::Office => {
                found.push(Statement {
                    subject: holder,
                    predicate: "position",
                    object: Target::Text(super::positions::text(
                        &self.scene.tokens[self.start..=self.at],
                    )),
                    sentence: self.sentence.position,
                    confidence: 0.75,
                });
                (holder, "workedFor", owner)
            }
        };
        found.push(self.sentence.state(subject, predicate, object, 0.75));
    }

    fn token(&self, at: usize) -> Option<&Token<'_>> {
        self.sentence
            .tokens
            .contains(&at)
            .then(|| &self.scene.tokens[at])
    }

    fn fits_holder(&self, item: usize) -> bool {
        self.sense.kinds().0.has(self.scene.item(item).kind)
    }

    fn fits_owner(&self, item: usize) -> bool {
        self.sense.kinds().1.has(self.scene.item(item).kind)
    }

    /// The item whose last token is `at`.
    fn ending(&self, at: usize) -> Option<usize> {
        let item = self.scene.item_at(self.sentence, at)?;
        (self.scene.item(item).last() == at).then_some(item)
    }

    /// `her brother`, `Acme's director`, `Acme, whose founder`.
    fn owner_before(&self) -> Option<usize> {
        let before = self.start.checked_sub(1)?;
        let word = self.token(before)?;
        let owner = match word.text {
            "whose" => {
                let comma = usize::from(self.token(before.checked_sub(1)?)?.sign(","));
                self.ending(before.checked_sub(1 + comma)?)
            }
            "s" => {
                self.token(before.checked_sub(1)?)
                    .filter(|mark| matches!(mark.text, "'" | "’") && !mark.spaced)?;
                self.ending(before.checked_sub(2)?)
            }
            "his" | "her" | "its" | "His" | "Her" | "Its" => {
                self.scene
                    .meant(self.sentence, before, word.text, self.sense.kinds().1)
            }
            _ => None,
        }?;
        self.fits_owner(owner).then_some(owner)
    }

    /// The names after `at`: `, Paul and Anna`, `was the painter Paul`.
    fn holders_after(&self, at: usize) -> Vec<usize> {
        let mut at = at;
        if self
            .token(at)
            .is_some_and(|token| matches!(token.text, "," | "was" | "is" | "were" | "are" | ":"))
        {
            at += 1;
        }
        let Some(first) = self.item_from(at).filter(|item| self.fits_holder(*item)) else {
            return Vec::new();
        };
        self.listed(first, |item| self.fits_holder(item))
    }

    /// An item with those of a kind that it is listed with.
    fn listed(&self, first: usize, fits: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut found = vec![first];
        let following = self.sentence.items.clone().filter(|item| *item > first);
        for item in following {
            let gap = self.scene.gap(found[found.len() - 1], item);
            let joined = gap.len() == 1 && matches!(gap[0].text, "and" | ",") && fits(item);
            let list =
                joined && (gap[0].text == "and" || self.scene.tokens[self.at].text.ends_with('s'));
            if !list {
                break;
            }
            found.push(item);
        }
        found
    }

    /// The item that starts at `at` or after an article, titles and lower-case nouns there.
    fn item_from(&self, at: usize) -> Option<usize> {
        for ahead in at..at + REACH {
            let token = self.token(ahead)?;
            if let Some(item) = self.scene.item_at(self.sentence, ahead) {
                let known = self.scene.item(item);
                if !crate::offline::relations::is_demonym(known.text) {
                    return Some(item);
                }
                continue;
            }
            let also = token.text == "and"
                && ahead > at
                && self
                    .token(ahead + 1)
                    .is_some_and(|next| next.is(WordClass::PERSON_NOUN));
            let word = also
                || matches!(token.text, "the" | "a" | "an" | "The" | ".")
                || token.is(WordClass::TITLE)
                || (token.shape == Shape::Lower && !token.is(WordClass::FUNCTION));
            if !word {
                return None;
            }
        }
        None
    }

    /// Owners after `of` with their holders: before the noun, else after the owner.
    fn of_owner(&self, last_holder: Option<usize>) -> (Vec<usize>, Vec<usize>) {
        let none = (Vec::new(), Vec::new());
        let of = self.token(self.at + 1).filter(|of| of.text == "of");
        let Some(owner) = of.and_then(|_| self.owner_after(self.at + 2)) else {
            return none;
        };
        let owners = self.listed(owner, |item| {
            self.sense.is_family() && self.fits_owner(item)
        });
        let last = self.scene.item(owners[owners.len() - 1]).last();
        let article = self
            .token(self.start.wrapping_sub(1))
            .is_some_and(|token| one_of(token.text, "the a an The A An"));
        let before = self.start.saturating_sub(1 + usize::from(article));
        let holder = self.holder_before(before, last_holder);
        if let Some(holder) = holder.filter(|_| !matches!(self.sense, Sense::Office)) {
            return (owners, vec![holder]);
        }
        let comma = self.token(last + 1).is_some_and(|token| token.sign(","));
        let named = comma && self.ending_phrase(last + 2) && holder.is_none();
        let holders = if named {
            self.holders_after(last + 1)
        } else {
            Vec::new()
        };
        (owners, holders)
    }

    /// Whether a name starts at `at` without anything before it.
    fn ending_phrase(&self, at: usize) -> bool {
        self.token(at).is_some_and(Token::is_capital)
    }

    fn owner_after(&self, at: usize) -> Option<usize> {
        let the = usize::from(self.token(at)?.text == "the");
        let near = self
            .scene
            .item_at(self.sentence, at + the)
            .filter(|item| self.scene.item(*item).first() == at + the);
        let owner = match near {
            Some(item) => Some(item),
            None if self.sense.is_family() => self.item_from(at),
            None if the == 1 => self.scene.definite(self.sentence, self.token(at + 1)?),
            None => None,
        }?;
        self.fits_owner(owner).then_some(owner)
    }

    /// The name before the noun phrase whose last token outside is `at`: `X,` or `X is`.
    fn holder_before(&self, at: usize, last_holder: Option<usize>) -> Option<usize> {
        let mut at = at;
        let mut word = self.token(at)?;
        while matches!(
            word.text,
            "his" | "her" | "its" | "still" | "now" | "also" | "the"
        ) {
            at = at.checked_sub(1)?;
            word = self.token(at)?;
        }
        let holder = match word.text {
            "," => self
                .ending(at.checked_sub(1)?)
                .filter(|item| self.fits_holder(*item))
                .or_else(|| self.leading().filter(|_| self.sense.is_family())),
            "and" => last_holder,
            "is" | "was" | "are" | "were" | "became" | "becomes" | "remains" => self.subject_of(at),
            _ => None,
        }?;
        self.fits_holder(holder).then_some(holder)
    }

    /// Whom the sentence starts with.
    fn leading(&self) -> Option<usize> {
        let start = self.sentence.tokens.start;
        let word = self.token(start)?;
        if matches!(word.text, "He" | "She") {
            return self
                .scene
                .meant(self.sentence, start, word.text, self.sense.kinds().0);
        }
        self.scene
            .item_at(self.sentence, start)
            .filter(|item| self.scene.item(*item).last() < self.at)
    }

    /// The subject of the verb at `at`: a pronoun or name before it, else the sentence's first.
    fn subject_of(&self, at: usize) -> Option<usize> {
        let before = at.checked_sub(1)?;
        let word = self.token(before)?;
        if matches!(word.text, "he" | "she" | "He" | "She") {
            return self
                .scene
                .meant(self.sentence, before, word.text, self.sense.kinds().0);
        }
        self.ending(before).or_else(|| {
            self.sentence
                .items
                .clone()
                .take_while(|item| self.scene.item(*item).last() < at)
                .find(|item| self.fits_holder(*item))
        })
    }
}
