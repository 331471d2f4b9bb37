//! What kind of thing a name names: by its words, by the text around it, by its other uses.

use std::collections::HashMap;

use super::{
    kind::Kind,
    lexicon::{WordClass, lexicon},
    names::{Scene, Span},
    token::{Shape, Token},
};

/// A kind with how much speaks for it: 3 for the name's own words, 2 for the text around it, 1 for
/// a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) kind: Kind,
    pub(super) weight: u8,
}

fn verdict(kind: Kind, weight: u8) -> Option<Verdict> {
    Some(Verdict { kind, weight })
}

/// The kinds of all names of a text, settled between the uses of each name.
pub(super) fn kinds(scene: &Scene<'_>, names: &[Span]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = names.iter().map(|name| one(scene, *name)).collect();
    settle(scene, names, &mut verdicts);
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

    fn by_words(&self) -> Option<Verdict> {
        let phrase = self.scene.phrase(self.name.first, self.name.last);
        let bare = phrase.strip_prefix("the ").unwrap_or(&phrase);
        if let Some(kind) = lexicon().known(bare) {
            return verdict(kind, 3);
        }
        if let Some((direction, people)) = bare.split_once(' ')
            && matches!(
                direction,
                "north" | "south" | "east" | "west" | "latin" | "native" | "central"
            )
            && lexicon().class(people).is(WordClass::DEMONYM)
        {
            return verdict(Kind::Place, 3);
        }
        let first = self.token(self.name.first);
        if self.name.first == self.name.last {
            if first.is(WordClass::DEMONYM) {
                return verdict(self.language_or_place(), 3);
            }
            if first.is(WordClass::GROUP) {
                return verdict(Kind::Organization, 3);
            }
        }
        if self.is_initialled() {
            return verdict(Kind::Person, 3);
        }
        self.by_head()
    }

    /// The adjective of a country is a place, the name of a language is not.
    fn language_or_place(&self) -> Kind {
        let language = self.after(1).is_some_and(|next| {
            matches!(
                next.text,
                "language"
                    | "languages"
                    | "dialect"
                    | "word"
                    | "words"
                    | "phrase"
                    | ":"
                    | "alphabet"
                    | "name"
                    | "term"
            )
        }) || (self
            .before(1)
            .is_some_and(|before| matches!(before.text, "in" | "In" | "into" | "from" | "("))
            && self.after(1).is_none_or(|next| {
                matches!(next.text, ":" | ")" | "," | "." | ";" | "as" | "and")
            }))
            && self
                .before(1)
                .is_some_and(|before| matches!(before.text, "in" | "In" | "into" | "("));
        if language { Kind::Thing } else { Kind::Place }
    }

    /// `E. Brandt`, `J.R.R. Tolkien`, `John F. Kennedy`, `Sammy Davis Jr.`.
    fn is_initialled(&self) -> bool {
        let tokens = &self.scene.tokens[self.name.first..=self.name.last];
        let initial = tokens
            .windows(2)
            .any(|pair| pair[0].is_initial() && pair[1].sign("."));
        let last = tokens.iter().rev().find(|token| token.is_word());
        let junior = last.is_some_and(|token| matches!(token.text, "Jr" | "Sr"));
        let head =
            last.is_some_and(|token| token.is(WordClass::ORG_HEAD.and(WordClass::PLACE_HEAD)));
        tokens.len() > 2 && (initial || junior) && !head && !self.has_of()
    }

    fn has_of(&self) -> bool {
        self.words().any(|token| matches!(token.text, "of" | "for"))
    }

    /// The head of the name: the word before `of`, else the last.
    fn head(&self) -> &Token<'_> {
        let words: Vec<&Token<'_>> = self.words().collect();
        let of = words
            .iter()
            .position(|token| matches!(token.text, "of" | "for" | "on" | "against"));
        let end = of.filter(|of| *of > 0).unwrap_or(words.len());
        words[..end]
            .iter()
            .rev()
            .find(|token| token.is_word() && !is_roman(token))
            .copied()
            .unwrap_or(words[0])
    }

    fn by_head(&self) -> Option<Verdict> {
        let head = self.head();
        let single = self.name.first == self.name.last;
        let numbered = self.words().any(|token| token.shape == Shape::Number);
        if head.is(WordClass::SUFFIX) {
            return verdict(Kind::Organization, 3);
        }
        let given = self.token(self.name.first).is(WordClass::GIVEN) && !single && !self.has_of();
        let weight = if given && self.word_count() == 2 && !strong_head(head) {
            2
        } else {
            3
        };
        if single {
            return None;
        }
        let singular = singular(head);
        let org = head.is(WordClass::ORG_HEAD);
        let place = head.is(WordClass::PLACE_HEAD) || singular.is(WordClass::PLACE_HEAD);
        let work = head.is(WordClass::WORK_HEAD) || singular.is(WordClass::WORK_HEAD);
        let event = head.is(WordClass::EVENT_HEAD) || singular.is(WordClass::EVENT_HEAD);
        if let Some(kind) = opening_head(self.token(self.name.first)) {
            return verdict(kind, 3);
        }
        if is_roman(self.token(self.name.last))
            && !(org || place || work || event)
            && self.word_count() <= 4
        {
            return verdict(Kind::Person, 2);
        }
        if self.token(self.name.first).is(WordClass::PLACE_HEAD)
            && matches!(
                self.token(self.name.first).text,
                "Lake"
                    | "Mount"
                    | "River"
                    | "Cape"
                    | "Port"
                    | "Fort"
                    | "San"
                    | "Santa"
                    | "Via"
                    | "Rue"
                    | "Piazza"
                    | "Plaza"
                    | "Isle"
                    | "Loch"
                    | "Rio"
                    | "Monte"
                    | "Mt"
                    | "Point"
                    | "Villa"
            )
            && !org
        {
            return verdict(Kind::Place, weight);
        }
        if event && !(org && !numbered) {
            return verdict(Kind::Event, weight);
        }
        if org && place {
            return verdict(
                if matches!(head.text, "House" | "Department") {
                    Kind::Organization
                } else {
                    Kind::Place
                },
                2,
            );
        }
        if org {
            return verdict(Kind::Organization, weight);
        }
        if place {
            return verdict(Kind::Place, weight);
        }
        if work {
            return verdict(Kind::Work, weight);
        }
        if self.words().any(|token| {
            matches!(
                token.text,
                "University"
                    | "College"
                    | "Institute"
                    | "Academy"
                    | "Corporation"
                    | "Ministry"
                    | "FC"
                    | "FK"
                    | "SC"
                    | "EC"
                    | "AC"
                    | "FC."
                    | "SK"
                    | "NK"
                    | "BK"
                    | "IF"
                    | "CF"
                    | "RC"
            )
        }) {
            return verdict(Kind::Organization, 3);
        }
        if given {
            return verdict(Kind::Person, 3);
        }
        None
    }

    fn word_count(&self) -> usize {
        self.words().filter(|token| token.is_word()).count()
    }

    fn by_context(&self) -> Option<Verdict> {
        self.by_title()
            .or_else(|| self.by_copula())
            .or_else(|| self.by_apposition())
            .or_else(|| self.by_following())
            .or_else(|| self.by_life())
            .or_else(|| self.by_membership())
            .or_else(|| self.by_preposition())
    }

    fn by_title(&self) -> Option<Verdict> {
        let mut back = 1;
        if self.before(1).is_some_and(|token| token.sign(".")) {
            back = 2;
        }
        let title = self.before(back)?;
        let capital = title.is_capital() && title.is(WordClass::TITLE) && !title.opens
            || title.is_capital()
                && matches!(
                    title.text,
                    "Mr" | "Mrs"
                        | "Ms"
                        | "Dr"
                        | "Prof"
                        | "Sir"
                        | "President"
                        | "Professor"
                        | "King"
                        | "Queen"
                );
        (capital && self.token(self.name.first).spaced).then_some(Verdict {
            kind: Kind::Person,
            weight: 3,
        })
    }

    /// `X is a German skeleton racer who`, `X was the fourth album by`.
    fn by_copula(&self) -> Option<Verdict> {
        let mut ahead = self.past_brackets(1);
        if self
            .after(ahead)
            .is_some_and(|token| matches!(token.text, "\"" | "”"))
        {
            ahead += 1;
        }
        ahead = self.past_aside(ahead);
        let verb = self.after(ahead)?;
        if !matches!(
            verb.text,
            "is" | "was" | "are" | "were" | "became" | "remains"
        ) {
            return None;
        }
        let weight = if self
            .after(ahead + 1)
            .is_some_and(|token| matches!(token.text, "a" | "an" | "the" | "one"))
        {
            3
        } else {
            2
        };
        let kind = self.noun_from(ahead + 1)?;
        verdict(kind, weight)
    }

    /// The position after a bracket that opens at `ahead`.
    fn past_brackets(&self, ahead: usize) -> usize {
        if !self.after(ahead).is_some_and(|token| token.sign("(")) {
            return ahead;
        }
        (ahead..ahead + 40)
            .find(|at| self.after(*at).is_some_and(|token| token.sign(")")))
            .map_or(ahead, |at| at + 1)
    }

    /// The position after `, … ,`.
    fn past_aside(&self, ahead: usize) -> usize {
        if !self.after(ahead).is_some_and(|token| token.sign(",")) {
            return ahead;
        }
        (ahead + 1..ahead + 14)
            .find(|at| {
                self.after(*at).is_some_and(|token| token.sign(","))
                    && self
                        .after(at + 1)
                        .is_some_and(|token| matches!(token.text, "is" | "was" | "are" | "were"))
            })
            .map_or(ahead, |at| at + 1)
    }

    /// The kind of the noun phrase that starts at `ahead`.
    fn noun_from(&self, ahead: usize) -> Option<Kind> {
        let mut found = None;
        for at in ahead..ahead + 16 {
            let token = self.after(at)?;
            let stop = token.shape == Shape::Sign && !token.is_dash() && !token.sign(",")
                || matches!(
                    token.text,
                    "of" | "in"
                        | "from"
                        | "by"
                        | "for"
                        | "that"
                        | "which"
                        | "who"
                        | "whose"
                        | "at"
                        | "on"
                        | "with"
                        | "located"
                        | "based"
                        | "to"
                        | "where"
                );
            if stop && (found.is_some() || !matches!(token.text, "of")) {
                break;
            }
            if token.shape == Shape::Lower {
                found = noun_kind(token).or(found);
            }
        }
        found
    }

    /// `the band Ladytron`, `composer Gaetano Donizetti`, `the city of Ankara`.
    fn by_apposition(&self) -> Option<Verdict> {
        let before = self.before(1)?;
        if before.shape == Shape::Lower && before.text != "of" {
            let kind = noun_kind(before)?;
            let fits = match kind {
                Kind::Person => self.token(self.name.first).spaced,
                _ => true,
            };
            return fits.then_some(Verdict { kind, weight: 2 });
        }
        if before.text == "of" {
            let noun = self.before(2)?;
            let place = matches!(
                noun.text,
                "city"
                    | "town"
                    | "village"
                    | "province"
                    | "state"
                    | "county"
                    | "district"
                    | "region"
                    | "island"
                    | "municipality"
                    | "hamlet"
                    | "borough"
                    | "suburb"
                    | "mayor"
                    | "coast"
                    | "north"
                    | "south"
                    | "east"
                    | "west"
                    | "capital"
                    | "republic"
                    | "parish"
                    | "kingdom"
                    | "governor"
                    | "outskirts"
                    | "part"
                    | "parts"
                    | "center"
                    | "centre"
                    | "king"
                    | "port"
            );
            return place.then_some(Verdict {
                kind: Kind::Place,
                weight: 2,
            });
        }
        if before.sign(",") {
            return None;
        }
        None
    }

    /// `X (born …)`, `X (1810–1849)`, `X, who`.
    fn by_life(&self) -> Option<Verdict> {
        let next = self.after(1)?;
        let inside = self.after(2);
        let born = next.sign("(")
            && inside.is_some_and(|token| {
                matches!(token.text, "born" | "née" | "b")
                    || token.is(WordClass::MONTH)
                    || (token.shape == Shape::Number
                        && self
                            .after(3)
                            .is_some_and(|token| token.is_dash() || token.is(WordClass::MONTH)))
            });
        let who =
            next.sign(",") && inside.is_some_and(|token| token.text == "who") || next.text == "who";
        let verb = matches!(
            next.text,
            "himself"
                | "herself"
                | "married"
                | "died"
                | "said"
                | "wrote"
                | "told"
                | "sang"
                | "studied"
                | "graduated"
                | "retired"
                | "argued"
                | "believed"
                | "thought"
                | "starred"
                | "met"
        ) || next.text == "was"
            && inside.is_some_and(|token| {
                matches!(
                    token.text,
                    "born" | "educated" | "married" | "elected" | "buried" | "appointed"
                )
            })
            || next.text == "served"
                && inside.is_some_and(|token| matches!(token.text, "as" | "in"));
        if born || who || verb {
            return verdict(Kind::Person, 2);
        }
        None
    }

    /// `the Apennine range`, `the Dragon Quest series`: the noun after the name.
    fn by_following(&self) -> Option<Verdict> {
        let next = self
            .after(1)
            .filter(|next| next.shape == Shape::Lower && next.spaced)?;
        let kind = noun_kind(next)?;
        let adjective = self.name.first == self.name.last
            && self
                .token(self.name.first)
                .is(WordClass::DEMONYM.and(WordClass::GROUP));
        let fits = matches!(kind, Kind::Work | Kind::Place)
            || kind == Kind::Organization
                && matches!(
                    next.text,
                    "label" | "band" | "brand" | "brands" | "team" | "company" | "club" | "group"
                );
        (fits
            && !adjective
            && !matches!(
                next.text,
                "single" | "show" | "house" | "play" | "plays" | "works" | "act" | "act's" | "area"
            ))
        .then_some(Verdict { kind, weight: 2 })
    }

    /// `joined X`, `played for X`, `released by X`, `bordered on the north by X`.
    fn by_membership(&self) -> Option<Verdict> {
        let article = usize::from(self.before(1).is_some_and(|token| token.text == "the"));
        let word = self.before(1 + article)?;
        let earlier = |wanted: &[&str], reach: usize| {
            (2..=1 + reach).any(|back| {
                self.before(back + article)
                    .is_some_and(|token| wanted.contains(&token.text))
            })
        };
        let team = match word.text {
            "joined" | "joining" | "joins" => true,
            "for" => earlier(
                &[
                    "played", "plays", "playing", "play", "signed", "signing", "drafted", "worked",
                    "works", "debut",
                ],
                1,
            ),
            "with" => earlier(
                &[
                    "signed", "signing", "merged", "contract", "seasons", "spells", "played",
                    "playing",
                ],
                2,
            ),
            "by" => earlier(
                &[
                    "released",
                    "published",
                    "distributed",
                    "owned",
                    "operated",
                    "acquired",
                    "manufactured",
                    "issued",
                    "drafted",
                ],
                1,
            ),
            "of" => earlier(
                &["member", "members", "subsidiary", "division", "branch"],
                1,
            ),
            "on" => earlier(&["aired", "airs", "broadcast", "premiered"], 1),
            _ => false,
        };
        if team {
            return verdict(Kind::Organization, 2);
        }
        let border = word.text == "by"
            && earlier(
                &[
                    "north",
                    "south",
                    "east",
                    "west",
                    "northeast",
                    "northwest",
                    "southeast",
                    "southwest",
                    "bordered",
                    "bounded",
                ],
                1,
            );
        border.then_some(Verdict {
            kind: Kind::Place,
            weight: 2,
        })
    }

    /// A single unknown name after a preposition of place.
    fn by_preposition(&self) -> Option<Verdict> {
        let before = self.before(1)?;
        let article = usize::from(before.text == "the");
        let word = self.before(1 + article)?;
        let name = self.token(self.name.first);
        if name.shape == Shape::Capitals || self.word_count() > 3 {
            return None;
        }
        match word.text {
            "in" | "near" | "at" | "In" | "around" | "outside" | "Near" | "At" | "throughout"
            | "across"
                if article == 0 =>
            {
                verdict(Kind::Place, 2)
            }
            "from" | "to" | "into" | "through" | "toward" | "towards"
                if article == 0 && self.word_count() == 1 =>
            {
                (!name.is(WordClass::GIVEN)).then_some(Verdict {
                    kind: Kind::Place,
                    weight: 1,
                })
            }
            "by" if article == 0 && self.word_count() >= 2 && !self.has_of() => {
                verdict(Kind::Person, 2)
            }
            "by" if article == 0 => verdict(Kind::Person, 1),
            _ => None,
        }
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
        } else if self.words().any(|token| token.is(WordClass::DEMONYM)) {
            Kind::Organization
        } else if self
            .words()
            .any(|token| token.shape == Shape::Capitals && !is_roman(token))
            || self
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
        let acts = self.token(self.name.first).opens
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

    /// `Prelate, Saskatchewan`: before or after a comma and a known place.
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

