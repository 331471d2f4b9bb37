//! What the batch found: totals, the best-connected entities, and the words that prove them.

use std::collections::{HashMap, HashSet};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::api::Api;

const BATCH: &str = "query($id: ID!) { batch(id: $id) {
    stage totalDocuments completedDocuments failedDocuments entityCount relationCount
} }";
const ENTITY: &str = "id name types aliases evidence { document { name } startChar endChar text }";
const RELATION: &str = "id predicate subject { id name } object { id name } literal
    evidence { document { name } startChar endChar text }";

const SHOWN_ENTITIES: usize = 10;
const QUOTED_CHARS: usize = 90;

/// Prints the report; fails where a document did.
pub(crate) async fn print(api: &Api, batch: &str) -> Result<()> {
    let mut data = api.query(BATCH, json!({ "id": batch })).await?;
    let totals = data["batch"].take();
    let entities = api.all(batch, "entities", ENTITY).await?;
    let relations = api.all(batch, "relations", RELATION).await?;

    println!(
        "\n{} of {} documents, {} entities, {} relations",
        totals["completedDocuments"],
        totals["totalDocuments"],
        totals["entityCount"],
        totals["relationCount"]
    );
    println!("\nThe best-connected entities, each with a relation and the words that say it:");
    let relations = by_entity(&relations);
    let mut told = HashSet::new();
    for entity in best_connected(&entities, &relations) {
        let relations = of(&relations, entity);
        print_entity(
            entity,
            relations.len(),
            worth_telling(&relations, &mut told),
        );
    }
    if totals["stage"] != "COMPLETED" || totals["failedDocuments"] != 0 {
        bail!(
            "the batch ended {} with failures: {totals}",
            totals["stage"]
        );
    }
    if entities.is_empty() {
        bail!("the batch found nothing");
    }
    Ok(())
}

/// Relations by the entities at their ends.
fn by_entity(relations: &[Value]) -> HashMap<&str, Vec<&Value>> {
    let mut found: HashMap<&str, Vec<&Value>> = HashMap::new();
    for relation in relations {
        let ends = [&relation["subject"]["id"], &relation["object"]["id"]];
        let mut ids: Vec<_> = ends.iter().filter_map(|id| id.as_str()).collect();
        ids.dedup();
        for id in ids {
            found.entry(id).or_default().push(relation);
        }
    }
    found
}

fn of<'a>(relations: &HashMap<&str, Vec<&'a Value>>, entity: &Value) -> Vec<&'a Value> {
    let id = entity["id"].as_str().unwrap_or_default();
    relations.get(id).cloned().unwrap_or_default()
}

/// Those with most relations, then most evidence, then by name.
fn best_connected<'a>(
    entities: &'a [Value],
    relations: &HashMap<&str, Vec<&Value>>,
) -> Vec<&'a Value> {
    let mut sorted: Vec<_> = entities.iter().collect();
    sorted.sort_by_key(|entity| {
        let evidence = entity["evidence"].as_array().map_or(0, Vec::len);
        let name = entity["name"].as_str().unwrap_or_default();
        let connected = of(relations, entity).len();
        (std::cmp::Reverse((connected, evidence)), name)
    });
    sorted.truncate(SHOWN_ENTITIES);
    sorted
}

/// A relation with evidence, one that was not told of another entity where there is one.
fn worth_telling<'a>(relations: &[&'a Value], told: &mut HashSet<String>) -> Option<&'a Value> {
    let mut proven = relations
        .iter()
        .copied()
        .filter(|relation| relation["evidence"].get(0).is_some());
    let first = proven.clone().next();
    let chosen = proven.find(|relation| !told.contains(&text(&relation["id"])));
    let chosen = chosen.or(first)?;
    told.insert(text(&chosen["id"]));
    Some(chosen)
}

fn print_entity(entity: &Value, relations: usize, relation: Option<&Value>) {
    println!(
        "\n  {} ({}) - {relations} relation{}{}",
        text(&entity["name"]),
        list(&entity["types"]),
        if relations == 1 { "" } else { "s" },
        also(&entity["aliases"])
    );
    if let Some(relation) = relation {
        let object = match relation["object"]["name"].as_str() {
            Some(name) => name.to_owned(),
            None => text(&relation["literal"]),
        };
        println!(
            "    {} - {} - {object}",
            text(&relation["subject"]["name"]),
            text(&relation["predicate"])
        );
    }
    if let Some(evidence) = relation.unwrap_or(entity)["evidence"].get(0) {
        print_evidence(evidence);
    }
}

fn print_evidence(evidence: &Value) {
    println!(
        "    “{}” [{} {}..{}]",
        shortened(&text(&evidence["text"])),
        text(&evidence["document"]["name"]),
        evidence["startChar"],
        evidence["endChar"]
    );
}

fn also(aliases: &Value) -> String {
    match list(aliases) {
        names if names.is_empty() => names,
        names => format!(", also called {names}"),
    }
}

fn list(values: &Value) -> String {
    let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// On one line, cut at the length that a terminal bears.
fn shortened(quote: &str) -> String {
    let line = quote.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= QUOTED_CHARS {
        return line;
    }
    let mut cut: String = line.chars().take(QUOTED_CHARS).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_connected_come_first() {
        let entity = |id: &str| json!({ "id": id, "name": id, "evidence": [] });
        let relation =
            |from: &str, to: &str| json!({ "subject": { "id": from }, "object": { "id": to } });
        let entities = ["a", "b", "c"].map(entity);
        let relations = [relation("c", "b"), relation("c", "c"), relation("c", "x")];
        let ends = by_entity(&relations);
        let names: Vec<_> = best_connected(&entities, &ends)
            .iter()
            .map(|entity| text(&entity["name"]))
            .collect();
        assert_eq!(names, ["c", "b", "a"]);
        assert_eq!(of(&ends, &entities[2]).len(), 3);
    }

    #[test]
    fn quotes_stay_on_one_line() {
        assert_eq!(shortened("a\n  b"), "a b");
        assert_eq!(
            shortened(&"é".repeat(100)).chars().count(),
            QUOTED_CHARS + 1
        );
    }
}
