//! Whom `he`, `her` and `its` mean, by the gender of given names and titles.

use std::collections::HashMap;

use super::scene::{Kinds, Scene, Sentence};
use crate::offline::{
    kind::Kind,
    lexicon::{WordClass, lexicon},
    token::Token,
};

/// Whether somebody is called by the pronouns of women.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gender {
    Female,
    Male,
}

impl Gender {
    /// The gender of a pronoun that means a person.
    pub(super) fn of_pronoun(word: &str) -> Option<Self> {
        match word {
            "she" | "She" | "her" | "Her" => Some(Self::Female),
            "he" | "He" | "his" | "His" | "him" => Some(Self::Male),
            _ => None,
        }
    }

    /// By the given name that a full name starts with.
    fn of_name(name: &str) -> Option<Self> {
        let class = lexicon().class(&name.split_whitespace().next()?.to_lowercase());
        match (class.is(WordClass::FEMALE), class.is(WordClass::MALE)) {
            (true, false) => Some(Self::Female),
            (false, true) => Some(Self::Male),
            _ => None,
        }
    }

    fn of_title(title: &str) -> Option<Self> {
        match title {
            "Mrs" | "Ms" | "Miss" | "Dame" | "Lady" | "Queen" | "Princess" | "Sister" => {
                Some(Self::Female)
            }
            "Mr" | "Sir" | "Lord" | "King" | "Prince" | "Father" | "Brother" => Some(Self::Male),
            _ => None,
        }
    }
}

/// The gender of each item as far as the text tells it; what is known of a full name holds for the
/// surname where no other person has it.
pub(super) fn genders<'a>(
    tokens: &[Token<'_>],
    items: impl Iterator<Item = (Kind, &'a str, Option<usize>)> + Clone,
) -> Vec<Option<Gender>> {
    let own = |name: &str, first: Option<usize>| {
        let title = first.and_then(|first| {
            let before = &tokens[first.checked_sub(1)?];
            let back = if before.sign(".") { 2 } else { 1 };
            Gender::of_title(tokens[first.checked_sub(back)?].text)
        });
        title.or_else(|| Gender::of_name(name))
    };
    let mut surnames: HashMap<&str, Option<Gender>> = HashMap::new();
    for (kind, name, first) in items.clone() {
        let (Kind::Person, Some(gender), Some(surname)) =
            (kind, own(name, first), name.split_whitespace().last())
        else {
            continue;
        };
        surnames
            .entry(surname)
            .and_modify(|known| *known = known.filter(|known| *known == gender))
            .or_insert(Some(gender));
    }
    items
        .map(|(kind, name, first)| {
            let person = kind == Kind::Person;
            let known = own(name, first).filter(|_| person);
            known.or_else(|| surnames.get(name).copied().flatten().filter(|_| person))
        })
        .collect()
}

impl Scene<'_> {
    /// Whom or what a pronoun before the token `at` means: of the sentence, else of those before it.
    pub(super) fn meant(
        &self,
        sentence: &Sentence,
        at: usize,
        pronoun: &str,
        kinds: Kinds,
    ) -> Option<usize> {
        let item = match Gender::of_pronoun(pronoun) {
            Some(gender) => self.person_meant(sentence, at, gender),
            None => self
                .thing_before(sentence, at, pronoun, kinds)
                .or_else(|| self.only_organization(sentence))
                .or(sentence.thing),
        }?;
        kinds.has(self.item(item).kind).then_some(item)
    }

    fn person_meant(&self, sentence: &Sentence, at: usize, gender: Gender) -> Option<usize> {
        let earlier = sentence.items.clone().find(|item| {
            let known = self.gender(*item);
            self.item(*item).last() < at
                && self.item(*item).kind == Kind::Person
                && known.is_none_or(|known| known == gender)
        });
        earlier.or(match gender {
            Gender::Female => sentence.she,
            Gender::Male => sentence.he,
        })
    }

    fn thing_before(
        &self,
        sentence: &Sentence,
        at: usize,
        pronoun: &str,
        kinds: Kinds,
    ) -> Option<usize> {
        let own = matches!(pronoun, "its" | "Its");
        sentence.items.clone().filter(|_| own).find(|item| {
            let item = self.item(*item);
            item.last() < at && kinds.has(item.kind) && item.kind != Kind::Person
        })
    }

    /// The organisation of the sentence before, where that has only one.
    fn only_organization(&self, sentence: &Sentence) -> Option<usize> {
        let before = self.sentence(sentence.position.checked_sub(1)?)?;
        let mut found = before
            .items
            .clone()
            .filter(|item| self.item(*item).kind == Kind::Organization);
        found.next().filter(|_| found.next().is_none())
    }

    /// What `the company` means: the thing that the text is about, where it is one of the kind.
    pub(super) fn definite(&self, sentence: &Sentence, noun: &Token<'_>) -> Option<usize> {
        let kind = crate::offline::typing::noun_kind(noun)?;
        self.only_organization(sentence)
            .or(sentence.thing)
            .filter(|item| self.item(*item).kind == kind)
            .or_else(|| {
                // A newspaper is a firm as well as a work.
                let either = |kind| matches!(kind, Kind::Organization | Kind::Work);
                sentence
                    .thing
                    .filter(|item| either(kind) && either(self.item(*item).kind))
            })
    }
}
