//! What the text around a name says of its kind.

use super::{Typing, Verdict, noun_kind, verdict};
use crate::offline::{
    kind::Kind,
    lexicon::{WordClass, one_of},
    token::Shape,
};

impl Typing<'_, '_> {
    pub(super) fn by_context(&self) -> Option<Verdict> {
        self.by_title()
            .or_else(|| self.by_copula())
            .or_else(|| self.by_apposition())
            .or_else(|| self.by_following())
            .or_else(|| self.by_life())
            .or_else(|| self.by_membership())
            .or_else(|| self.by_dateline())
            .or_else(|| self.by_preposition())
    }

    /// `Ashby, 3 April 1911`: where a letter or a meeting is dated.
    fn by_dateline(&self) -> Option<Verdict> {
        let leads = self.token(self.name.first).opens
            || self.before(1).is_some_and(|token| token.sign(","));
        let day = self.after(2).is_some_and(|token| {
            token.shape == Shape::Number && token.char_count() <= 2
                || token.is(WordClass::MONTH) && token.is_capital()
        });
        let dated = self.after(1).is_some_and(|token| token.sign(","))
            && day
            && self
                .after(3)
                .is_some_and(|token| token.is(WordClass::MONTH) || token.shape == Shape::Number);
        let plain = self.word_count() <= 2 && !self.token(self.name.first).is(WordClass::GIVEN);
        if self.is_shouted_alone() {
            return verdict(Kind::Place, 2);
        }
        (leads && dated && plain).then_some(Verdict {
            kind: Kind::Place,
            weight: 2,
        })
    }

    /// `ASHBY. Shortly after six …`: the place that a report opens with.
    fn is_shouted_alone(&self) -> bool {
        let name = self.token(self.name.first);
        self.name.first == self.name.last
            && name.opens
            && name.shape == Shape::Capitals
            && name.char_count() > 4
            && self.after(1).is_some_and(|token| token.sign("."))
            && self.after(2).is_none()
    }

    fn by_title(&self) -> Option<Verdict> {
        let mut back = 1;
        if self.before(1).is_some_and(|token| token.sign(".")) {
            back = 2;
        }
        let title = self.before(back)?;
        let capital = title.is_capital() && title.is(WordClass::TITLE) && !title.opens
            || title.is_capital()
                && one_of(
                    title.text,
                    "Mr Mrs Ms Miss Dr Prof Sir Dame President Professor King Queen Captain Colonel \
 General Admiral Major Lieutenant Sergeant Inspector Councillor Senator Bishop \
 Archbishop Cardinal Sister Father Brother Rev Reverend Rabbi Pope Prince Princess",
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
            4
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
                || one_of(
                    token.text,
                    "of in from by for that which who whose at on with located based to where",
                );
            let list = token.sign(",") && found.is_some();
            if list || stop && (found.is_some() || !matches!(token.text, "of")) {
                break;
            }
            let device = token.text == "player"
                && self.after(at - 1).is_some_and(|token| {
                    one_of(
                        token.text,
                        "media music record cassette video audio MP3 DVD CD",
                    )
                });
            if device {
                found = Some(Kind::Work);
            } else if token.shape == Shape::Lower {
                found = noun_kind(token).or(found);
            }
        }
        found
    }

    /// `the band Ladytron`, `composer Gaetano Donizetti`, `the city of Ankara`.
    fn by_apposition(&self) -> Option<Verdict> {
        let mut before = self.before(1)?;
        if matches!(before.text, "*" | "_") {
            before = self.before(2)?;
        }
        if before.shape == Shape::Lower && before.text != "of" {
            let kind = noun_kind(before)?;
            let decides = one_of(
                before.text,
                "band duo trio label firm film album song novel single sitcom ship tug steamer",
            );
            if decides {
                return verdict(kind, 4);
            }
            let fits = match kind {
                Kind::Person => self.token(self.name.first).spaced,
                _ => true,
            };
            return fits.then_some(Verdict { kind, weight: 2 });
        }
        if before.text == "of" {
            let noun = self.before(2)?;
            let place = one_of(
                noun.text,
                "city town village province state county district region island municipality hamlet \
                 borough suburb mayor coast north south east west capital republic parish kingdom \
                 governor outskirts part parts center centre king port minister people president \
                 emperor queen bishop archbishop ambassador population inhabitants government \
                 parliament territory duke prince battle siege shores border borders citizens \
                 colony master harbourmaster stationmaster postmaster conquest invasion liberation occupation annexation",
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
        let inner = self
            .before(1)
            .is_some_and(|token| one_of(token.text, "in at near from of to"));
        let who = next.sign(",") && inside.is_some_and(|token| token.text == "who")
            || next.text == "who" && !inner;
        let verb = one_of(
            next.text,
            "himself herself married died said wrote told sang studied graduated retired \
 argued believed thought starred met",
        ) || next.text == "was"
            && inside.is_some_and(|token| {
                matches!(
                    token.text,
                    "born" | "educated" | "married" | "elected" | "buried" | "appointed"
                )
            })
            || next.text == "served"
                && inside.is_some_and(|token| matches!(token.text, "as" | "in"));
        let met = self
            .before(1)
            .is_some_and(|token| matches!(token.text, "met" | "married"));
        let paired =
            next.text == "and" && inside.is_some_and(|token| matches!(token.text, "his" | "her"));
        let reign = self.before(1).is_some_and(|token| token.text == "of")
            && self.before(2).is_some_and(|token| {
                matches!(
                    token.text,
                    "reign" | "reigns" | "death" | "disciple" | "descendant" | "widow"
                )
            });
        if born || who || verb || met || paired || reign {
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
            && !one_of(
                next.text,
                "single show house play plays works act act's area",
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
            "north" | "south" | "east" | "west" | "northern" | "southern" | "eastern"
            | "western" | "central" | "northeastern" | "northwestern" | "southeastern"
            | "southwestern"
                if article == 0 && !name.is(WordClass::DEMONYM) =>
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
}
