//! What the terms of an ontology are called: by the end of their IRI, as their author would say it.

use std::collections::BTreeMap;

/// Characters of a label that is taken for a name, at most.
const MOST_CHARS: usize = 80;

/// Prefixes that are looked through, at most.
const MOST_PREFIXES: usize = 100;

/// A term that is to be named.
pub(super) struct Unnamed<'a> {
    pub(super) iri: &'a str,
    /// The preferred label first.
    pub(super) labels: &'a [String],
}

/// A name for each term, by its IRI; no two are called the same.
///
/// A term is called by the end of its IRI, and by its label where that end says nothing
/// (`BFO_0000001`, `Q5`); terms that would share a name are called with their prefix
/// (`foaf:Person`), or by their IRIs.
pub(super) fn names<'a>(
    terms: &[Unnamed<'a>],
    prefixes: &[(String, String)],
) -> BTreeMap<&'a str, String> {
    let mut names = BTreeMap::new();
    for way in [short, |term: &Unnamed<'_>, prefixes: &_| {
        prefixed(term.iri, prefixes)
    }] {
        let unnamed = terms.iter().filter(|term| !names.contains_key(term.iri));
        let proposed: Vec<_> = unnamed
            .map(|term| (term.iri, way(term, prefixes)))
            .collect();
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for name in proposed.iter().map(|(_, name)| name).chain(names.values()) {
            *times.entry(name.clone()).or_default() += 1;
        }
        let alone = proposed.into_iter().filter(|(_, name)| times[name] == 1);
        names.extend(alone.collect::<Vec<_>>());
    }
    for term in terms {
        names.entry(term.iri).or_insert_with(|| term.iri.to_owned());
    }
    names
}

fn short(term: &Unnamed<'_>, _: &[(String, String)]) -> String {
    let local = local_name(term.iri);
    let mut labels = term.labels.iter();
    match labels.find(|label| can_be_a_name(label)) {
        Some(label) if is_opaque(local) => label.clone(),
        _ => local.to_owned(),
    }
}

fn prefixed(iri: &str, prefixes: &[(String, String)]) -> String {
    let local = local_name(iri);
    let namespace = &iri[..iri.len() - local.len()];
    let prefix = prefixes
        .iter()
        .take(MOST_PREFIXES)
        .find(|(prefix, stands_for)| !prefix.is_empty() && stands_for == namespace);
    prefix.map_or_else(|| iri.to_owned(), |(prefix, _)| format!("{prefix}:{local}"))
}

/// The end of an IRI; the whole of one that ends with a separator.
pub(super) fn local_name(iri: &str) -> &str {
    let local = iri.rsplit(['#', '/', ':']).next();
    local.filter(|local| !local.is_empty()).unwrap_or(iri)
}

/// Whether a label can stand where a name does: on one line, and between bars.
fn can_be_a_name(label: &str) -> bool {
    label.chars().count() <= MOST_CHARS
        && !label.contains(|char: char| char.is_control() || char == '|')
}

/// Whether a name is a number of some registry rather than a word: digits, after a few capitals
/// (`Q5`), or after letters and a line (`NCBITaxon_9606`).
fn is_opaque(name: &str) -> bool {
    let registry = name.trim_end_matches(|char: char| char.is_ascii_digit());
    let capitals = registry.len() <= 3 && registry.chars().all(|char| char.is_ascii_uppercase());
    let letters = registry.strip_suffix(['_', '-']);
    let letters = letters.is_some_and(|it| it.chars().all(|char| char.is_ascii_alphabetic()));
    registry.len() < name.len() && (capitals || letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(terms: &[(&str, &[&str])], prefixes: &[(&str, &str)]) -> Vec<String> {
        let labels: Vec<Vec<String>> = terms
            .iter()
            .map(|(_, labels)| labels.iter().map(|label| (*label).to_owned()).collect())
            .collect();
        let unnamed: Vec<Unnamed<'_>> = terms
            .iter()
            .zip(&labels)
            .map(|((iri, _), labels)| Unnamed { iri, labels })
            .collect();
        let prefixes: Vec<(String, String)> = prefixes
            .iter()
            .map(|(prefix, iri)| ((*prefix).to_owned(), (*iri).to_owned()))
            .collect();
        let names = names(&unnamed, &prefixes);
        terms.iter().map(|(iri, _)| names[iri].clone()).collect()
    }

    #[test]
    fn terms_are_called_by_the_end_of_their_iris() {
        let terms: &[(&str, &[&str])] = &[
            ("https://example.org/onto#Ferry", &["Fähre"]),
            ("https://example.org/onto/Harbour", &[]),
            ("urn:example:Pier", &[]),
            ("https://example.org/", &[]),
        ];
        assert_eq!(
            named(terms, &[]),
            ["Ferry", "Harbour", "Pier", "https://example.org/"]
        );
    }

    #[test]
    fn numbers_are_called_by_their_labels() {
        let terms: &[(&str, &[&str])] = &[
            ("http://purl.obolibrary.org/obo/BFO_0000001", &["entity"]),
            ("http://www.wikidata.org/entity/Q5", &["human", "person"]),
            ("http://www.wikidata.org/entity/Q6", &["a|b", "a\nb"]),
            ("http://www.cidoc-crm.org/cidoc-crm/E21_Person", &["Mensch"]),
            ("https://example.org/A4Paper", &["sheet"]),
            (
                "http://purl.obolibrary.org/obo/NCBITaxon_9606",
                &["Homo sapiens"],
            ),
            ("https://example.org/12345", &["a number"]),
            ("https://example.org/Phase2", &["second"]),
        ];
        assert_eq!(
            named(terms, &[]),
            [
                "entity",
                "human",
                "Q6",
                "E21_Person",
                "A4Paper",
                "Homo sapiens",
                "a number",
                "Phase2"
            ]
        );
    }

    #[test]
    fn no_two_terms_share_a_name() {
        let terms: &[(&str, &[&str])] = &[
            ("http://xmlns.com/foaf/0.1/Person", &[]),
            ("https://schema.org/Person", &[]),
            ("https://example.org/Person", &[]),
            ("https://example.org/foaf:Person", &[]),
            ("https://example.org/Q1", &["Place"]),
            ("https://example.org/Place", &[]),
            ("https://example.org/Ship", &[]),
        ];
        let prefixes = [
            ("", "https://example.org/"),
            ("foaf", "http://xmlns.com/foaf/0.1/"),
            ("schema", "https://schema.org/"),
        ];
        let named = named(terms, &prefixes);
        assert_eq!(
            named,
            [
                "foaf:Person",
                "schema:Person",
                "https://example.org/Person",
                "https://example.org/foaf:Person",
                "https://example.org/Q1",
                "https://example.org/Place",
                "Ship"
            ]
        );
    }
}
