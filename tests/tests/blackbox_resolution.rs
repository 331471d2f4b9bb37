//! Resolution as users meet it: decisions through the API of a real server over every database,
//! servers that are killed, and `knowledge resolve` for tables.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

#[path = "blackbox_resolution/graph.rs"]
mod graph;

use std::{fs, path::Path, time::Duration};

use graph::{Graph, entities, entity, explain, ids, resolved, statements, stay};
use knowledge_tests::{
    Client, TestServer, each_database,
    harbour::{self, documents},
    server,
};
use serde_json::{Value, json};

/// The harbour's documents as the API takes them.
fn harbour() -> Vec<Value> {
    let documents = documents().into_iter();
    let documents = documents.map(|it| json!({ "name": it.name, "text": it.text }));
    documents.collect()
}

fn document(name: &str, text: &str) -> Value {
    json!({ "name": name, "text": text })
}

each_database! {
    async fn a_merge_by_hand_moves_relations_and_is_undone(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let batch = resolved(client, &harbour()).await;
        let before = statements(client, &batch).await;
        let (one, other) = (entity(client, "Steinach").await, entity(client, "Halvern").await);

        let apart = explain(client, &one["id"], &other["id"]).await;
        assert_eq!((&apart["linked"], &apart["rule"]), (&json!(false), &json!(null)));
        let merged = client.decide("mergeEntities", "ids", ids(&[&one, &other])).await;
        assert_eq!(merged["__typename"], "EntitiesSuccess", "{merged}");
        let face = merged["entities"][0].clone();
        let members = face["memberIds"].as_array().unwrap().len();
        let count = |entity: &Value| entity["memberIds"].as_array().unwrap().len();
        assert_eq!(members, count(&one) + count(&other));
        let joined = statements(client, &batch).await;
        assert!(joined.len() < before.len(), "agreeing statements are one");
        let names = [face["name"].as_str().unwrap(), "Steinach", "Halvern"];
        let ends = joined.iter().filter_map(|it| it.object.as_deref());
        let ends: std::collections::BTreeSet<_> = ends.filter(|it| names.contains(it)).collect();
        assert_eq!(ends.len(), 1, "every relation points at the entity that faces both: {ends:?}");

        let explained = explain(client, &one["id"], &other["id"]).await;
        assert_eq!(explained["decision"], "TOGETHER");
        assert_eq!(explained["linked"], true);
        let history = entity(client, face["name"].as_str().unwrap()).await["mergeHistory"].clone();
        let manual: Vec<&Value> = history.as_array().unwrap().iter()
            .filter(|merge| merge["reason"] == "manual").collect();
        assert!(!manual.is_empty(), "{history}");
        for merge in manual {
            assert_eq!((&merge["mergedBy"], &merge["batchId"]), (&json!("user"), &json!(null)));
        }

        let gone = if face["id"] == one["id"] { &other } else { &one };
        let parts = client.decide("unmerge", "id", gone["id"].clone()).await;
        assert_eq!(parts["entities"].as_array().map(Vec::len), Some(2), "{parts}");
        assert_eq!(statements(client, &batch).await, before, "relations are as they were");
        let explained = explain(client, &one["id"], &other["id"]).await;
        assert_eq!((&explained["decision"], &explained["linked"]), (&json!("APART"), &json!(false)));
        stay(server, &db).await;
    }

    async fn no_later_batch_overrules_a_person(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let mut first = harbour();
        let second = first.split_off(harbour::DOCUMENTS / 2);
        let early = resolved(client, &first).await;
        let (steinach, halvern) = (entity(client, "Steinach").await, entity(client, "Halvern").await);
        client.decide("mergeEntities", "ids", ids(&[&steinach, &halvern])).await;
        let varga = entity(client, "Ilse Varga").await;
        let links = varga["sameAs"].as_array().unwrap();
        let short = links.iter().find(|link| link["reason"] == "initials").unwrap();
        assert!(short["confidence"].as_f64().unwrap() < 1.0);
        let explained = explain(client, &varga["id"], &short["memberId"]).await;
        assert_eq!((&explained["rule"], &explained["linked"]), (&json!("initials"), &json!(true)));
        let features = explained["features"].as_array().unwrap();
        assert!(features.iter().any(|feature| feature["name"] == "name" && feature["weight"] == 0.7));
        client.decide("unmerge", "id", short["memberId"].clone()).await;
        // Of several documents that say `Tomas Renn` one means somebody else.
        let renn = entity(client, "Tomas Renn").await;
        let exact = renn["sameAs"].as_array().unwrap().iter();
        let exact = exact.clone().find(|link| link["reason"] == "exact_name").unwrap();
        let split = client.decide("splitEntity", "members", json!([exact["memberId"]])).await;
        assert_eq!(split["entities"].as_array().map(Vec::len), Some(2), "{split}");

        let late = resolved(client, &second).await;
        let place = entities(client, "Steinach").await.len() + entities(client, "Halvern").await.len();
        assert_eq!(place, 1, "merged for good");
        let (full, initial) = (entity(client, "Ilse Varga").await, entity(client, "I. Varga").await);
        assert_ne!(full["id"], initial["id"], "apart for good");
        assert_eq!(entities(client, "Tomas Renn").await.len(), 2, "split for good");
        let history = |entity: &Value| entity["mergeHistory"].as_array().unwrap().clone();
        let by = |merges: &[Value], batch: &str| merges.iter()
            .filter(|merge| merge["batchId"] == *batch && merge["mergedBy"] == *batch).count();
        let merges = history(&entity(client, "Hannah Weiss").await);
        assert!(by(&merges, &early) > 0 && by(&merges, &late) > 0, "{merges:?}");
        stay(server, &db).await;
    }

    async fn what_is_not_certain_is_asked(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let texts = [
            document("a", "Jonas Bleck worked for Calder Instruments Ltd in Halvern."),
            document("b", "Julia Bleck was born in Steinach. Julia Bleck lived in Steinach."),
            document("c", "J. Bleck was born in Kingsmouth and lived in Kingsmouth."),
        ];
        resolved(client, &texts).await;
        let short = entity(client, "J. Bleck").await;
        let asked = short["possibleDuplicates"].as_array().unwrap().clone();
        assert_eq!(asked.len(), 2, "{asked:?}");
        for question in &asked {
            assert_eq!((&question["doubt"], &question["reason"]), (&json!("AMBIGUOUS"), &json!("initials")));
        }
        let all = client.possible_duplicates().await;
        assert_eq!(all.len(), 2, "{all:?}");

        let (jonas, julia) = (entity(client, "Jonas Bleck").await, entity(client, "Julia Bleck").await);
        let kept = client.decide("keepApart", "ids", ids(&[&julia, &short])).await;
        assert_eq!(kept["__typename"], "EntitiesSuccess", "{kept}");
        assert_eq!(client.possible_duplicates().await, Vec::<Value>::new());
        let face = entity(client, "Jonas Bleck").await;
        assert_eq!(face["memberIds"].as_array().unwrap().len(), 2, "only one is left that it can mean");
        // What followed from the decision is not what was decided.
        let merge = face["mergeHistory"].as_array().unwrap().last().unwrap();
        assert_eq!((&merge["reason"], &merge["mergedBy"]), (&json!("similarity"), &json!("resolution")));
        let explained = explain(client, &julia["id"], &short["id"]).await;
        assert_eq!(explained["decision"], "APART");
        let explained = explain(client, &jonas["id"], &short["id"]).await;
        assert_eq!(explained["linked"], true);
        stay(server, &db).await;
    }

    async fn pointless_decisions_are_refused_by_type(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        resolved(client, &harbour()[..6]).await;
        let varga = entity(client, "Ilse Varga").await;
        let halvern = entity(client, "Halvern").await;
        let nobody = json!("ent_00000000000000000000000000000000");
        let all = varga["memberIds"].clone();
        for (mutation, argument, given, expected) in [
            ("mergeEntities", "ids", json!([]), "ValidationError"),
            ("mergeEntities", "ids", ids(&[&varga]), "ValidationError"),
            ("mergeEntities", "ids", ids(&[&varga, &varga]), "ValidationError"),
            ("mergeEntities", "ids", json!([varga["id"], nobody]), "NotFound"),
            ("mergeEntities", "ids", json!([varga["id"], "nonsense"]), "NotFound"),
            ("splitEntity", "members", json!([]), "ValidationError"),
            ("splitEntity", "members", all, "ValidationError"),
            ("splitEntity", "members", ids(&[&varga, &halvern]), "ValidationError"),
            ("splitEntity", "members", json!([nobody]), "NotFound"),
            ("unmerge", "id", varga["id"].clone(), "ValidationError"),
            ("unmerge", "id", nobody.clone(), "NotFound"),
            ("keepApart", "ids", ids(&[&varga]), "ValidationError"),
            ("keepApart", "ids", json!([varga["id"], nobody]), "NotFound"),
        ] {
            let refused = client.decide(mutation, argument, given.clone()).await;
            assert_eq!(refused["__typename"], expected, "{mutation} {given}: {refused}");
            assert!(!refused["message"].as_str().unwrap().is_empty());
        }
        let nothing = explain(client, &varga["id"], &nobody).await;
        assert_eq!(nothing, Value::Null);
        stay(server, &db).await;
    }

    async fn kills_at_any_time_change_nothing(db: TestDatabase) {
        let quiet = TestServer::start(db.url());
        resolved(quiet.client(), &harbour()).await;
        let expected = Graph::of(quiet.client()).await;
        stay(quiet, &db).await;
        for (concurrency, parts) in [(1, 1), (16, 1), (16, 5)] {
            let disturbed = db.another();
            let mut killed = TestServer::start(disturbed.url());
            let mut batches = Vec::new();
            for documents in harbour().chunks(harbour::DOCUMENTS / parts) {
                let config = json!({ "concurrency": concurrency });
                batches.push(killed.client().start(documents, config).await);
            }
            for moment in [40, 90, 160, 250] {
                tokio::time::sleep(Duration::from_millis(moment)).await;
                killed.kill9();
                killed = TestServer::start(disturbed.url());
            }
            for batch in &batches {
                assert_eq!(killed.client().ended(batch).await["stage"], "COMPLETED");
            }
            assert_eq!(Graph::of(killed.client()).await, expected, "{concurrency} in {parts}");
            stay(killed, &disturbed).await;
        }
    }
}

