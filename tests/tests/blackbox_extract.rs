//! One batch from files, in one process.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use knowledge_tables::batch_document;
use knowledge_tests::{
    TestDatabase,
    documents::text,
    each_database,
    rows::{assert_kept, completed_activities, texts},
    server,
};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

/// A folder with a file of every kind.
fn corpus(db: &TestDatabase) -> PathBuf {
    let folder = db.folder().join("corpus");
    fs::create_dir_all(folder.join("below")).expect("a folder can be made");
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text).expect("a file can be written");
    };
    let line = |id: &str, text: String| json!({ "id": id, "name": id, "text": text }).to_string();
    write(
        "a.txt",
        format!("Zoë Ångström 🛰 met 王小明.\n\n{}", text(1, 3)),
    );
    write("b.md", format!("# Notes\n\n{}", text(2, 3)));
    write(
        "below/c.html",
        format!(
            "<html><head><title>T</title><style>p {{}}</style></head><body><p>{}</p></body></html>",
            text(3, 3)
        ),
    );
    write(
        "d.jsonl",
        format!(
            "{}\n{}\n",
            line("first", text(4, 2)),
            line("second", text(5, 2))
        ),
    );
    write(
        "ignored.bin",
        "Nobody Reads This works for Nothing Incorporated.".to_owned(),
    );
    folder
}

fn extract(db: &TestDatabase, folder: &Path, out: &Path) -> Output {
    let (folder, out) = (folder.to_string_lossy(), out.to_string_lossy());
    server::run(&["extract", &folder, "--out", &out, "--database", db.url()])
}

fn assert_exit(output: &Output, code: i32) {
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{complaints}");
}

fn graph(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("the graph was written");
    serde_json::from_str(&text).expect("the graph is JSON")
}

fn list<'a>(graph: &'a Value, name: &str) -> &'a [Value] {
    graph[name].as_array().map_or(&[], Vec::as_slice)
}

/// The name of a document that evidence refers to by its id or its name.
fn document_name<'a>(graph: &'a Value, reference: &'a Value) -> &'a str {
    let documents = list(graph, "documents").iter();
    let named = documents
        .clone()
        .find(|document| document["id"] == *reference);
    let name = named.map_or(reference, |document| &document["name"]);
    name.as_str().unwrap_or_default()
}

fn position(value: &Value) -> usize {
    let position = value.as_u64().expect("a position is a number");
    usize::try_from(position).expect("a position is small")
}

async fn most_attempts(db: &TestDatabase) -> i32 {
    let connection = db.connect().await;
    let documents = batch_document::Entity::find().all(&connection).await;
    connection.close().await.expect("the connection closes");
    let documents = documents.expect("documents can be read").into_iter();
    documents.map(|row| row.attempt).max().unwrap_or_default()
}

