//! The mentions of a chunk.

use knowledge_domain::graph::{CharSpan, Confidence};

use super::{
    kind::Kind,
    lexicon::one_of,
    literals::literals,
    names::{Scene, Span},
    titles::titles,
    token::{Token, tokens},
    typing::{Verdict, kinds, noun_kind},
};

/// A name or value with its kind; `span` is in tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spotted {
    pub(super) span: Span,
    pub(super) kind: Kind,
    pub(super) confidence: f64,
}

/// A mention in characters of the chunk.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found<'a> {
    pub(super) span: CharSpan,
    pub(super) text: &'a str,
    pub(super) kind: Kind,
    pub(super) confidence: Confidence,
}

/// The mentions of a text, in order, disjoint.
pub(super) fn mentions(text: &str) -> Vec<Found<'_>> {
    let tokens = tokens(text);
    spotted(&tokens)
        .into_iter()
        .filter_map(|spotted| {
            let (first, last) = (&tokens[spotted.span.first], &tokens[spotted.span.last]);
            Some(Found {
                span: CharSpan::new(first.start_char, last.end_char).ok()?,
                text: &text[first.start..last.end],
                kind: spotted.kind,
                confidence: Confidence::new(spotted.confidence),
            })
        })
        .collect()
}

/// Names, titles and values among the tokens, in order, disjoint.
pub(super) fn spotted(tokens: &[Token<'_>]) -> Vec<Spotted> {
    let literals = literals(tokens);
    let titles = titles(tokens);
    let mut quoted = vec![false; tokens.len()];
    for title in &titles {
        quoted[title.first..=title.last].fill(true);
    }
    let mut used = quoted.clone();
    let scene = Scene::new(tokens, &literals, quoted);
    let names = scene.names();
    for name in &names {
        used[name.first..=name.last].fill(true);
    }
    let verdicts = kinds(&scene, &names);
    let mut found: Vec<Spotted> = names
        .iter()
        .zip(verdicts)
        .map(|(span, verdict)| named(with_article(tokens, *span, verdict), verdict))
        .collect();
    found.extend(titles.iter().map(|span| titled(tokens, *span)));
    found.extend(
        literals
            .iter()
            .filter(|literal| !used[literal.first..=literal.last].contains(&true))
            .map(|literal| Spotted {
                span: Span {
                    first: literal.first,
                    last: literal.last,
                },
                kind: literal.kind,
                confidence: 0.9,
            }),
    );
    found.sort_by_key(|spotted| spotted.span.first);
    found
}

/// With the article that belongs to the title of a work that opens a sentence (`The Riverside Courier
/// is a newspaper`), and to the country that is never without.
fn with_article(tokens: &[Token<'_>], span: Span, verdict: Verdict) -> Span {
    let Some(before) = span.first.checked_sub(1) else {
        return span;
    };
    let title = tokens[before].text == "The"
        && tokens[before].opens
        && verdict.kind == Kind::Work
        && verdict.weight >= 3
        && !one_of(
            tokens[span.last].text,
            "Report Viaduct Breakwater Lighthouse Observatory Bridge Engine Locomotive Telescope",
        );
    let country = tokens[before].text == "the"
        && span.last == span.first + 1
        && tokens[span.first].text == "United"
        && tokens[span.last].text == "States";
    if title || country {
        Span {
            first: before,
            ..span
        }
    } else {
        span
    }
}

fn named(span: Span, verdict: Verdict) -> Spotted {
    let confidence = match verdict.weight {
        3.. => 0.9,
        2 => 0.8,
        _ => 0.6,
    };
    Spotted {
        span,
        kind: verdict.kind,
        confidence,
    }
}

/// A title in quotes is a work unless the noun before it says otherwise.
fn titled(tokens: &[Token<'_>], span: Span) -> Spotted {
    let before = span.first.checked_sub(2).map(|at| &tokens[at]);
    let kind = before.and_then(noun_kind).unwrap_or(Kind::Work);
    Spotted {
        span,
        kind,
        confidence: 0.75,
    }
}
