//! Relations between the mentions of a chunk.
//!
//! Verbs and nouns of the rules in [`rules`] name a relation; which mentions take part follows from
//! the clause around them ([`clause`]), from lists of places ([`places`]), from the years after a
//! name ([`lives`]), from `X is a …` ([`copula`]), from what
//! stands before a name ([`adjectives`]), from offices ([`positions`]) and from nouns that relate two
//! names ([`nouns`]); [`pronouns`] says whom a pronoun means.

mod adjectives;
mod clause;
mod copula;
mod lives;
mod nouns;
mod places;
mod positions;
mod pronouns;
mod rules;
mod scene;

#[cfg(test)]
mod tests;

use knowledge_domain::{
    Ontology,
    graph::{CharSpan, Confidence},
};
use scene::{Item, Scene, Statement, Target};

use super::{
    class_for,
    kind::Kind,
    lexicon::{WordClass, lexicon},
    ontology::predicate,
    token::tokens,
};
use crate::extractor::{ObjectCandidate, RelationCandidate, RelationRequest};

pub(super) fn relations(request: RelationRequest<'_>) -> Vec<RelationCandidate> {
    let tokens = tokens(request.text);
    let scene = Scene::new(&request, &tokens);
    let mut found = Vec::new();
    for sentence in scene.sentences() {
        clause::find(&scene, &sentence, &mut found);
        copula::find(&scene, &sentence, &mut found);
        places::find(&scene, &sentence, &mut found);
        lives::find(&scene, &sentence, &mut found);
        adjectives::find(&scene, &sentence, &mut found);
        positions::find(&scene, &sentence, &mut found);
        nouns::find(&scene, &sentence, &mut found);
    }
    places::close(&scene, &mut found);
    found
        .into_iter()
        .filter_map(|statement| candidate(&request, &scene, statement))
        .collect()
}

fn candidate(
    request: &RelationRequest<'_>,
    scene: &Scene<'_>,
    statement: Statement,
) -> Option<RelationCandidate> {
    let subject = scene.item(statement.subject);
    let object = match statement.object {
        Target::Item(item) => object(scene.item(item), request.ontology)?,
        Target::Text(value) => ObjectCandidate::Literal {
            value,
            literal_type: None,
        },
    };
    let (first, last) = scene.sentence_tokens(statement.sentence);
    Some(RelationCandidate {
        subject: subject.id?,
        predicate: predicate(request.ontology, statement.predicate)
            .unwrap_or_else(|| statement.predicate.to_owned()),
        object,
        evidence: CharSpan::new(first.start_char, last.end_char).ok()?,
        confidence: Confidence::new(statement.confidence),
    })
}

/// Whether a name is the adjective of a country or a people.
fn is_demonym(name: &str) -> bool {
    let class = lexicon().class(&name.to_lowercase());
    class.is(WordClass::DEMONYM.and(WordClass::GROUP))
}

fn object(item: &Item<'_>, ontology: &Ontology) -> Option<ObjectCandidate> {
    match item.kind {
        Kind::Date | Kind::Quantity => Some(ObjectCandidate::Literal {
            value: item.text.split_whitespace().collect::<Vec<_>>().join(" "),
            literal_type: Some(class_for(ontology, item.kind.core_type()).to_owned()),
        }),
        _ => item.id.map(ObjectCandidate::Mention),
    }
}
