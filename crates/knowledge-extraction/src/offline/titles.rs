//! Titles of works in quotation marks.

use super::{
    lexicon::{WordClass, one_of},
    names::Span,
    token::{Shape, Token},
};

/// A quotation is looked at up to so many tokens.
const MAX_TOKENS: usize = 16;

/// The titles in quotes, in order, without the marks and without a comma or full stop at the end.
pub(super) fn titles(tokens: &[Token<'_>]) -> Vec<Span> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match title(tokens, at) {
            Some((span, close)) => {
                found.extend(span);
                at = close + 1;
            }
            None => at += 1,
        }
    }
    found
}

/// The quotation that opens at `at`: its title, if it is one, and its closing mark.
fn title(tokens: &[Token<'_>], at: usize) -> Option<(Option<Span>, usize)> {
    let close = closing(tokens[at].text)?;
    if tokens[at].shape != Shape::Sign {
        return None;
    }
    let glued = tokens
        .get(at + 1)
        .is_some_and(|next| !next.spaced || tokens[at].text == "«");
    if !glued {
        return None;
    }
    let end = (at + 1..tokens.len().min(at + MAX_TOKENS)).find(|end| {
        tokens[*end].shape == Shape::Sign
            && close.contains(tokens[*end].text)
            && is_closing(tokens, *end)
    })?;
    if nickname(tokens, at, end) {
        return None;
    }
    let mut last = end.checked_sub(1)?;
    while last > at && matches!(tokens[last].text, "," | "." | ";") {
        last -= 1;
    }
    let span = Span {
        first: at + 1,
        last,
    };
    let speech = is_speech(&tokens[at + 1..end]) || is_reported(tokens, end);
    Some((
        (last > at && !speech && is_title(&tokens[at + 1..=last])).then_some(span),
        end,
    ))
}

/// `Siegfried "Sigi" Baumann`: part of a name.
fn nickname(tokens: &[Token<'_>], at: usize, end: usize) -> bool {
    let capital = |index: Option<usize>| {
        index
            .and_then(|i| tokens.get(i))
            .is_some_and(Token::is_capital)
    };
    end - at <= 3 && capital(at.checked_sub(1)) && capital(Some(end + 1)) && !tokens[at - 1].opens
        || end - at <= 3
            && capital(at.checked_sub(1))
            && tokens[at - 1].is(WordClass::GIVEN)
            && capital(Some(end + 1))
}

/// Whether somebody says it: a verb in lower case, a comma before the mark and a speaker after.
fn is_speech(inside: &[Token<'_>]) -> bool {
    let verb = inside.iter().any(|word| {
        word.shape == Shape::Lower
            && one_of(
                word.text,
                "was were is are has have had will would could should did does says said \
 studied came went asked thinks wanted",
            )
    });
    let capitals = inside.iter().filter(|word| word.is_capital()).count();
    let lower = inside
        .iter()
        .filter(|word| word.shape == Shape::Lower && !word.is(WordClass::PARTICLE))
        .count();
    verb && lower >= capitals
}

/// `"…," said Marlow`, `"…," he asked`.
fn is_reported(tokens: &[Token<'_>], end: usize) -> bool {
    let comma = end
        .checked_sub(1)
        .is_some_and(|before| matches!(tokens[before].text, "," | "!" | "?" | "."));
    let speaks = |token: &Token<'_>| {
        one_of(
            token.text,
            "said says asked asks replied replies added adds wrote writes remembers recalled \
 recalls explained explains answered answers told tells",
        )
    };
    comma
        && tokens[end + 1..]
            .iter()
            .take(4)
            .take_while(|token| token.shape != Shape::Sign)
            .any(speaks)
}

/// A straight apostrophe closes only before white space or a sign.
fn is_closing(tokens: &[Token<'_>], end: usize) -> bool {
    if !matches!(tokens[end].text, "'" | "’") {
        return true;
    }
    tokens
        .get(end + 1)
        .is_none_or(|next| next.spaced || next.shape == Shape::Sign)
}

fn closing(open: &str) -> Option<&'static str> {
    Some(match open {
        "\"" => "\"”",
        "“" | "„" => "”“\"",
        "‘" => "’",
        "«" => "»",
        "»" => "«",
        "「" => "」",
        "『" => "』",
        "《" => "》",
        "〈" => "〉",
        _ => return None,
    })
}

/// Whether the words are written as a title: capitals on all but small words, no sentence.
fn is_title(words: &[Token<'_>]) -> bool {
    let (mut capitals, mut plain) = (0, 0);
    let small = words
        .iter()
        .filter(|word| word.shape == Shape::Lower)
        .count();
    for word in words.iter().filter(|word| word.text != "I") {
        match word.shape {
            Shape::Capital | Shape::Capitals | Shape::Inner => capitals += 1,
            Shape::Lower
                if word.char_count() > 3
                    && !word.is(WordClass::FUNCTION.and(WordClass::PARTICLE)) =>
            {
                plain += 1;
            }
            _ => {}
        }
    }
    let cased = words.iter().any(|word| {
        word.text
            .chars()
            .any(|c| c.is_lowercase() || c.is_uppercase())
    });
    let first = words
        .first()
        .is_some_and(|word| word.is_capital() || word.shape == Shape::Number);
    if !cased {
        return words.iter().any(Token::is_word);
    }
    first
        && capitals > 0
        && small <= 2 * capitals
        && plain * 2 <= capitals
        && (plain == 0 || capitals >= 2 || plain <= 1 && words.len() <= 3)
}