/// Heads that decide against a person even after a given name.
fn strong_head(head: &Token<'_>) -> bool {
    head.is(WordClass::SUFFIX)
        || matches!(
            head.text,
            "University"
                | "College"
                | "School"
                | "Institute"
                | "Company"
                | "Corporation"
                | "Records"
                | "Foundation"
                | "Museum"
                | "Hospital"
                | "Bank"
                | "Street"
                | "River"
                | "County"
                | "Park"
                | "Airport"
                | "Award"
                | "Prize"
                | "Festival"
                | "Cup"
                | "Band"
                | "Orchestra"
                | "Theatre"
                | "Library"
                | "Society"
                | "Association"
                | "Club"
                | "Party"
                | "Church"
                | "Island"
                | "Islands"
                | "Railway"
                | "Mountains"
                | "Avenue"
                | "Lake"
                | "Trophy"
        )
}

/// A Roman numeral that follows a name.
fn is_roman(token: &Token<'_>) -> bool {
    token.shape == Shape::Capitals && token.text.chars().all(|c| matches!(c, 'I' | 'V' | 'X'))
        || matches!(token.text, "V" | "X" | "I")
}

fn singular(token: &Token<'_>) -> WordClass {
    let lower = token.lower();
    lower
        .strip_suffix('s')
        .map(|word| lexicon().class(word))
        .unwrap_or_default()
}

