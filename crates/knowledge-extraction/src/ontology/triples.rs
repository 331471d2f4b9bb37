//! Questions to the triples of a document.

use std::collections::BTreeSet;

use oxrdf::{Graph, NamedNodeRef, NamedOrBlankNodeRef, TermRef, vocab::rdf};

use super::vocabulary::{OWL_INTERSECTION_OF, OWL_UNION_OF};

/// What a nameless class is made of.
pub(super) const SETS: &[NamedNodeRef<'static>] = &[OWL_INTERSECTION_OF, OWL_UNION_OF];

/// The classes and datatypes that a property names by these links.
pub(super) fn named<'a>(
    graph: &'a Graph,
    iri: &str,
    links: &[NamedNodeRef<'_>],
) -> BTreeSet<&'a str> {
    let subject = NamedNodeRef::new_unchecked(iri);
    let objects: Vec<TermRef<'a>> = graph
        .triples_for_subject(subject)
        .filter(|triple| links.contains(&triple.predicate))
        .map(|triple| triple.object)
        .collect();
    let objects = objects.into_iter();
    let named = objects.flat_map(|object| members(graph, object, SETS));
    named.collect()
}

/// An IRI, or the IRIs of the lists that a nameless class is made of; those of a list.
pub(super) fn members<'a>(
    graph: &'a Graph,
    term: TermRef<'a>,
    made_of: &[NamedNodeRef<'_>],
) -> Vec<&'a str> {
    match term {
        TermRef::NamedNode(iri) => vec![iri.as_str()],
        TermRef::BlankNode(node) => {
            let lists = made_of.iter();
            let lists = lists.flat_map(|link| graph.objects_for_subject_predicate(node, *link));
            let listed_there = lists.flat_map(|list| listed(graph, list));
            listed_there.chain(listed(graph, term)).collect()
        }
        TermRef::Literal(_) => Vec::new(),
    }
}

/// The IRIs of a list, whatever is wrong with it; one that never ends is read up to where it
/// repeats itself.
pub(super) fn listed<'a>(graph: &'a Graph, list: TermRef<'a>) -> Vec<&'a str> {
    let (mut listed, mut seen, mut left) = (Vec::new(), BTreeSet::new(), vec![list]);
    while let Some(list) = left.pop() {
        let TermRef::BlankNode(node) = list else {
            continue;
        };
        if seen.insert(node.as_str()) {
            let first = graph.objects_for_subject_predicate(node, rdf::FIRST);
            listed.extend(first.filter_map(iri_of));
            left.extend(graph.objects_for_subject_predicate(node, rdf::REST));
        }
    }
    listed
}

pub(super) fn instances<'a>(graph: &'a Graph, kind: NamedNodeRef<'_>) -> Vec<&'a str> {
    let subjects = graph.subjects_for_predicate_object(rdf::TYPE, kind);
    subjects.filter_map(subject_iri).collect()
}

pub(super) fn is_any(graph: &Graph, iri: &str, kinds: &[NamedNodeRef<'_>]) -> bool {
    let subject = NamedNodeRef::new_unchecked(iri);
    let mut types = graph.objects_for_subject_predicate(subject, rdf::TYPE);
    types.any(|kind| matches!(kind, TermRef::NamedNode(kind) if kinds.contains(&kind)))
}

pub(super) fn iri_of(term: TermRef<'_>) -> Option<&str> {
    match term {
        TermRef::NamedNode(iri) => Some(iri.as_str()),
        _ => None,
    }
}

pub(super) fn subject_iri(subject: NamedOrBlankNodeRef<'_>) -> Option<&str> {
    match subject {
        NamedOrBlankNodeRef::NamedNode(iri) => Some(iri.as_str()),
        NamedOrBlankNodeRef::BlankNode(_) => None,
    }
}