each_database! {
    async fn a_graph_is_written_in_every_format(db: TestDatabase) {
        let (folder, turtle) = (corpus(&db), db.folder().join("extracted.ttl"));
        assert_eq!(extract(&db, &folder, &turtle).status.code(), Some(0));
        let extracted = fs::read_to_string(turtle).unwrap();
        assert!(extracted.starts_with("@prefix "), "{extracted}");
        for (format, ending, begin) in [
            ("json", "json", r#"{"entities":["#),
            ("jsonld", "jsonld", r#"[{"@id":"#),
            ("turtle", "ttl", "@prefix "),
            ("ntriples", "nt", "<urn:uuid:"),
            ("graphml", "graphml", "<?xml "),
            ("cypher", "cypher", "CREATE CONSTRAINT "),
            ("csv", "csv", "kind,id,name,"),
        ] {
            let named = server::run(&["export", "--format", format, "--database", db.url()]);
            let graph = String::from_utf8(named.stdout).unwrap();
            assert!(graph.starts_with(begin), "{format}: {graph}");
            assert!(graph.contains("Zoë Ångström"), "{format}: {graph}");
            let out = db.folder().join(format!("graph.{ending}"));
            let written = [
                "export",
                "--out",
                &out.to_string_lossy(),
                "--database",
                db.url(),
            ];
            assert_eq!(server::run(&written).status.code(), Some(0));
            assert_eq!(fs::read_to_string(out).unwrap(), graph, "{format}");
        }
        let refused = extract(&db, &folder, &db.folder().join("graph.txt"));
        assert_eq!(refused.status.code(), Some(1));
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("graph.txt has an ending that names no format; use .json"), "{said}");
    }

    async fn every_kind_of_file_is_read_and_every_span_is_true(db: TestDatabase) {
        let out = db.folder().join("a.json");
        assert_exit(&extract(&db, &corpus(&db), &out), 0);
        let graph = graph(&out);
        assert_eq!(list(&graph, "documents").len(), 5, "{}", graph["documents"]);
        assert!(!list(&graph, "entities").is_empty());
        assert!(!list(&graph, "relations").is_empty());

        let texts = texts(&db).await;
        let mut spans = 0;
        for found in list(&graph, "entities").iter().chain(list(&graph, "relations")) {
            assert!(!list(found, "evidence").is_empty(), "no evidence: {found}");
            for evidence in list(found, "evidence") {
                let text = &texts[document_name(&graph, &evidence["document"])];
                let (start, end) = (position(&evidence["startChar"]), position(&evidence["endChar"]));
                let span: String = text.chars().skip(start).take(end - start).collect();
                assert_eq!(evidence["text"], span, "{evidence}");
                assert!(!span.is_empty(), "{evidence}");
                spans += 1;
            }
        }
        assert!(spans > 20, "{spans} spans");
        let page = texts.iter().find(|(name, _)| name.ends_with("c.html")).unwrap().1;
        assert!(!page.contains('<'), "{page}");
    }

    async fn a_second_run_repeats_no_work(db: TestDatabase) {
        let folder = corpus(&db);
        let (first, second) = (db.folder().join("1.json"), db.folder().join("2.json"));
        assert_exit(&extract(&db, &folder, &first), 0);
        let before = completed_activities(&db).await;
        assert!(!before.is_empty());

        assert_exit(&extract(&db, &folder, &second), 0);
        assert_eq!(completed_activities(&db).await, before);
        assert_eq!(fs::read(first).unwrap(), fs::read(second).unwrap());
    }

    async fn an_interrupted_run_goes_on(db: TestDatabase) {
        let folder = db.folder().join("long");
        fs::create_dir(&folder).unwrap();
        for index in 0..25 {
            fs::write(folder.join(format!("{index:02}.txt")), text(index, 60)).unwrap();
        }
        let expected = db.folder().join("expected.json");
        assert_exit(&extract(&db.another(), &folder, &expected), 0);

        let out = db.folder().join("out.json");
        db.open().await.close().await.unwrap();
        let mut running = server::knowledge()
            .arg("extract").arg(&folder)
            .arg("--out").arg(&out)
            .args(["--database", db.url()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_mins(4);
        while completed_activities(&db).await.len() < 5 {
            assert!(Instant::now() < deadline, "no activity completes");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.kill().unwrap();
        running.wait().unwrap();
        assert!(!out.exists(), "nothing was left to interrupt");
        let before = completed_activities(&db).await;

        assert_exit(&extract(&db, &folder, &out), 0);
        assert_kept(&before, &completed_activities(&db).await);
        assert_eq!(fs::read(expected).unwrap(), fs::read(out).unwrap());
    }

    async fn failed_documents_show_in_the_exit_code(db: TestDatabase) {
        let folder = corpus(&db);
        fs::write(folder.join("empty.txt"), "").unwrap();
        let out = db.folder().join("a.json");
        assert_exit(&extract(&db, &folder, &out), 3);
        let graph = graph(&out);
        let failed: Vec<_> = list(&graph, "documents")
            .iter()
            .filter(|document| !document["error"].is_null())
            .collect();
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert!(failed[0]["name"].as_str().unwrap().ends_with("empty.txt"));

        let folder = folder.to_string_lossy();
        let abort = ["extract", &folder, "--failure-policy", "abort-all", "--database"];
        let fresh = db.another();
        let output = server::run(&[&abort[..], &[fresh.url()]].concat());
        assert_exit(&output, 1);
        assert!(String::from_utf8_lossy(&output.stderr).contains("empty.txt"));
    }

    async fn what_failed_is_tried_again_on_demand(db: TestDatabase) {
        let folder = corpus(&db);
        fs::write(folder.join("empty.txt"), "").unwrap();
        let folder = folder.to_string_lossy();
        let run = |more: &[&str]| {
            let arguments = ["extract", &folder, "--out", "-", "--database", db.url()];
            server::run(&[&arguments[..], more].concat())
        };
        let first = run(&[]);
        assert_exit(&first, 3);
        let advice = String::from_utf8_lossy(&first.stderr).into_owned();
        assert!(advice.contains("--retry"), "{advice}");
        let before = completed_activities(&db).await;

        assert_exit(&run(&[]), 3);
        assert_eq!(most_attempts(&db).await, 1, "nobody asked for another attempt");
        let again = run(&["--retry"]);
        assert_exit(&again, 3);
        assert_eq!(most_attempts(&db).await, 2);
        assert_kept(&before, &completed_activities(&db).await);
        assert_eq!(again.stdout, first.stdout);

        fs::remove_file(Path::new(&*folder).join("empty.txt")).unwrap();
        assert_exit(&run(&[]), 0);
        assert_exit(&run(&["--retry"]), 0);
        assert_exit(&run(&["--retry", "--dry-run"]), 2);
    }

    async fn the_graph_goes_to_standard_output(db: TestDatabase) {
        let folder = corpus(&db);
        let out = db.folder().join("a.json");
        assert_exit(&extract(&db, &folder, &out), 0);
        let folder = folder.to_string_lossy();
        let output = server::run(&["extract", &folder, "--database", db.url()]);
        assert_exit(&output, 0);
        assert_eq!(output.stdout, fs::read(out).unwrap());
        assert!(!String::from_utf8_lossy(&output.stderr).contains('\u{1b}'), "no terminal, no bars");
    }
}