/// Heads that come first, in languages that put them there.
fn opening_head(token: &Token<'_>) -> Option<Kind> {
    match token.text {
        "Escuela" | "Empresa" | "Universidad" | "Université" | "Universität" | "Universidade"
        | "Università" | "Instituto" | "Institut" | "Istituto" | "Banco" | "Banque"
        | "Compagnie" | "Société" | "Académie" | "Academia" | "Accademia" | "Real" | "Atlético"
        | "Deportivo" | "Sporting" | "Dynamo" | "Dinamo" | "Lokomotiv" | "Partido" | "Parti"
        | "Partito" | "Teatro" | "Théâtre" | "FC" | "FK" | "SK" | "AC" | "AS" | "SC" | "CD"
        | "KFUM" | "Comité" | "Conseil" | "Ministère" | "Ministerio" => Some(Kind::Organization),
        "Parc" | "Parque" | "Palacio" | "Palais" | "Palazzo" | "Chiesa" | "Église" | "Iglesia"
        | "Castello" | "Château" | "Schloss" | "Ponte" | "Pont" | "Isla" | "Île" | "Lago"
        | "Lac" | "Val" | "Sierra" | "Costa" | "Ciudad" | "Avenida" | "Avenue" | "Boulevard" => {
            Some(Kind::Place)
        }
        _ => None,
    }
}

