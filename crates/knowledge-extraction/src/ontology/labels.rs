//! What the author of a term says of it.

use knowledge_domain::Term;
use oxrdf::{Graph, LiteralRef, NamedNodeRef, TermRef, vocab::rdfs};

use super::vocabulary::{OBO_DEFINITION, SKOS_ALT_LABEL, SKOS_DEFINITION, SKOS_PREF_LABEL};

/// Labels of a term at most.
const MOST_LABELS: usize = 16;

/// Characters of a label at most.
const MOST_LABEL_CHARS: usize = 100;

/// Characters of a definition at most.
const MOST_DEFINITION_CHARS: usize = 500;

pub(super) fn term(graph: &Graph, iri: &str) -> Term {
    let preferred = texts(
        graph,
        iri,
        &[SKOS_PREF_LABEL, rdfs::LABEL],
        MOST_LABEL_CHARS,
    );
    let others = texts(graph, iri, &[SKOS_ALT_LABEL], MOST_LABEL_CHARS);
    let mut labels: Vec<String> = Vec::new();
    for label in preferred.into_iter().chain(others) {
        if !labels.contains(&label) && labels.len() < MOST_LABELS {
            labels.push(label);
        }
    }
    let definitions = [SKOS_DEFINITION, OBO_DEFINITION, rdfs::COMMENT];
    Term {
        iri: iri.to_owned(),
        labels,
        definition: texts(graph, iri, &definitions, MOST_DEFINITION_CHARS)
            .into_iter()
            .next(),
    }
}

/// What is said of a term by these words: in English or no language first, then by word.
fn texts(graph: &Graph, iri: &str, words: &[NamedNodeRef<'_>], most: usize) -> Vec<String> {
    let subject = NamedNodeRef::new_unchecked(iri);
    let mut texts: Vec<((bool, usize), &str, &str)> = Vec::new();
    for (position, word) in words.iter().enumerate() {
        for object in graph.objects_for_subject_predicate(subject, *word) {
            if let TermRef::Literal(text) = object {
                let language = text.language().unwrap_or_default();
                texts.push(((is_foreign(text), position), language, text.value()));
            }
        }
    }
    texts.sort_unstable();
    let said = texts
        .into_iter()
        .map(|(_, _, text)| on_one_line(text, most));
    said.filter(|text| !text.is_empty()).collect()
}

/// A text on one line, without what cannot be seen, up to so many characters.
fn on_one_line(text: &str, most: usize) -> String {
    let words: Vec<&str> = text
        .split(|char: char| char.is_whitespace() || char.is_control())
        .filter(|word| !word.is_empty())
        .take(most)
        .collect();
    words.join(" ").chars().take(most).collect()
}

fn is_foreign(text: LiteralRef<'_>) -> bool {
    let language = text.language().unwrap_or("en");
    language != "en" && !language.starts_with("en-")
}
