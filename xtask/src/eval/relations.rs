//! Relations: what the extractor's predicates are called in the annotations.

use std::collections::{BTreeMap, BTreeSet};

use knowledge_domain::graph::{DocumentGraph, Relation, RelationObject};

use super::{
    data::{GoldDocument, Layout},
    score::Counts,
};

/// A predicate, what it is called in the annotations, and what its inverse is called there.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const WIKIDATA: &[Row] = &[
    ("bornIn", &["P19"], &[]),
    ("bornOn", &["P569"], &[]),
    ("diedIn", &["P20"], &[]),
    ("diedOn", &["P570"], &[]),
    ("citizenOf", &["P27"], &[]),
    ("foundedBy", &["P112"], &[]),
    ("foundedIn", &["P571"], &[]),
    ("headquarteredIn", &["P159"], &[]),
    ("locatedIn", &["P131"], &["P150"]),
    ("country", &["P17"], &[]),
    ("countryOfOrigin", &["P495"], &[]),
    ("studiedAt", &["P69"], &[]),
    ("workedFor", &["P108"], &[]),
    ("memberOf", &["P463", "P54"], &[]),
    ("marriedTo", &["P26"], &["P26"]),
    ("childOf", &["P22", "P25"], &["P40"]),
    ("siblingOf", &["P3373"], &["P3373"]),
    ("partOf", &["P361"], &["P527"]),
    ("writtenBy", &["P50", "P676", "P58"], &[]),
    ("directedBy", &["P57"], &[]),
    ("performedBy", &["P175"], &[]),
    ("starring", &["P161"], &[]),
    ("composedBy", &["P86"], &[]),
    ("producedBy", &["P162", "P272"], &[]),
    ("createdBy", &["P170"], &["P800"]),
    ("developedBy", &["P178"], &[]),
    ("publishedBy", &["P123", "P264"], &[]),
    ("publishedOn", &["P577"], &[]),
    ("awarded", &["P166"], &[]),
    ("participatedIn", &["P1344", "P607"], &["P710"]),
    ("capitalOf", &["P1376"], &["P36"]),
    ("ownedBy", &["P127", "P749"], &["P355"]),
    ("manufacturedBy", &["P176"], &[]),
];

const INVENTED: &[Row] = &[
    ("foundedBy", &["foundedBy"], &[]),
    ("foundedIn", &["foundingYear"], &[]),
    ("headquarteredIn", &["headquarters"], &[]),
    ("acquired", &["acquired"], &[]),
    ("completed", &["built"], &[]),
    ("completedIn", &["year"], &[]),
    ("locatedIn", &["location"], &[]),
    ("bornIn", &["birthPlace"], &[]),
    ("bornOn", &["birthYear"], &[]),
    ("studiedAt", &["educatedAt"], &[]),
    ("workedFor", &["employer"], &[]),
    ("position", &["role"], &[]),
    ("met", &["met"], &["met"]),
];

/// The counts of one predicate of the extractor, and of all together.
#[derive(Debug, Default)]
pub(super) struct RelationCounts {
    pub(super) all: Counts,
    pub(super) by_predicate: BTreeMap<&'static str, Counts>,
}

impl RelationCounts {
    /// Compares the relations of one document. A relation counts by its pair of annotated things and
    /// the row of the table that its predicate falls into.
    pub(super) fn add(&mut self, layout: Layout, gold: &GoldDocument, graph: &DocumentGraph) {
        let rows = match layout {
            Layout::Wikipedia => WIKIDATA,
            Layout::Invented => INVENTED,
        };
        let names = Names::new(gold, graph);
        for row in rows {
            let truth = truth(row, gold);
            let symmetric = row.1 == row.2;
            let found: BTreeSet<(String, String)> = graph
                .relations
                .iter()
                .filter(|relation| relation.predicate == row.0)
                .map(|relation| names.pair(relation))
                .map(|pair| ordered(pair, symmetric))
                .collect();
            self.all.add(&found, &truth);
            self.by_predicate
                .entry(row.0)
                .or_default()
                .add(&found, &truth);
        }
    }
}

fn truth(row: &Row, gold: &GoldDocument) -> BTreeSet<(String, String)> {
    let symmetric = row.1 == row.2;
    gold.triples
        .iter()
        .filter_map(|triple| {
            let predicate = triple.predicate.as_str();
            let pair = (triple.subject.clone(), triple.object.to_lowercase());
            if row.1.contains(&predicate) {
                return Some(ordered(pair, symmetric));
            }
            row.2.contains(&predicate).then(|| {
                ordered(
                    (triple.object.clone(), triple.subject.to_lowercase()),
                    symmetric,
                )
            })
        })
        .collect()
}

fn ordered((a, b): (String, String), symmetric: bool) -> (String, String) {
    let a = a.to_lowercase();
    if symmetric && b < a { (b, a) } else { (a, b) }
}

/// The annotated thing behind each found entity and value.
struct Names<'a> {
    entities: Vec<String>,
    values: BTreeMap<&'a str, &'a str>,
}

impl<'a> Names<'a> {
    fn new(gold: &'a GoldDocument, graph: &DocumentGraph) -> Self {
        let by_end: BTreeMap<(u32, u32), &str> = gold
            .mentions
            .iter()
            .map(|mention| ((mention.start, mention.end), mention.entity.as_str()))
            .collect();
        let entities = graph
            .entities
            .iter()
            .zip(0_u32..)
            .map(|(entity, position)| {
                let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
                for mention in &entity.mentions {
                    let span = graph.mentions[*mention as usize].span;
                    let (start, end) = (span.start(), span.end());
                    let article = start.saturating_sub(4);
                    let known = by_end
                        .get(&(start, end))
                        .or_else(|| by_end.get(&(article, end)));
                    if let Some(known) = known {
                        *votes.entry(known).or_default() += 1;
                    }
                }
                votes
                    .into_iter()
                    .max_by_key(|(_, votes)| *votes)
                    .map_or_else(
                        || format!("unknown {position}"),
                        |(name, _)| name.to_owned(),
                    )
            })
            .collect();
        let values = gold
            .mentions
            .iter()
            .map(|mention| (mention.text.as_str(), mention.entity.as_str()))
            .collect();
        Self { entities, values }
    }

    fn pair(&self, relation: &Relation) -> (String, String) {
        let subject = self.entities[relation.subject as usize].clone();
        let object = match &relation.object {
            RelationObject::Entity(entity) => self.entities[*entity as usize].clone(),
            RelationObject::Literal { value, .. } => match self.values.get(value.as_str()) {
                Some(entity) => (*entity).to_owned(),
                None => year(value).unwrap_or_else(|| value.clone()),
            },
        };
        (subject, object.to_lowercase())
    }
}

/// The year in a date.
fn year(value: &str) -> Option<String> {
    value
        .split(|c: char| !c.is_ascii_digit())
        .find(|part| part.len() == 4)
        .map(str::to_owned)
}