/// The kind that a common noun names.
pub(super) fn noun_kind(token: &Token<'_>) -> Option<Kind> {
    let class = token.class;
    let singular = token
        .text
        .strip_suffix('s')
        .map(|word| lexicon().class(word))
        .unwrap_or_default();
    let is = |wanted: WordClass| class.is(wanted) || singular.is(wanted);
    match token.text {
        "company"
        | "band"
        | "group"
        | "team"
        | "club"
        | "label"
        | "party"
        | "agency"
        | "firm"
        | "manufacturer"
        | "duo"
        | "trio"
        | "organisation"
        | "organization"
        | "school"
        | "university"
        | "church"
        | "bank"
        | "brand"
        | "airline"
        | "newspaper publisher"
        | "network"
        | "station"
        | "body"
        | "subsidiary"
        | "publisher"
        | "developer"
        | "contractor"
        | "charity"
        | "union"
        | "museum"
        | "college"
        | "orchestra"
        | "hospital" => return Some(Kind::Organization),
        "film" | "album" | "song" | "single" | "novel" | "book" | "game" | "series" | "show"
        | "newspaper" | "magazine" | "journal" | "play" | "opera" | "poem" | "painting"
        | "programme" | "program" | "software" | "track" | "sequel" | "soundtrack" | "ship"
        | "aircraft" | "missile" | "missiles" | "sitcom" | "episode" | "manga" | "anime" | "EP"
        | "comedy" | "drama" | "documentary" | "ballet" | "musical" | "compilation" | "act"
        | "award" | "law" | "treaty" | "films" | "albums" | "songs" | "novels" | "singles"
        | "locomotive" => return Some(Kind::Work),
        "war" | "battle" | "tournament" | "festival" | "election" | "competition" | "event"
        | "campaign" | "conflict" | "championship" | "race" | "conference" | "rebellion"
        | "revolution" | "season" => return Some(Kind::Event),
        "language" | "species" | "genus" | "term" | "word" | "breed" | "dish" | "genre"
        | "style" | "disease" | "concept" | "name" | "surname" => return Some(Kind::Thing),
        "comune" | "building" | "place" | "stadium" | "neighborhood" | "reef" | "seat" | "cave"
        | "lake" | "river" | "mountain" | "road" | "street" | "park" | "bridge" | "location"
        | "area" | "community" | "tributary" | "country" | "airport" => return Some(Kind::Place),
        _ => {}
    }
    if is(WordClass::PERSON_NOUN) {
        return Some(Kind::Person);
    }
    if token.is(WordClass::PLACE_HEAD) {
        return Some(Kind::Place);
    }
    None
}