fn table(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Rows of people and towns, wide enough for the threshold to be read off the others.
fn rows(prefix: &str, misspelt: bool) -> String {
    let names = [
        "Elias Brandt",
        "Maria Okello",
        "Peter Lindqvist",
        "Hannah Weiss",
        "Tomas Renn",
    ];
    let streets = [
        "Harbour Road",
        "Mill Lane",
        "Quay Street",
        "Signal Hill",
        "Rope Walk",
    ];
    let towns = ["Halvern", "Port Ellis", "Steinach", "Kingsmouth", "Carrick"];
    let row = |at: usize| {
        let name = names[at % 5].to_owned();
        let name = if misspelt && at % 7 == 3 {
            name.replacen('i', "j", 1)
        } else {
            name
        };
        let (street, town) = (streets[(at / 5) % 5], towns[(at / 3) % 5]);
        format!(
            "{prefix}{at}\t{name} {at:03}\t{street} {}\t{town}\n",
            10 + at * 3
        )
    };
    (0..60).map(row).collect()
}

#[test]
fn tables_are_linked_a_line_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let left = table(folder.path(), "left.tsv", &rows("L", false));
    let right = table(folder.path(), "right.tsv", &rows("R", true));
    let linked = server::run(&["resolve", "--left", &left, "--right", &right]);
    assert_eq!(linked.status.code(), Some(0), "{linked:?}");
    let text = String::from_utf8(linked.stdout).unwrap();
    let mut right_pairs = 0;
    for line in text.lines() {
        let values: Vec<&str> = line.split('\t').collect();
        let [left, right, confidence, reason] = values.as_slice() else {
            panic!("{line:?} is not left, right, confidence and reason");
        };
        let confidence: f64 = confidence.parse().unwrap();
        assert!(
            (0.0..=1.0).contains(&confidence) && !reason.is_empty(),
            "{line}"
        );
        right_pairs += usize::from(left[1..] == right[1..]);
    }
    assert_eq!((text.lines().count(), right_pairs), (60, 60), "{text}");

    let json = server::run(&["resolve", "--left", &left, "--right", &right, "--json"]);
    assert_eq!(json.status.code(), Some(0));
    let lines = String::from_utf8(json.stdout).unwrap();
    assert_eq!(lines.lines().count(), 60);
    for line in lines.lines() {
        let link: Value = serde_json::from_str(line).unwrap();
        let keys: Vec<&String> = link.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["confidence", "left", "reason", "right"], "{line}");
    }
    let again = server::run(&["resolve", "--left", &left, "--right", &right]);
    assert_eq!(
        String::from_utf8(again.stdout).unwrap(),
        text,
        "the same every time"
    );
}

