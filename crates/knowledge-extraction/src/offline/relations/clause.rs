//! Clauses: a word of the rules, its subject to the left, its values to the right.

use super::{
    rules::{About, Rule, Slot, Voice, rules},
    scene::{Kinds, Scene, Sentence, Statement},
};
use crate::offline::{
    kind::Kind,
    lexicon::{WordClass, one_of},
    token::{Shape, Token},
};

/// Values are looked for up to so many tokens after the word.
const REACH: usize = 40;

pub(super) fn find(scene: &Scene<'_>, sentence: &Sentence, found: &mut Vec<Statement>) {
    for at in sentence.tokens.clone() {
        let token = &scene.tokens[at];
        if !token.is_word() || token.char_count() > 14 {
            continue;
        }
        let lower = token.lower();
        let rules = rules(&lower);
        if rules.is_empty() || scene.item_at(sentence, at).is_some() {
            continue;
        }
        let clause = Clause {
            scene,
            sentence,
            at,
        };
        let passive = clause.is_passive();
        for rule in rules {
            let fits = match rule.voice {
                Voice::Any => true,
                Voice::Passive => passive,
                Voice::Active => !passive,
            };
            if fits {
                clause.apply(rule, found);
            }
        }
    }
}

struct Clause<'a, 'b> {
    scene: &'a Scene<'b>,
    sentence: &'a Sentence,
    at: usize,
}

