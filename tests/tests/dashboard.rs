//! A user at the dashboard, in a real browser.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Command,
    time::Duration,
};

use knowledge_tests::{
    Client, TestServer,
    bad_network::BadNetwork,
    browser, documents, each_database, node,
    provider::{Provider, Reply, Script},
    server,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Relations that the page draws at first.
const DRAWN: u64 = 200;

/// What the script saw of one kind.
fn saw<'a>(lines: &'a [Value], what: &str) -> &'a Value {
    let line = lines.iter().find(|line| line["saw"] == what);
    line.unwrap_or_else(|| panic!("it did not see {what}: {lines:#?}"))
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list");
    list.iter().map(|it| it.as_str().expect("a text")).collect()
}

/// That progress never went back and came to its end, and that the page asked nobody else for
/// anything and never failed.
fn assert_watched(lines: &[Value]) {
    let progress = saw(lines, "progress");
    let shares = texts(&progress["shares"]).into_iter();
    let shares: Vec<u32> = shares
        .map(|share| share.trim_end_matches(" %").parse().expect("a share"))
        .collect();
    assert!(shares.is_sorted(), "{shares:?}");
    assert_eq!(shares.last(), Some(&100));
    assert_eq!(texts(&progress["stages"]).last(), Some(&"completed"));
    assert_eq!(saw(lines, "complaints")["complaints"], json!([]));
}

/// That the page shows what the API says: each document, all relations, and quotes that are true.
async fn assert_true(lines: &[Value], client: &Client, documents: &[Value]) {
    let id = saw(lines, "batch")["id"].as_str().expect("an id");
    let query = "query ($id: ID!) { batch(id: $id) {
        entityCount relationCount
        documents(first: 25) { nodes { name entityCount relationCount } }
        relations(first: 200) { nodes { object { id } } }
    } }";
    let data = client.graphql(query, json!({ "id": id })).await;
    let batch = &data["batch"];
    let relations = batch["relationCount"].as_u64().expect("a count");
    let drawn = saw(lines, "graph")["drawn"].as_str().expect("a text");
    let all = format!("{} relations.", relations.min(DRAWN));
    assert!(drawn.ends_with(&all), "{drawn}");
    assert_eq!(drawn.starts_with("The first"), relations > DRAWN, "{drawn}");
    // Those to a value are told beside the drawing.
    let stated = batch["relations"]["nodes"].as_array().expect("a list");
    let edges = stated.iter().filter(|it| !it["object"].is_null()).count();
    assert_eq!(saw(lines, "graph")["edges"], edges);
    let entities = format!("{} entities", batch["entityCount"]);
    let facts = texts(&saw(lines, "progress")["facts"]);
    assert!(facts.contains(&&*entities), "{facts:?}");
    let nodes = batch["documents"]["nodes"].as_array().expect("a list");
    let rows = nodes.iter().map(|node| {
        let count = |name: &str| node[name].to_string();
        json!([
            node["name"],
            "completed",
            "",
            "1",
            count("entityCount"),
            count("relationCount")
        ])
    });
    assert_eq!(saw(lines, "documents")["rows"], rows.collect::<Value>());
    let units = saw(lines, "units")["units"].as_array().expect("a list");
    for unit in ["chunk", "mentions/0", "assemble"] {
        assert!(units.contains(&json!([unit, "completed"])), "{units:?}");
    }
    let quotes = saw(lines, "entity")["quotes"].as_array().expect("a list");
    assert!(!quotes.is_empty());
    for quote in quotes {
        let from = quote["from"].as_str().expect("a text");
        let (name, span) = from.rsplit_once(", ").expect("a name and a span");
        let (start, end) = span.split_once(" to ").expect("a span");
        let offset = |text: &str| text.parse::<usize>().expect("an offset");
        let (start, end) = (offset(start), offset(end));
        let document = documents.iter().find(|document| document["name"] == name);
        let text = document.expect("a document of the batch")["text"].as_str();
        let text = text.expect("a text");
        let said: String = text.chars().skip(start).take(end - start).collect();
        assert_eq!(quote["text"], said.as_str());
    }
}

/// What a script sees, as it sees it; it ends where the script does.
fn watch(script: Command) -> mpsc::UnboundedReceiver<Value> {
    let (tell, told) = mpsc::unbounded_channel();
    tokio::task::spawn_blocking(move || {
        let mut child = node::start(script);
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        for line in output.lines() {
            let line = line.expect("the output is text");
            // Who does not listen any more has failed already.
            let _ = tell.send(serde_json::from_str(&line).expect("a line is JSON"));
        }
        let ended = child.wait_with_output().expect("it can be waited for");
        let complaints = String::from_utf8_lossy(&ended.stderr);
        let failed = json!({ "saw": "failure", "complaints": complaints });
        if !ended.status.success() {
            let _ = tell.send(failed);
        }
    });
    told
}