#[test]
fn one_table_is_linked_with_itself() {
    let folder = tempfile::tempdir().unwrap();
    let both = rows("L", false) + &rows("R", true);
    let path = table(folder.path(), "both.tsv", &both);
    let linked = server::run(&["resolve", "--left", &path]);
    assert_eq!(linked.status.code(), Some(0), "{linked:?}");
    let text = String::from_utf8(linked.stdout).unwrap();
    let pairs = text
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    let right = pairs
        .clone()
        .filter(|pair| pair[0][1..] == pair[1][1..])
        .count();
    assert!(right >= 57 && pairs.count() - right <= 3, "{text}");
}

#[test]
fn a_header_is_no_row_and_orders_columns() {
    let folder = tempfile::tempdir().unwrap();
    let header = |names: &str, rows: &str| format!("{names}\n{rows}");
    let left = table(
        folder.path(),
        "left.tsv",
        &header("id\tname\tstreet\ttown", &rows("L", false)),
    );
    let right = rows("R", true);
    let turned = right.lines().map(|line| {
        let mut values: Vec<&str> = line.split('\t').collect();
        values.swap(1, 3);
        values.join("\t")
    });
    let turned = turned.collect::<Vec<_>>().join("\n");
    let right = table(
        folder.path(),
        "right.tsv",
        &header("key\tTown\tStreet\tName", &turned),
    );
    let linked = server::run(&["resolve", "--left", &left, "--right", &right, "--header"]);
    let text = String::from_utf8(linked.stdout).unwrap();
    assert_eq!(text.lines().count(), 60, "{text}");
    assert!(
        !text.contains("key") && !text.contains("id\t"),
        "the header is no row"
    );
}