/// Short forms take the kind of their full forms, and all uses of a name the kind with most weight.
fn settle(scene: &Scene<'_>, names: &[Span], verdicts: &mut [Verdict]) {
    let phrases: Vec<String> = names.iter().map(|name| key(scene, *name)).collect();
    let mut votes: HashMap<&str, [u32; 8]> = HashMap::new();
    for (phrase, verdict) in phrases.iter().zip(&*verdicts) {
        let weight = [0, 1, 4, 12][usize::from(verdict.weight.min(3))];
        votes.entry(phrase).or_default()[verdict.kind as usize] += weight;
    }
    let full = full_forms(scene, names, &phrases, &votes);
    for (index, name) in names.iter().enumerate() {
        let own = votes
            .get(phrases[index].as_str())
            .copied()
            .unwrap_or_default();
        let fixed = verdicts[index].weight == 3 && scene.tokens[name.first].is(WordClass::DEMONYM);
        if fixed {
            continue;
        }
        let mut tally = own;
        if let Some(kind) = full.get(phrases[index].as_str()) {
            tally[*kind as usize] += 6;
        }
        let best = Kind::ALL
            .iter()
            .max_by_key(|kind| (tally[**kind as usize], std::cmp::Reverse(**kind)));
        if let Some(kind) = best.filter(|kind| tally[**kind as usize] > 0) {
            let weight = if tally[*kind as usize] >= 4 {
                verdicts[index].weight.max(2)
            } else {
                verdicts[index].weight
            };
            verdicts[index] = Verdict {
                kind: *kind,
                weight,
            };
        }
    }
    coordinate(scene, names, verdicts);
}