/// All that a script still sees.
async fn rest(mut page: mpsc::UnboundedReceiver<Value>) -> Vec<Value> {
    let mut lines = Vec::new();
    while let Some(line) = page.recv().await {
        assert_ne!(line["saw"], "failure", "{line:#}");
        lines.push(line);
    }
    lines
}

each_database! {
    async fn a_batch_is_started_watched_and_looked_at(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let folder = tempfile::tempdir().expect("a folder");
        let documents = documents::documents(12);
        let mut arguments = vec![server.client().url(""), "start".to_owned()];
        for document in &documents {
            let path = folder.path().join(document["name"].as_str().unwrap());
            fs::write(&path, document["text"].as_str().unwrap()).expect("a file");
            arguments.push(path.to_str().expect("a path of text").to_owned());
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let Some(script) = browser::script("dashboard.mjs", &arguments) else {
            return;
        };
        let lines = rest(watch(script)).await;
        assert_watched(&lines);
        assert_true(&lines, server.client(), &documents).await;
    }

    async fn failed_documents_are_tried_again_and_a_batch_is_cancelled(db: TestDatabase) {
        // A model that does not answer: the batch is still running when somebody cancels it.
        let provider = Provider::start(Script::default().then([Reply::Hang; 8]));
        let server = TestServer::start_asking(db.url(), &provider);
        let client = server.client();
        let failed = client.start(&[documents::empty_document()], json!({})).await;
        client.ended(&failed).await;
        let config = json!({ "extractor": "LLM", "concurrency": 1 });
        let running = client.start(&documents::documents(2), config).await;
        let arguments = [&client.url(""), "steer", &failed, &running];
        let Some(script) = browser::script("dashboard.mjs", &arguments) else {
            return;
        };
        let lines = rest(watch(script)).await;
        let error = saw(&lines, "retry")["error"].as_str().expect("a text");
        assert!(error.contains("empty"), "{error}");
        saw(&lines, "cancel");
        assert_eq!(client.ended(&running).await["stage"], "CANCELLED");
        assert_eq!(saw(&lines, "complaints")["complaints"], json!([]));
    }

    async fn callers_sign_in_with_their_keys(db: TestDatabase) {
        let key = |role: &str| {
            let make = ["key", "create", "--name", role, "--role", role, "--database", db.url()];
            let made = server::run(&make);
            String::from_utf8(made.stdout).expect("a text").trim().to_owned()
        };
        let (editor, viewer) = (key("editor"), key("viewer"));
        let server = TestServer::start(db.url());
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("one.txt");
        fs::write(&path, documents::text(1, 8)).expect("a file");
        let path = path.to_str().expect("a path of text");
        let url = server.client().url("");
        let Some(script) = browser::script("dashboard.mjs", &[&url, "sign", &editor, &viewer, path]) else {
            return;
        };
        let lines = rest(watch(script)).await;
        let error = saw(&lines, "wrong key")["error"].as_str().expect("a text");
        assert!(error.contains("unknown, revoked or expired"), "{error}");
        let id = saw(&lines, "batch")["id"].as_str().expect("an id");
        let batch = server.client().with_key(&viewer).batch(id).await;
        assert_eq!(batch["stage"], "COMPLETED");
        assert_eq!(texts(&saw(&lines, "progress")["stages"]).last(), Some(&"completed"));
        let page = saw(&lines, "viewer")["page"].as_str().expect("a text");
        assert!(page.contains("Sign out") && page.contains("1 of 1"), "{page}");
        assert_eq!(saw(&lines, "complaints")["complaints"], json!([]));
    }

    /// The page stays open while the server dies and comes back, elsewhere behind its address.
    async fn a_page_survives_a_server_that_is_killed(db: TestDatabase) {
        let mut server = TestServer::start(db.url());
        let network = BadNetwork::start(&server.client().url(""), 0, 1, 7).await;
        let documents = documents::long_documents(24);
        let batch = server.client().start(&documents, json!({ "concurrency": 1 })).await;
        let arguments = [&network.url(), "watch", &batch];
        let Some(script) = browser::script("dashboard.mjs", &arguments) else {
            return;
        };
        let mut page = watch(script);
        let mut lines = Vec::new();
        for what in ["batch", "share"] {
            let line = page.recv().await.expect("the page is opened");
            assert_eq!(line["saw"], what, "{line:#}");
            lines.push(line);
        }
        for _ in 0..2 {
            server.kill9();
            // Long enough for the page to say so.
            tokio::time::sleep(Duration::from_millis(700)).await;
            server = TestServer::start(db.url());
            network.move_to(&server.client().url(""));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        lines.extend(rest(page).await);
        assert_watched(&lines);
        assert_eq!(saw(&lines, "progress")["reconnected"], true);
        assert_true(&lines, server.client(), &documents).await;
    }
}
