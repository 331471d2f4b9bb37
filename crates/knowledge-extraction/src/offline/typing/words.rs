//! What the words of a name say of its kind.

use super::{Typing, Verdict, verdict};
use crate::offline::{
    kind::Kind,
    lexicon::{WordClass, lexicon, one_of},
    token::{Shape, Token},
};

/// Which kinds a head word can be the head of.
#[expect(
    clippy::struct_excessive_bools,
    reason = "a word can be the head of several kinds"
)]
#[derive(Clone, Copy)]
struct Classes {
    org: bool,
    place: bool,
    work: bool,
    event: bool,
}

impl Classes {
    /// Of a head, in the singular or the plural.
    fn of(head: &Token<'_>) -> Self {
        let singular = singular(head);
        let is = |class| head.is(class) || singular.is(class);
        Self {
            org: head.is(WordClass::ORG_HEAD),
            place: is(WordClass::PLACE_HEAD),
            work: is(WordClass::WORK_HEAD),
            event: is(WordClass::EVENT_HEAD),
        }
    }

    fn any(self) -> bool {
        self.org || self.place || self.work || self.event
    }
}

impl Typing<'_, '_> {
    pub(super) fn by_words(&self) -> Option<Verdict> {
        let phrase = self.scene.phrase(self.name.first, self.name.last);
        let bare = phrase.strip_prefix("the ").unwrap_or(&phrase);
        if let Some(kind) = lexicon().known_name(bare).or_else(|| lexicon().known(bare)) {
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
        if self.token(self.name.last).is(WordClass::GROUP) && self.word_count() == 2 {
            return verdict(Kind::Organization, 3);
        }
        if self.is_made() {
            return verdict(Kind::Work, 3);
        }
        let noble = one_of(
            first.text,
            "Duke Duchess Earl Countess Marquess Marquis Baroness Viscount",
        );
        if noble && self.after_first_is_of() {
            return verdict(Kind::Person, 3);
        }
        if self.is_initialled() {
            return verdict(Kind::Person, 3);
        }
        self.by_head()
    }

    fn after_first_is_of(&self) -> bool {
        self.words().nth(1).is_some_and(|token| token.text == "of")
    }

    /// The adjective of a country is a place, the name of a language is not.
    fn language_or_place(&self) -> Kind {
        let language = self.after(1).is_some_and(|next| {
            one_of(
                next.text,
                "language languages dialect word words phrase : alphabet name term",
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

    /// `E. Marlow`, `J.R.R. Tolkien`, `John F. Kennedy`, `Sammy Davis Jr.`.
    fn is_initialled(&self) -> bool {
        let tokens = &self.scene.tokens[self.name.first..=self.name.last];
        let initial = tokens
            .windows(2)
            .any(|pair| pair[0].is_initial() && pair[1].sign("."));
        let last = tokens.iter().rev().find(|token| token.is_word());
        let junior = last.is_some_and(|token| matches!(token.text, "Jr" | "Sr"));
        let head = last.is_some_and(|token| {
            token.spaced && token.is(WordClass::ORG_HEAD.and(WordClass::PLACE_HEAD))
        });
        tokens.len() > 2 && (initial || junior) && !head && !self.has_of()
    }

    /// `completed the Ashby Observatory`, `wrote A History of …`: what is made is a work.
    fn is_made(&self) -> bool {
        let article = usize::from(self.before(1).is_some_and(|token| token.text == "the"));
        let made = self.before(1 + article).is_some_and(|token| {
            one_of(
                token.text,
                "completed constructed erected wrote authored composed painted sculpted rebuilt",
            ) || (token.text == "built" && article == 1)
        });
        let be = (2..=3).any(|back| {
            self.before(back + article)
                .is_some_and(|token| matches!(token.text, "was" | "were" | "is" | "been"))
        });
        made && !be
    }

    pub(super) fn has_of(&self) -> bool {
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
        let first = self.token(self.name.first);
        let article = self.before(1).is_some_and(|token| token.text == "the");
        let given = first.is(WordClass::GIVEN)
            && !first.is(WordClass::DEMONYM)
            && !single
            && !article
            && !self.has_of();
        let weight = if given && self.word_count() == 2 && !strong_head(head) {
            2
        } else {
            3
        };
        if single {
            return None;
        }
        if self.is_hyphenated(head) {
            return given.then_some(Verdict {
                kind: Kind::Person,
                weight: 3,
            });
        }
        let classes = Classes::of(head);
        if let Some(kind) = opening_head(first) {
            return verdict(kind, 3);
        }
        if first.is(WordClass::DEMONYM) && one_of(head.text, "Empire Republic Kingdom Union") {
            return verdict(Kind::Place, 3);
        }
        if self.words().any(|token| token.text == "&") && !classes.work {
            return verdict(Kind::Organization, 3);
        }
        if is_roman(self.token(self.name.last)) && !classes.any() && self.word_count() <= 4 {
            return verdict(Kind::Person, 2);
        }
        if self.token(self.name.first).is(WordClass::PLACE_HEAD)
            && one_of(
                self.token(self.name.first).text,
                "Lake Mount River Cape Port Fort San Santa Via Rue Piazza Plaza Isle Loch Rio \
 Monte Mt Point Villa",
            )
            && !classes.org
        {
            return verdict(Kind::Place, weight);
        }
        // `Max Shore`, `Anna Hill`: many surnames are words for places.
        if weight == 2 && classes.place && !classes.org {
            return verdict(Kind::Person, 2);
        }
        if let Some(kind) = self.kind_of_head(classes, numbered) {
            return verdict(kind.0, kind.1.unwrap_or(weight));
        }
        if given {
            return verdict(Kind::Person, 3);
        }
        None
    }

    /// The kind that the head's classes decide, and how much speaks for it where that is settled.
    fn kind_of_head(&self, classes: Classes, numbered: bool) -> Option<(Kind, Option<u8>)> {
        let Classes {
            org,
            place,
            work,
            event,
        } = classes;
        if event && (numbered || !org) {
            return Some((Kind::Event, None));
        }
        if org && place {
            let house = matches!(self.head().text, "House" | "Department");
            let kind = if house {
                Kind::Organization
            } else {
                Kind::Place
            };
            return Some((kind, Some(2)));
        }
        if org {
            return Some((Kind::Organization, None));
        }
        if place {
            return Some((Kind::Place, None));
        }
        if work {
            return Some((Kind::Work, None));
        }
        self.has_institution()
            .then_some((Kind::Organization, Some(3)))
    }

    /// `Adeyemi-Lane`: the second half of a double name is the head of nothing.
    fn is_hyphenated(&self, head: &Token<'_>) -> bool {
        !head.spaced
            && self
                .words()
                .any(|token| token.end == head.start && token.is_dash())
    }

    /// Whether a word that only organisations have is anywhere in the name.
    fn has_institution(&self) -> bool {
        self.words().any(|token| {
            one_of(
                token.text,
                "University College Institute Academy Corporation Ministry Forces Army Navy Council \
 Committee Commission Association Federation Foundation Society Hospital Department \
 FC FK SC EC AC SK NK BK IF CF RC",
            )
        })
    }
}

/// Heads that decide against a person even after a given name.
fn strong_head(head: &Token<'_>) -> bool {
    head.is(WordClass::SUFFIX)
        || one_of(
            head.text,
            "University College School Institute Company Corporation Records Foundation \
 Museum Hospital Bank Street River County Park Airport Award Prize Festival Cup \
 Band Orchestra Theatre Library Society Association Club Party Church Island \
 Islands Railway Mountains Avenue Lake Trophy Bridge Castle Station Cathedral Abbey Valley Bay Road Square Tower",
        )
}

/// A Roman numeral that follows a name.
pub(super) fn is_roman(token: &Token<'_>) -> bool {
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
        "HMS" | "SS" | "USS" | "RMS" | "MV" | "HMCS" | "HMAS" | "SMS" | "USNS" | "INS" | "MS" => {
            Some(Kind::Work)
        }
        "Parc" | "Parque" | "Palacio" | "Palais" | "Palazzo" | "Chiesa" | "Église" | "Iglesia"
        | "Castello" | "Château" | "Schloss" | "Ponte" | "Pont" | "Isla" | "Île" | "Lago"
        | "Lac" | "Val" | "Sierra" | "Costa" | "Ciudad" | "Avenida" | "Avenue" | "Boulevard" => {
            Some(Kind::Place)
        }
        _ => None,
    }
}
