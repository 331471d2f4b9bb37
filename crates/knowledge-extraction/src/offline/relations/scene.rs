//! A chunk as the relation rules see it: sentences with the names and values in them.

use super::pronouns::{Gender, genders};
use crate::{
    extractor::{RelationRequest, TypedMention},
    offline::{
        kind::Kind,
        lexicon::WordClass,
        literals::literals,
        ontology::TypeMap,
        token::{Shape, Token},
    },
};

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const PERSON: Self = Self(1 << Kind::Person as u8);
    pub(super) const ORGANIZATION: Self = Self(1 << Kind::Organization as u8);
    pub(super) const PLACE: Self = Self(1 << Kind::Place as u8);
    pub(super) const DATE: Self = Self(1 << Kind::Date as u8);
    pub(super) const QUANTITY: Self = Self(1 << Kind::Quantity as u8);
    pub(super) const WORK: Self = Self(1 << Kind::Work as u8);
    pub(super) const EVENT: Self = Self(1 << Kind::Event as u8);
    pub(super) const THING: Self = Self(1 << Kind::Thing as u8);
    /// Whoever can act.
    pub(super) const AGENT: Self = Self::PERSON.or(Self::ORGANIZATION);
    /// Whatever is made.
    pub(super) const MADE: Self = Self::WORK.or(Self::THING);
    /// Whatever has a location.
    pub(super) const LOCATED: Self = Self::PLACE
        .or(Self::ORGANIZATION)
        .or(Self::WORK)
        .or(Self::EVENT)
        .or(Self::THING);
    /// Whatever is founded.
    pub(super) const FOUNDED: Self = Self::ORGANIZATION
        .or(Self::WORK)
        .or(Self::EVENT)
        .or(Self::PLACE)
        .or(Self::THING);

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }
}

/// A name or a value in the chunk.
#[derive(Debug, Clone)]
pub(super) struct Item<'a> {
    /// The mention; none for a value that the mentions do not have.
    pub(super) id: Option<u32>,
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Tokens, inclusive; none for the topic when it lies before the chunk.
    pub(super) tokens: Option<(usize, usize)>,
}

impl Item<'_> {
    pub(super) fn first(&self) -> usize {
        self.tokens.map_or(0, |(first, _)| first)
    }

    pub(super) fn last(&self) -> usize {
        self.tokens.map_or(0, |(_, last)| last)
    }
}

/// What a relation points at: an item's position, or a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    Item(usize),
    Text(String),
}

/// A relation before it is proposed; the subject is an item's position.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub(super) subject: usize,
    pub(super) predicate: &'static str,
    pub(super) object: Target,
    pub(super) sentence: usize,
    pub(super) confidence: f64,
}

/// A sentence: its tokens and items by position, end-exclusive.
#[derive(Debug, Clone)]
pub(super) struct Sentence {
    pub(super) position: usize,
    pub(super) tokens: std::ops::Range<usize>,
    pub(super) items: std::ops::Range<usize>,
    /// Whom the last sentence with a person as its subject was about.
    pub(super) person: Option<usize>,
    /// Whom `he` means in this sentence.
    pub(super) he: Option<usize>,
    /// Whom `she` means in this sentence.
    pub(super) she: Option<usize>,
    /// What `it` means in this sentence.
    pub(super) thing: Option<usize>,
}

impl Sentence {
    /// A statement that rests on this sentence.
    pub(super) fn state(
        &self,
        subject: usize,
        predicate: &'static str,
        object: usize,
        confidence: f64,
    ) -> Statement {
        Statement {
            subject,
            predicate,
            object: Target::Item(object),
            sentence: self.position,
            confidence,
        }
    }
}