impl Clause<'_, '_> {
    fn token(&self, at: usize) -> &Token<'_> {
        &self.scene.tokens[at]
    }

    fn before(&self, back: usize) -> Option<&Token<'_>> {
        let at = self.at.checked_sub(back)?;
        self.sentence.tokens.contains(&at).then(|| self.token(at))
    }

    /// A participle after a form of `be`, or one that opens the sentence or a bracket, or that has
    /// `by` after it, or that follows a noun without a subject of its own.
    fn is_passive(&self) -> bool {
        let mut back = 1;
        while self.before(back).is_some_and(|token| {
            token.text.ends_with("ly")
                || one_of(
                    token.text,
                    "first originally also later then once not co - and well",
                )
                || (back > 1 && token.text.ends_with("ed"))
        }) && back < 6
        {
            back += 1;
        }
        let be = self.before(back).is_some_and(|token| {
            matches!(
                token.text,
                "was" | "were" | "is" | "are" | "been" | "being" | "be"
            )
        });
        let opens = self.before(1).is_none_or(|token| token.sign("("));
        let by = (1..=5).any(|ahead| {
            self.scene
                .tokens
                .get(self.at + ahead)
                .is_some_and(|token| token.text == "by")
                && (ahead == 1
                    || self.scene.tokens[self.at + 1..self.at + ahead]
                        .iter()
                        .all(|token| matches!(token.shape, Shape::Lower | Shape::Number)))
        });
        be || opens || by || self.is_participle()
    }

    fn apply(&self, rule: &Rule, found: &mut Vec<Statement>) {
        let Some((subjects, confidence)) = self.subjects(rule) else {
            return;
        };
        let mut direct: Option<usize> = None;
        let mut used: Vec<&'static str> = Vec::new();
        let mut last: Option<(usize, &Slot)> = None;
        for item in self.values() {
            let coordinated = last.filter(|(before, _)| self.is_coordinated(*before, item));
            let slot = match coordinated {
                Some((_, slot)) if slot.kinds.has(self.scene.item(item).kind) => Some(slot),
                _ => self
                    .slot(rule, item, direct.is_some())
                    .filter(|slot| !used.contains(&slot.predicate)),
            };
            let Some(slot) = slot.filter(|_| !subjects.contains(&item)) else {
                continue;
            };
            used.push(slot.predicate);
            last = Some((item, slot));
            let is_object = slot.about == About::Subject
                && self
                    .preposition(item)
                    .is_none_or(|word| slot.prepositions.contains(&word));
            if is_object && direct.is_none() && !self.scene.item(item).kind.is_literal() {
                direct = Some(item);
            }
            let left: Vec<usize> = match slot.about {
                About::Subject => subjects.clone(),
                About::Object => direct.into_iter().collect(),
            };
            for subject in left {
                if slot.predicate.is_empty() {
                    continue;
                }
                if slot.predicate == "parentOf" {
                    found.push(self.sentence.state(subject, "childOf", item, confidence));
                    continue;
                }
                let (subject, object) = if slot.flip {
                    (item, subject)
                } else {
                    (subject, item)
                };
                found.push(
                    self.sentence
                        .state(subject, slot.predicate, object, confidence),
                );
            }
        }
        self.opening_date(rule, (&subjects, direct), &used, found);
    }

    /// `In 1867 Acme bought Zenith`: a date that opens the sentence, where the rule has a place for
    /// one and none follows.
    fn opening_date(
        &self,
        rule: &Rule,
        (subjects, direct): (&[usize], Option<usize>),
        used: &[&'static str],
        found: &mut Vec<Statement>,
    ) {
        let start = self.sentence.tokens.start;
        let slot = rule.slots.iter().find(|slot| slot.kinds == Kinds::DATE);
        let Some(slot) = slot.filter(|slot| !used.contains(&slot.predicate)) else {
            return;
        };
        let date = self.sentence.items.clone().next().filter(|item| {
            let item = self.scene.item(*item);
            item.kind == Kind::Date && item.first() == start + 1
        });
        let opens = matches!(self.token(start).text, "In" | "On");
        let (Some(date), true, true) = (date, opens, self.at - start <= 12) else {
            return;
        };
        let left: Vec<usize> = match slot.about {
            About::Subject => subjects.to_vec(),
            About::Object => direct.into_iter().collect(),
        };
        for subject in left {
            found.push(self.sentence.state(subject, slot.predicate, date, 0.7));
        }
    }

    /// The items after the word, up to the next clause.
    fn values(&self) -> Vec<usize> {
        let end = (self.at + 1..self.sentence.tokens.end.min(self.at + REACH))
            .find(|at| self.ends_clause(*at))
            .unwrap_or(self.sentence.tokens.end.min(self.at + REACH));
        self.sentence
            .items
            .clone()
            .filter(|item| {
                let first = self.scene.item(*item).first();
                first > self.at && first < end
            })
            .collect()
    }

    fn ends_clause(&self, at: usize) -> bool {
        let token = self.token(at);
        if token.sign(";")
            || matches!(
                token.text,
                "who" | "which" | "where" | "while" | "but" | "whose" | "although" | "because"
            )
        {
            return true;
        }
        let pronoun = matches!(token.text, "he" | "she" | "it" | "they");
        let verb = token.shape == Shape::Lower
            && one_of(token.text, "is was are were has had became moved died")
            && at > self.at + 1;
        let rule = token.shape == Shape::Lower
            && rules(token.text)
                .iter()
                .any(|rule| rule.voice != Voice::Any)
            && !token.is(WordClass::FUNCTION);
        pronoun || verb || rule || (token.text == "died" || token.text == "born") && at > self.at
    }

    /// Whether `item` only continues a list that `before` is in; a comma between places does not.
    fn is_coordinated(&self, before: usize, item: usize) -> bool {
        let gap = self.scene.gap(before, item);
        let joins = !gap.is_empty()
            && gap.len() <= 3
            && gap
                .iter()
                .all(|token| matches!(token.text, "," | "and" | "&" | "or" | "the"));
        let (a, b) = (self.scene.item(before).kind, self.scene.item(item).kind);
        joins
            && a == b
            && !a.is_literal()
            && (a != Kind::Place || gap.iter().any(|token| token.text == "and"))
    }

    fn slot<'s>(&self, rule: &'s Rule, item: usize, has_object: bool) -> Option<&'s Slot> {
        let kind = self.scene.item(item).kind;
        let preposition = self.preposition(item);
        rule.slots.iter().find(|slot| {
            slot.kinds.has(kind)
                && (slot.about == About::Subject || has_object)
                && match preposition {
                    Some(word) => slot.prepositions.contains(&word),
                    None => slot.prepositions.is_empty() || slot.prepositions.contains(&""),
                }
        })
    }

    /// The last preposition between the item and what stands before it.
    fn preposition(&self, item: usize) -> Option<&str> {
        let first = self.scene.item(item).first();
        let start = self
            .sentence
            .items
            .clone()
            .map(|other| self.scene.item(other).last() + 1)
            .filter(|end| *end <= first)
            .max()
            .unwrap_or(0)
            .max(self.at + 1);
        let gap = &self.scene.tokens[start.min(first)..first];
        let listed = !gap.is_empty()
            && gap
                .iter()
                .all(|token| matches!(token.text, "," | "and" | "or"));
        let before = item
            .checked_sub(1)
            .filter(|before| listed && self.scene.item(*before).first() > self.at);
        if let Some(before) = before
            && self.scene.item(before).kind == self.scene.item(item).kind
        {
            return self.preposition(before);
        }
        gap.iter()
            .rev()
            .take(8)
            .find(|token| {
                one_of(
                    token.text,
                    "of in on at by for from to with near within after during into as under over \
 between against through via since around about before until than like that",
                )
            })
            .map(|token| token.text)
    }

    /// The subject of the clause with those it is coordinated with, and how sure that is.
    fn subjects(&self, rule: &Rule) -> Option<(Vec<usize>, f64)> {
        let kinds = rule.subject;
        let left: Vec<usize> = self
            .sentence
            .items
            .clone()
            .take_while(|item| self.scene.item(*item).first() < self.at)
            .collect();
        let start = self.clause_start().max(self.after_sign());
        let relative = self
            .scene
            .tokens
            .get(start)
            .is_some_and(|token| matches!(token.text, "who" | "which" | "whose"));
        if relative {
            let nearest = left
                .iter()
                .rev()
                .find(|item| self.scene.item(**item).last() < start)?;
            let fits = kinds.has(self.scene.item(*nearest).kind);
            return fits
                .then(|| (vec![*nearest], 0.8))
                .or_else(|| self.first_of(&left, kinds, 0));
        }
        if self.is_participle() || self.is_named_holder(&left) {
            let nearest = left.last().copied();
            let fits = |item: &usize| kinds.has(self.scene.item(*item).kind);
            if let Some(nearest) = nearest.filter(fits) {
                return Some((vec![nearest], 0.8));
            }
        }
        if let Some(noun) = self.definite(start) {
            let item = self.scene.definite(self.sentence, noun)?;
            return kinds
                .has(self.scene.item(item).kind)
                .then(|| (vec![item], 0.7));
        }
        if let Some(pronoun) = self.pronoun(start) {
            let item = self.scene.meant(self.sentence, self.at, pronoun, kinds)?;
            return Some((vec![item], 0.7));
        }
        if self.before(1).is_some_and(|token| token.sign("(")) {
            let nearest = left
                .iter()
                .rev()
                .find(|item| kinds.has(self.scene.item(**item).kind))?;
            return Some((vec![*nearest], 0.85));
        }
        self.first_of(&left, kinds, start)
            .or_else(|| self.first_of(&left, kinds, self.after_sign()))
            .or_else(|| self.earlier_pronoun(kinds))
            .or_else(|| self.after_participle(kinds))
    }

    /// `Her father, Karl Reed, owns …`: the name stands for the noun before it.
    fn is_named_holder(&self, left: &[usize]) -> bool {
        let Some(item) = left.last().map(|item| self.scene.item(*item)) else {
            return false;
        };
        let ends =
            self.before(1).is_some_and(|token| token.sign(",")) && item.last() + 2 == self.at;
        let noun = item.first().checked_sub(2).is_some_and(|at| {
            let (noun, comma) = (self.token(at), self.token(at + 1));
            comma.sign(",")
                && noun.shape == Shape::Lower
                && noun.is(WordClass::PERSON_NOUN
                    .and(WordClass::ROLE)
                    .and(WordClass::OFFICE))
        });
        ends && noun
    }

    /// `She studied at Acme and later taught at …`: the pronoun that the sentence is about.
    fn earlier_pronoun(&self, kinds: Kinds) -> Option<(Vec<usize>, f64)> {
        let start = self.sentence.tokens.start;
        let at = (start..self.at)
            .find(|at| matches!(self.token(*at).text, "He" | "She" | "he" | "she"))?;
        let item = self
            .scene
            .meant(self.sentence, at, self.token(at).text, kinds)?;
        Some((vec![item], 0.65))
    }

    /// `X, built by Y,`: a participle that a comma sets off from the name before it.
    fn is_participle(&self) -> bool {
        let comma = self.before(1).is_some_and(|token| token.sign(","));
        let named = self
            .at
            .checked_sub(2)
            .is_some_and(|at| self.scene.item_at(self.sentence, at).is_some());
        let goes_on = self
            .scene
            .tokens
            .get(self.at + 1)
            .is_some_and(|token| matches!(token.text, "by" | "in" | "on" | "at" | "for"));
        comma && named && goes_on
    }

    /// The position after the last colon or semicolon before the word; one in brackets is none.
    fn after_sign(&self) -> usize {
        let (mut depth, mut after) = (0_u32, 0);
        for at in self.sentence.tokens.start..self.at {
            match self.token(at).text {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                ":" | ";" if depth == 0 => after = at + 1,
                _ => {}
            }
        }
        after
    }

    /// Where the clause of the word starts: after `;`, at a relative pronoun, after `, and he`.
    fn clause_start(&self) -> usize {
        let start = self.sentence.tokens.start;
        (start..self.at)
            .rev()
            .take(12)
            .find(|at| {
                let token = self.token(*at);
                token.sign(";")
                    || token.sign(":")
                    || matches!(token.text, "who" | "which" | "whose")
                    || one_of(
                        token.text,
                        "he she it they He She It They His Her his her Its its",
                    ) && self.no_item_between(*at)
            })
            .unwrap_or(start)
    }

    fn no_item_between(&self, at: usize) -> bool {
        !self.sentence.items.clone().any(|item| {
            let first = self.scene.item(item).first();
            first > at && first < self.at && !self.scene.item(item).kind.is_literal()
        })
    }

    fn pronoun(&self, start: usize) -> Option<&str> {
        let token = self.scene.tokens.get(start).filter(|_| start < self.at)?;
        one_of(
            token.text,
            "he she it they He She It They His Her his her Its its",
        )
        .then_some(token.text)
    }

    /// `The company was founded …`: a noun for what the text is about.
    fn definite(&self, start: usize) -> Option<&Token<'_>> {
        let (the, noun) = (
            self.scene.tokens.get(start)?,
            self.scene.tokens.get(start + 1)?,
        );
        let short = matches!(the.text, "The" | "This")
            && noun.shape == Shape::Lower
            && start + 1 < self.at
            && self.no_item_between(start);
        short.then_some(noun)
    }

    /// The first item of the kinds from `start`, with the items that it is listed with.
    fn first_of(&self, left: &[usize], kinds: Kinds, start: usize) -> Option<(Vec<usize>, f64)> {
        let mut candidates = left.iter().copied().filter(|item| {
            let item = self.scene.item(*item);
            kinds.has(item.kind) && item.first() >= start
        });
        let first = candidates.next()?;
        let mut subjects = vec![first];
        for item in candidates {
            if !self.is_coordinated(*subjects.last()?, item) {
                break;
            }
            subjects.push(item);
        }
        let near = self.at - self.scene.item(first).last() <= 4;
        Some((subjects, if near { 0.9 } else { 0.75 }))
    }

    /// `Born in Milden, he moved …`, `Founded in 1857, Acme …`: what the main clause is about.
    fn after_participle(&self, kinds: Kinds) -> Option<(Vec<usize>, f64)> {
        if self.at != self.sentence.tokens.start {
            return None;
        }
        let subject = self.sentence.items.clone().find(|item| {
            let item = self.scene.item(*item);
            let comma = item
                .first()
                .checked_sub(1)
                .is_some_and(|before| self.token(before).sign(","));
            comma && kinds.has(item.kind) && !item.kind.is_literal()
        });
        if let Some(subject) = subject {
            return Some((vec![subject], 0.8));
        }
        let person = self
            .sentence
            .person
            .filter(|item| kinds.has(self.scene.item(*item).kind));
        let thing = self
            .sentence
            .thing
            .filter(|item| kinds.has(self.scene.item(*item).kind));
        Some((vec![person.or(thing)?], 0.65))
    }
}