#[test]
fn bad_tables_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let good = table(folder.path(), "good.tsv", "1\tElias Brandt\n");
    let empty = table(folder.path(), "empty.tsv", "");
    let commas = table(folder.path(), "a.csv", "1,Elias Brandt\n2,Maria Okello\n");
    let latin = folder.path().join("latin.tsv");
    fs::write(&latin, b"1\tM\xfcller\n").unwrap();
    let latin = latin.to_str().unwrap().to_owned();
    let missing = folder.path().join("missing.tsv");
    let missing = missing.to_str().unwrap().to_owned();
    for (arguments, code, says) in [
        (vec!["resolve", "--left", &missing], 1, "cannot be read"),
        (
            vec!["resolve", "--left", &good, "--right", &missing],
            1,
            "cannot be read",
        ),
        (vec!["resolve", "--left", &latin], 1, "not UTF-8"),
        (vec!["resolve", "--left", &commas], 1, "tabs"),
        (vec!["resolve"], 2, "--left"),
        (
            vec!["resolve", "--left", &good, "--threshold"],
            2,
            "--threshold",
        ),
    ] {
        let refused = server::run(&arguments);
        assert_eq!(
            refused.status.code(),
            Some(code),
            "{arguments:?}: {refused:?}"
        );
        let complaint = String::from_utf8(refused.stderr).unwrap();
        assert!(complaint.contains(says), "{arguments:?}: {complaint}");
        assert!(code == 2 || complaint.lines().count() == 1, "{complaint}");
        assert!(refused.stdout.is_empty());
    }
    let nothing = server::run(&["resolve", "--left", &empty]);
    assert_eq!((nothing.status.code(), nothing.stdout.len()), (Some(0), 0));
}

/// What resolution's API is asked by the tests of this file.
trait Decisions {
    async fn decide(&self, mutation: &str, argument: &str, given: Value) -> Value;
    async fn possible_duplicates(&self) -> Vec<Value>;
}

impl Decisions for Client {
    async fn decide(&self, mutation: &str, argument: &str, given: Value) -> Value {
        let class = if given.is_array() { "[ID!]!" } else { "ID!" };
        let query = format!(
            "mutation($given: {class}) {{ {mutation}({argument}: $given) {{ __typename
                ... on EntitiesSuccess {{ entities {{ id name memberIds }} }}
                ... on ValidationError {{ code message path }}
                ... on NotFound {{ code message }} }} }}"
        );
        self.graphql(&query, json!({ "given": given })).await[mutation].take()
    }

    async fn possible_duplicates(&self) -> Vec<Value> {
        let query = "{ possibleDuplicates { nodes { id doubt reason confidence
            left { name } right { name } } } }";
        let data = self.graphql(query, json!({})).await;
        data["possibleDuplicates"]["nodes"]
            .as_array()
            .unwrap()
            .clone()
    }
}
