//! Offices: `served as head of research of Falcon Aeronautics`, `X, chairman of Y`.

use super::scene::{Scene, Sentence, Statement, Target};
use crate::offline::{
    kind::Kind,
    lexicon::{WordClass, one_of},
    token::{Shape, Token},
};

/// An office has up to so many words.
const MAX_WORDS: usize = 7;

pub(super) fn find(scene: &Scene<'_>, sentence: &Sentence, found: &mut Vec<Statement>) {
    for at in sentence.tokens.clone() {
        let starts = opens_office(scene, sentence, at);
        let Some(start) = starts else {
            continue;
        };
        let Some(subject) = subject(scene, sentence, at) else {
            continue;
        };
        let Some((end, employer)) = office(scene, sentence, start) else {
            continue;
        };
        found.push(Statement {
            subject,
            predicate: "position",
            object: Target::Text(text(&scene.tokens[start..end])),
            sentence: sentence.position,
            confidence: 0.8,
        });
        if let Some(employer) = employer.filter(|item| *item != subject) {
            found.push(sentence.state(subject, "workedFor", employer, 0.8));
        }
    }
}

/// The first token of an office that `as`, `is the`, `became` or a comma introduces at `at`.
fn opens_office(scene: &Scene<'_>, sentence: &Sentence, at: usize) -> Option<usize> {
    let token = &scene.tokens[at];
    let verb = |word: &str| {
        one_of(
            word,
            "served serves worked works appointed elected acted serving named hired",
        )
    };
    let introduced = match token.text {
        "as" => {
            sentence.tokens.start < at
                && scene.tokens[sentence.tokens.start..at]
                    .iter()
                    .rev()
                    .take(10)
                    .any(|token| verb(token.text))
        }
        "became" | "becomes" | "remains" | "is" | "was" => true,
        "," | "(" => scene
            .item_at(sentence, at.checked_sub(1)?)
            .is_some_and(|item| scene.item(item).kind == Kind::Person),
        _ => false,
    };
    let article = usize::from(
        scene
            .tokens
            .get(at + 1)
            .is_some_and(|next| matches!(next.text, "a" | "an" | "the" | "its" | "their")),
    );
    let participle = usize::from(
        scene
            .tokens
            .get(at + 1)
            .is_some_and(|next| one_of(next.text, "made elected appointed named chosen")),
    );
    introduced.then_some(at + 1 + article.max(participle))
}

fn subject(scene: &Scene<'_>, sentence: &Sentence, at: usize) -> Option<usize> {
    let mut left = sentence
        .items
        .clone()
        .filter(|item| scene.item(*item).last() < at && scene.item(*item).kind == Kind::Person);
    if scene.tokens[at].sign(",") || scene.tokens[at].sign("(") {
        return left.next_back();
    }
    let pronoun = scene.tokens[sentence.tokens.start..at]
        .iter()
        .any(|token| matches!(token.text, "he" | "she" | "He" | "She"));
    left.next().or(if pronoun { sentence.person } else { None })
}

/// The end of the office that starts at `start`, and the organisation that it is held at.
fn office(scene: &Scene<'_>, sentence: &Sentence, start: usize) -> Option<(usize, Option<usize>)> {
    let mut held = false;
    let set_off = start
        .checked_sub(1)
        .is_some_and(|at| matches!(scene.tokens[at].text, "," | "(" | "the" | "a"));
    for at in start..sentence.tokens.end.min(start + MAX_WORDS + 1) {
        let token = &scene.tokens[at];
        if matches!(token.text, "of" | "for" | "at" | "to" | "with") {
            let article = usize::from(
                scene
                    .tokens
                    .get(at + 1)
                    .is_some_and(|next| next.text == "the"),
            );
            let item = scene
                .item_at(sentence, at + 1 + article)
                .filter(|item| scene.item(*item).first() == at + 1 + article);
            if let Some(item) = item {
                let kind = scene.item(item).kind;
                let maker = kind == Kind::Work
                    && one_of(
                        scene.tokens[at - 1].text,
                        "author writer director producer composer creator star",
                    );
                let fits = held
                    && !maker
                    && at > start
                    && matches!(kind, Kind::Organization | Kind::Place | Kind::Work);
                return fits.then_some((at, (kind == Kind::Organization).then_some(item)));
            }
            if article == 1 && held {
                let owner = scene.definite(sentence, scene.tokens.get(at + 2)?);
                let owner = owner.filter(|item| scene.item(*item).kind == Kind::Organization);
                return owner.map(|owner| (at, Some(owner)));
            }
            if token.text != "of" {
                return None;
            }
            continue;
        }
        if at > start && held && set_off && matches!(token.text, "," | ")") {
            let office = scene.tokens[at - 1].is(WordClass::ROLE.and(WordClass::OFFICE));
            return office.then_some((at, None));
        }
        held |= token.is(WordClass::ROLE
            .and(WordClass::OFFICE)
            .and(WordClass::TITLE)
            .and(WordClass::PERSON_NOUN));
        let word = token.is_word() || token.is_dash() || matches!(token.text, "'" | "s" | "&");
        if !word
            || scene.item_at(sentence, at).is_some()
            || matches!(token.text, "by" | "in" | "who" | "on" | "from")
        {
            return None;
        }
    }
    None
}

pub(super) fn text(tokens: &[Token<'_>]) -> String {
    let mut text = String::new();
    for token in tokens {
        if token.spaced && !text.is_empty() && token.shape != Shape::Sign {
            text.push(' ');
        }
        text.push_str(token.text);
    }
    text
}