/// A guess gives way to what stands beside it in a list: `Barcelona and Tarragona`.
fn coordinate(scene: &Scene<'_>, names: &[Span], verdicts: &mut [Verdict]) {
    let listed = |left: &Span, right: &Span| {
        let gap = &scene.tokens[left.last + 1..right.first];
        !gap.is_empty()
            && gap.len() <= 3
            && scene.tokens[left.first].sentence == scene.tokens[right.first].sentence
            && gap
                .iter()
                .all(|token| matches!(token.text, "," | "and" | "&" | "or" | "the"))
    };
    let mut pass = |from: usize, to: usize| {
        let (known, guess) = (verdicts[from], verdicts[to]);
        let (left, right) = (from.min(to), from.max(to));
        if guess.weight == 1 && known.weight >= 2 && listed(&names[left], &names[right]) {
            verdicts[to] = Verdict {
                kind: known.kind,
                weight: 2,
            };
        }
    };
    for at in 1..names.len() {
        pass(at - 1, at);
    }
    for at in (1..names.len()).rev() {
        pass(at, at - 1);
    }
}

fn key(scene: &Scene<'_>, name: Span) -> String {
    let phrase = scene.phrase(name.first, name.last);
    phrase
        .strip_prefix("the ")
        .map(str::to_owned)
        .unwrap_or(phrase)
}

