//! The dates after a person's name: `Ada Lovelace (10 December 1815 – 27 November 1852)`.

use super::scene::{Scene, Sentence, Statement};
use crate::offline::{kind::Kind, token::Token};

pub(super) fn find(scene: &Scene<'_>, sentence: &Sentence, found: &mut Vec<Statement>) {
    let items: Vec<usize> = sentence.items.clone().collect();
    for (index, person) in items.iter().enumerate() {
        if scene.item(*person).kind != Kind::Person {
            continue;
        }
        let dates: Vec<usize> = items[index + 1..]
            .iter()
            .copied()
            .take(5)
            .filter(|item| scene.item(*item).kind == Kind::Date)
            .take(2)
            .collect();
        let [birth, death] = dates.as_slice() else {
            continue;
        };
        let open = scene
            .tokens
            .get(scene.item(*person).last() + 1)
            .is_some_and(|token| token.sign("("));
        let between = scene.gap(*birth, *death);
        let range = between.iter().any(Token::is_dash) && between.len() <= 6;
        let start = scene.item(*person).last() + 1;
        let inside = scene.item(*birth).first().saturating_sub(start) <= 12
            && !scene.tokens[start..scene.item(*birth).first().max(start)]
                .iter()
                .any(|token| token.sign(")"));
        if open && range && inside {
            found.push(sentence.state(*person, "bornOn", *birth, 0.9));
            found.push(sentence.state(*person, "diedOn", *death, 0.9));
        }
    }
}
