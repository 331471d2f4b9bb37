//! Batches whose types and predicates an ontology decides.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Output};

use knowledge_tests::{
    TestDatabase, TestServer,
    documents::{documents, long_documents, text},
    each_database,
    events::kind,
    rows::{assert_kept, completed_activities},
    server,
};
use serde_json::{Value, json};

/// Persons, and firms as companies; the corpus also has places, which these have not.
const FIRMS: &str = r"
@prefix : <https://example.org/firms#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
:Agent a owl:Class .
:Person a owl:Class ; rdfs:subClassOf :Agent .
:Company a owl:Class ; rdfs:subClassOf :Agent .
:employer a owl:ObjectProperty ; rdfs:domain :Person ; rdfs:range :Company .
:founder a owl:ObjectProperty ; rdfs:domain :Company ; rdfs:range :Person .
:knows a owl:ObjectProperty ; rdfs:domain :Person ; rdfs:range :Person .
";

const CLASSES: &[&str] = &["Agent", "Company", "Person"];
const PREDICATES: &[&str] = &["employer", "founder", "knows"];

const REGISTER: &str = "mutation($input: RegisterOntologyInput!) {
    registerOntology(input: $input) { __typename
        ... on RegisterOntologySuccess { ontology {
            id name namespace format classCount propertyCount } }
        ... on Error { code message } ... on ValidationError { path } } }";

fn corpus(db: &TestDatabase) -> PathBuf {
    let folder = db.folder().join("corpus");
    fs::create_dir_all(&folder).expect("a folder can be made");
    for index in 0..4 {
        fs::write(folder.join(format!("{index}.txt")), text(index, 3)).expect("it is written");
    }
    folder
}

fn file(db: &TestDatabase, name: &str, content: &str) -> String {
    let path = db.folder().join(name);
    fs::write(&path, content).expect("it is written");
    path.to_string_lossy().into_owned()
}

fn extract(db: &TestDatabase, more: &[&str]) -> Output {
    let (folder, out) = (corpus(db), db.folder().join("graph.json"));
    let (folder, out) = (folder.to_string_lossy(), out.to_string_lossy());
    let mut all = vec!["extract", &folder, "--out", &out, "--database", db.url()];
    all.extend(more);
    server::run(&all)
}