/// The kinds of the longer names that each name may be short for: surnames and given names of
/// persons, beginnings of others, acronyms in brackets.
fn full_forms(
    scene: &Scene<'_>,
    names: &[Span],
    phrases: &[String],
    votes: &HashMap<&str, [u32; 8]>,
) -> HashMap<String, Kind> {
    let mut full = HashMap::new();
    for (index, name) in names.iter().enumerate() {
        let tally = votes
            .get(phrases[index].as_str())
            .copied()
            .unwrap_or_default();
        let Some(kind) = Kind::ALL
            .into_iter()
            .max_by_key(|kind| (tally[*kind as usize], std::cmp::Reverse(*kind)))
        else {
            continue;
        };
        if name.last > name.first {
            let words: Vec<String> = scene.tokens[name.first..=name.last]
                .iter()
                .filter(|token| token.is_capital() && !token.is_initial())
                .map(Token::lower)
                .collect();
            if let (Kind::Person, [first, .., last]) = (kind, words.as_slice()) {
                full.insert(last.clone(), kind);
                full.entry(first.clone()).or_insert(kind);
            } else if kind != Kind::Person {
                let mut prefix = String::new();
                for word in words.iter().take(words.len().saturating_sub(1)) {
                    if !prefix.is_empty() {
                        prefix.push(' ');
                    }
                    prefix.push_str(word);
                    let broad = prefix == words[0]
                        && (lexicon().known(&prefix).is_some()
                            || lexicon()
                                .class(&prefix)
                                .is(WordClass::DEMONYM.and(WordClass::OPENING)));
                    if !broad {
                        full.entry(prefix.clone()).or_insert(kind);
                    }
                }
            }
        }
        let acronym = scene.tokens.get(name.last + 2).filter(|token| {
            token.shape == Shape::Capitals && scene.tokens[name.last + 1].sign("(")
        });
        if let Some(acronym) = acronym {
            full.insert(acronym.lower(), kind);
        }
    }
    full
}