/// A chunk with its items and sentences.
pub(super) struct Scene<'a> {
    pub(super) tokens: &'a [Token<'a>],
    items: Vec<Item<'a>>,
    genders: Vec<Option<Gender>>,
    sentences: Vec<Sentence>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(request: &RelationRequest<'a>, tokens: &'a [Token<'a>]) -> Self {
        let types = TypeMap::new(request.ontology);
        let kind = |mention: &TypedMention| {
            let names: Vec<&str> = mention.types.iter().map(String::as_str).collect();
            types.kind(&names)
        };
        let mut items: Vec<Item<'a>> = request
            .mentions
            .iter()
            .filter_map(|mention| {
                Some(Item {
                    id: Some(mention.id),
                    kind: kind(mention),
                    text: &mention.text,
                    tokens: Some(place(tokens, mention)?),
                })
            })
            .collect();
        add_values(request.text, tokens, &mut items);
        let topic = request.topic.map(|topic| Item {
            id: Some(topic.id),
            kind: kind(topic),
            text: &topic.text,
            tokens: None,
        });
        let mut scene = Self {
            tokens,
            items,
            genders: Vec::new(),
            sentences: Vec::new(),
        };
        let topic = topic.map(|topic| {
            scene.items.push(topic);
            scene.items.len() - 1
        });
        let named = scene
            .items
            .iter()
            .map(|item| (item.kind, item.text, item.tokens.map(|(first, _)| first)));
        scene.genders = genders(tokens, named);
        scene.sentences = scene.cut(topic);
        scene
    }

    /// The sentences with what their pronouns mean: the subject of the last sentence that had one of
    /// the kind, first of all the topic.
    fn cut(&self, topic: Option<usize>) -> Vec<Sentence> {
        let placed = self.items.len() - usize::from(topic.is_some());
        let of = |topic: Option<usize>, person: bool| {
            topic.filter(|topic| (self.items[*topic].kind == Kind::Person) == person)
        };
        let (mut person, mut thing) = (of(topic, true), of(topic, false));
        let fits = |item: &usize, gender| self.gender(*item).is_none_or(|known| known == gender);
        let mut he = person.filter(|item| fits(item, Gender::Male));
        let mut she = person.filter(|item| fits(item, Gender::Female));
        let mut found: Vec<Sentence> = Vec::new();
        let (mut token, mut item) = (0, 0);
        while token < self.tokens.len() {
            let sentence = self.tokens[token].sentence;
            let end = self.tokens[token..]
                .iter()
                .position(|t| t.sentence != sentence)
                .map_or(self.tokens.len(), |ahead| token + ahead);
            let items_end = self.items[item..placed]
                .iter()
                .position(|i| i.first() >= end)
                .map_or(placed, |ahead| item + ahead);
            let cut = Sentence {
                position: found.len(),
                tokens: token..end,
                items: item..items_end,
                person,
                he,
                she,
                thing,
            };
            // Where nobody was a subject yet, a pronoun means who was named with its gender.
            for item in cut.items.clone() {
                match self.gender(item) {
                    Some(Gender::Male) => he = he.or(Some(item)),
                    Some(Gender::Female) => she = she.or(Some(item)),
                    None => {}
                }
            }
            let subject = cut.items.clone().find(|i| self.is_subject(*i, token));
            if let Some(subject) = subject {
                match self.items[subject].kind {
                    Kind::Person => {
                        person = Some(subject);
                        he = person.filter(|item| fits(item, Gender::Male)).or(he);
                        she = person.filter(|item| fits(item, Gender::Female)).or(she);
                    }
                    Kind::Organization | Kind::Work | Kind::Event => thing = Some(subject),
                    _ => {}
                }
            }
            found.push(cut);
            (token, item) = (end, items_end);
        }
        found
    }

    /// Whether an item stands where subjects stand: no verb or preposition before it.
    fn is_subject(&self, item: usize, start: usize) -> bool {
        let first = self.items[item].first();
        !self.items[item].kind.is_literal()
            && self.tokens[start..first].iter().all(|token| {
                token.shape == Shape::Sign
                    || token.is(WordClass::TITLE
                        .and(WordClass::PERSON_NOUN)
                        .and(WordClass::WORK_HEAD))
                    || matches!(token.text, "The" | "the" | "A" | "An")
            })
    }

    pub(super) fn sentences(&self) -> Vec<Sentence> {
        self.sentences.clone()
    }

    /// The sentence at a position.
    pub(super) fn sentence(&self, position: usize) -> Option<&Sentence> {
        self.sentences.get(position)
    }

    /// The gender of a person, where the text or the given name tells it.
    pub(super) fn gender(&self, position: usize) -> Option<Gender> {
        self.genders.get(position).copied().flatten()
    }

    pub(super) fn item(&self, position: usize) -> &Item<'a> {
        &self.items[position]
    }

    pub(super) fn sentence_tokens(&self, position: usize) -> (&Token<'a>, &Token<'a>) {
        let range = &self.sentences[position].tokens;
        (&self.tokens[range.start], &self.tokens[range.end - 1])
    }

    /// The tokens between two items of a sentence.
    pub(super) fn gap(&self, left: usize, right: usize) -> &'a [Token<'a>] {
        let (start, end) = (self.items[left].last() + 1, self.items[right].first());
        self.tokens.get(start..end).unwrap_or_default()
    }

    /// The item that covers a token of the sentence.
    pub(super) fn item_at(&self, sentence: &Sentence, token: usize) -> Option<usize> {
        sentence
            .items
            .clone()
            .find(|item| self.items[*item].first() <= token && token <= self.items[*item].last())
    }
}

/// The tokens of a mention.
fn place(tokens: &[Token<'_>], mention: &TypedMention) -> Option<(usize, usize)> {
    let span = mention.span?;
    let first = tokens.partition_point(|token| token.end_char <= span.start());
    let end = tokens.partition_point(|token| token.start_char < span.end());
    (first < end).then(|| (first, end - 1))
}

/// Dates and amounts that are not among the mentions, because the ontology has no class for them.
fn add_values<'a>(text: &'a str, tokens: &'a [Token<'a>], items: &mut Vec<Item<'a>>) {
    let mut covered = vec![false; tokens.len()];
    for (first, last) in items.iter().filter_map(|item| item.tokens) {
        covered[first..=last].fill(true);
    }
    for literal in literals(tokens) {
        if covered[literal.first..=literal.last].contains(&true) {
            continue;
        }
        items.push(Item {
            id: None,
            kind: literal.kind,
            text: &text[tokens[literal.first].start..tokens[literal.last].end],
            tokens: Some((literal.first, literal.last)),
        });
    }
    items.sort_by_key(Item::first);
}