fn complaints(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn graph(db: &TestDatabase) -> Value {
    let text = fs::read(db.folder().join("graph.json")).expect("the graph was written");
    serde_json::from_slice(&text).expect("the graph is JSON")
}

/// Every type and every predicate of a graph.
fn words(graph: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let list = |name: &str| graph[name].as_array().cloned().unwrap_or_default();
    let types = list("entities").into_iter().flat_map(|entity| {
        let types = entity["types"].as_array().cloned();
        types.expect("an entity has types")
    });
    let word = |word: Value| word.as_str().expect("a word").to_owned();
    let predicates = list("relations").into_iter();
    (
        types.map(word).collect(),
        predicates
            .map(|mut relation| word(relation["predicate"].take()))
            .collect(),
    )
}

fn assert_within(graph: &Value) {
    let (types, predicates) = words(graph);
    assert!(
        types.contains("Person") && types.contains("Company"),
        "{types:?}"
    );
    assert!(
        types.iter().all(|it| CLASSES.contains(&it.as_str())),
        "{types:?}"
    );
    assert!(!predicates.is_empty());
    assert!(
        predicates
            .iter()
            .all(|it| PREDICATES.contains(&it.as_str())),
        "{predicates:?}"
    );
}

each_database! {
    async fn an_ontology_decides_types_and_predicates(db: TestDatabase) {
        let ontology = file(&db, "firms.ttl", FIRMS);
        let first = extract(&db, &["--ontology", &ontology, "--json"]);
        assert_eq!(first.status.code(), Some(0), "{}", complaints(&first));
        let found = graph(&db);
        assert_within(&found);
        let totals: Value = serde_json::from_slice(&first.stdout).unwrap();
        let rejections = &totals["rejections"];
        assert!(rejections["unknownTypes"].as_u64() > Some(0), "{rejections}");
        let told = format!("has no class for {} names", rejections["unknownTypes"]);
        assert!(complaints(&first).contains(&told), "{}", complaints(&first));

        // The same command has nothing left to do.
        let again = extract(&db, &["--ontology", &ontology, "--json"]);
        assert_eq!(first.stdout, again.stdout);
        assert_eq!(graph(&db), found);

        // The core types, and another ontology, are other batches of the same texts.
        let core = extract(&db, &["--json"]);
        assert_eq!(core.status.code(), Some(0), "{}", complaints(&core));
        assert!(words(&graph(&db)).0.contains("Place"));
        let more = file(&db, "more.ttl", &format!("{FIRMS}\n:Place a owl:Class ."));
        let other = extract(&db, &["--ontology", &more, "--json"]);
        assert!(words(&graph(&db)).0.contains("Place"), "{}", complaints(&other));
        let id = |output: &Output| {
            let totals: Value = serde_json::from_slice(&output.stdout).unwrap();
            totals["batchId"].as_str().unwrap().to_owned()
        };
        let batches = BTreeSet::from([id(&first), id(&core), id(&other)]);
        assert_eq!(batches.len(), 3);
        let exported: Value = serde_json::from_str(&server::export(db.url(), &id(&first))).unwrap();
        assert_eq!(words(&exported), words(&found));
        // Its RDF is in the words of the ontology.
        let turtle = db.folder().join("graph.ttl");
        let export = ["export", &id(&first), "--database", db.url(), "--out"];
        let exported = server::run(&[&export[..], &[&turtle.to_string_lossy()]].concat());
        assert_eq!(exported.status.code(), Some(0), "{}", complaints(&exported));
        let turtle = fs::read_to_string(turtle).unwrap();
        for term in ["a <https://example.org/firms#Person>", "<https://example.org/firms#employer>"] {
            assert!(turtle.contains(term), "{turtle}");
        }
        let ours = |line: &&str| line.contains(" class:") || line.contains(" predicate:");
        let ours = turtle.lines().filter(ours).filter(|line| !line.starts_with("@prefix"));
        assert_eq!(ours.collect::<Vec<_>>(), Vec::<&str>::new());
        // That of everything calls nobody's persons by somebody's name: one batch had no ontology.
        let everything = server::run(&["export", "--format", "turtle", "--database", db.url()]);
        let everything = String::from_utf8(everything.stdout).unwrap();
        assert!(everything.contains("a class:Person") && !everything.contains("firms#Person"));
        assert!(everything.contains("a <https://example.org/firms#Company>"), "{everything}");
        assert!(!everything.contains("firms#employer"), "{everything}");
        knowledge_tests::verify(&db).await;
    }

    async fn what_is_no_ontology_is_refused_before_anything_is_stored(db: TestDatabase) {
        let wrong = [
            ("wrong.ttl", "a b", "this is no Turtle: "),
            ("none.ttl", "", "the ontology has no class"),
            ("firms.pdf", FIRMS, "has an ending that names no format"),
            ("firms.rdf", FIRMS, "this is no RDF/XML: "),
        ];
        for (name, content, why) in wrong {
            let refused = extract(&db, &["--ontology", &file(&db, name, content)]);
            let said = complaints(&refused);
            assert_eq!(refused.status.code(), Some(1), "{name}: {said}");
            assert!(said.contains(why) && said.contains(name), "{name}: {said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
        let missing = extract(&db, &["--ontology", "/nowhere/firms.ttl"]);
        assert_eq!(missing.status.code(), Some(1), "{}", complaints(&missing));
        let path = db.folder().join("latin.ttl");
        fs::write(&path, b"# \xe9").unwrap();
        let refused = extract(&db, &["--ontology", &path.to_string_lossy()]);
        assert!(complaints(&refused).contains("is not UTF-8"), "{}", complaints(&refused));
    }

    async fn ontologies_are_registered_once_per_content(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let register = async |name: &str, content: &str, format: &str| {
            let input = json!({ "name": name, "content": content, "format": format });
            client.graphql(REGISTER, json!({ "input": input })).await["registerOntology"].take()
        };
        let registered = register("firms", FIRMS, "TURTLE").await;
        let ontology = &registered["ontology"];
        let id = ontology["id"].as_str().unwrap();
        assert_eq!(*ontology, json!({
            "id": id, "name": "firms", "namespace": "https://example.org/firms#",
            "format": "TURTLE", "classCount": 3, "propertyCount": 3,
        }));
        let again = register("another name", FIRMS, "TURTLE").await;
        assert_eq!(again, registered, "it is the same");
        let triple = "<urn:x:A> <http://www.w3.org/2000/01/rdf-schema#subClassOf> <urn:x:B> .";
        let other = register("other", triple, "N_TRIPLES").await["ontology"]["id"].take();
        assert_ne!(other, json!(id));

        let query = "query($id: ID!) { node(id: $id) { id ... on Ontology { name } }
            ontology(id: $id) { classCount } none: ontology(id: \"x\") { id }
            first: ontologies(first: 1) { nodes { id } pageInfo { hasNextPage endCursor } } }";
        let shown = client.graphql(query, json!({ "id": id })).await;
        assert_eq!(shown["node"], json!({ "id": id, "name": "firms" }));
        assert_eq!(shown["ontology"]["classCount"], 3);
        assert!(shown["none"].is_null());
        let page = &shown["first"]["pageInfo"];
        assert_eq!(page["hasNextPage"], true);
        let query = "query($after: String) { ontologies(after: $after) { nodes { id } } }";
        let rest = client.graphql(query, json!({ "after": page["endCursor"] })).await;
        let listed = [&shown["first"]["nodes"][0]["id"], &rest["ontologies"]["nodes"][0]["id"]];
        let listed = BTreeSet::from(listed.map(|id| id.as_str().unwrap().to_owned()));
        let expected = BTreeSet::from([id.to_owned(), other.as_str().unwrap().to_owned()]);
        assert_eq!(listed, expected);

        let long = "n".repeat(201);
        for (name, content, format, path) in [
            ("", FIRMS, "TURTLE", "name"),
            (" \t", FIRMS, "TURTLE", "name"),
            (&*long, FIRMS, "TURTLE", "name"),
            ("a\0b", FIRMS, "TURTLE", "name"),
            ("firms", "", "TURTLE", "content"),
            ("firms", "# \0\n<urn:a> a <http://www.w3.org/2002/07/owl#Class> .", "TURTLE", "content"),
            ("firms", FIRMS, "N_TRIPLES", "content"),
            ("firms", FIRMS, "RDF_XML", "content"),
            ("firms", FIRMS, "JSON_LD", "content"),
        ] {
            let refused = register(name, content, format).await;
            assert_eq!(refused["code"], "VALIDATION_ERROR", "{refused}");
            assert_eq!(refused["path"], json!([path]), "{refused}");
        }
        knowledge_tests::verify(&db).await;
    }

    async fn a_killed_server_goes_on_with_the_ontology(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let input = json!({ "name": "firms", "content": FIRMS, "format": "TURTLE" });
        let mut registered = server.client().graphql(REGISTER, json!({ "input": input })).await;
        let ontology = registered["registerOntology"]["ontology"]["id"].take();
        let request = |ontology: &Value| json!({
            "documents": long_documents(12), "config": { "concurrency": 2 },
            "ontologyId": ontology, "idempotencyKey": "firms",
        });
        let unknown = json!(format!("onto_{}", "0".repeat(32)));
        let refused = server.client().start_batch(request(&unknown)).await;
        assert_eq!(refused["__typename"], "NotFound", "{refused}");
        let started = server.client().start_batch(request(&ontology)).await;
        let id = started["batch"]["id"].as_str().unwrap().to_owned();
        server.client().wait_for(&id, |event| kind(event) == "DocumentCompleted").await;
        server.kill9();
        let before = completed_activities(&db).await;

        let server = TestServer::start(db.url());
        assert_eq!(server.client().ended(&id).await["stage"], "COMPLETED");
        assert_kept(&before, &completed_activities(&db).await);
        let query = "query($id: ID!) { batch(id: $id) { ontology { id name }
            agents: entities(first: 1, type: \"Agent\") { nodes { types } }
            persons: entities(first: 1, type: \"Person\") { nodes { types } }
            places: entities(first: 1, type: \"Place\") { nodes { types } } } }";
        let mut shown = server.client().graphql(query, json!({ "id": id })).await;
        let batch = shown["batch"].take();
        assert_eq!(batch["ontology"], json!({ "id": ontology, "name": "firms" }));
        assert_eq!(batch["persons"]["nodes"][0]["types"], json!(["Person"]));
        // Who asks for a class gets what specialises it.
        assert_eq!(batch["agents"]["nodes"].as_array().map(Vec::len), Some(1), "{batch}");
        assert_eq!(batch["places"]["nodes"], json!([]));
        // Another request with the same key is told; a batch without an ontology has none.
        let mut other = request(&ontology);
        other["ontologyId"] = Value::Null;
        let conflict = server.client().start_batch(other).await;
        assert_eq!(conflict["__typename"], "IdempotencyConflict", "{conflict}");
        let core = server.client().start(&documents(1), json!({})).await;
        let core = server.client().graphql(query, json!({ "id": core })).await;
        assert!(core["batch"]["ontology"].is_null());
        assert!(server.terminate().success());
        assert_within(&serde_json::from_str(&server::export(db.url(), &id)).unwrap());
        knowledge_tests::verify(&db).await;
    }

    async fn a_batch_of_the_command_line_names_an_ontology_by_its_file(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let (folder, url) = (corpus(&db), server.client().url(""));
        let ontology = file(&db, "firms.ttl", FIRMS);
        let start = ["batch", "start", "--watch", "--json", "--server", &url, "--ontology"];
        let folder = folder.to_string_lossy();
        let started = server::run(&[&start[..], &[&ontology, &folder]].concat());
        assert_eq!(started.status.code(), Some(0), "{}", complaints(&started));
        let query = "{ batches { nodes { ontology { name } entities(type: \"Company\") { nodes { name } } } } }";
        let mut shown = server.client().graphql(query, json!({})).await;
        let batch = shown["batches"]["nodes"][0].take();
        assert_eq!(batch["ontology"]["name"], "firms");
        assert_ne!(batch["entities"]["nodes"], json!([]));
        let wrong = file(&db, "wrong.ttl", "a b");
        let refused = server::run(&[&start[..], &[&wrong, &folder]].concat());
        assert_eq!(refused.status.code(), Some(1));
        assert!(complaints(&refused).contains("this is no Turtle"), "{}", complaints(&refused));
    }
}
