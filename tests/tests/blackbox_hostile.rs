//! What is wrong is refused, with words that help.

use std::{fs, net::TcpListener, process::Output};

use knowledge_tests::{
    Backend, Client, TestDatabase, TestServer,
    documents::{document, documents},
    each_database, server,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Fails with this exit code and one line that names what is wrong.
fn assert_refused(output: &Output, code: i32, word: &str) {
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{complaints}");
    assert!(complaints.contains(word), "no `{word}` in: {complaints}");
    for sign in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
        assert!(!complaints.contains(sign), "{complaints}");
    }
    if code == 1 {
        assert_eq!(complaints.trim().lines().count(), 1, "{complaints}");
    }
}

fn serve(database: &str) -> Output {
    server::run(&["serve", "--listen", "127.0.0.1:0", "--database", database])
}

fn sqlite() -> TestDatabase {
    TestDatabase::create(Backend::Sqlite).expect("a file can be made")
}

async fn refused(client: &Client, input: Value, path: &[&str]) {
    let payload = client.start_batch(input).await;
    assert_eq!(payload["__typename"], "ValidationError", "{payload}");
    assert_eq!(payload["path"], json!(path), "{payload}");
    assert!(
        payload["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{payload}"
    );
}

each_database! {
    async fn wrong_requests_name_what_is_wrong(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        refused(client, json!({ "documents": [] }), &["documents"]).await;
        for (field, value) in [
            ("concurrency", 0),
            ("concurrency", 65),
            ("concurrency", -1),
            ("maxRetries", -1),
        ] {
            let config = json!({ field: value });
            let input = json!({ "documents": documents(1), "config": config });
            refused(client, input, &["config", field]).await;
        }
        let nameless = json!({ "documents": [document(0), { "name": "", "text": "a" }] });
        refused(client, nameless, &["documents", "1", "name"]).await;
        let batches = client.graphql("{ batches { nodes { id } } }", json!({})).await;
        assert_eq!(batches["batches"]["nodes"], json!([]), "something was stored");
    }

    async fn unknown_ids_are_nothing(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let known = client.start(&documents(1), json!({})).await;
        let stranger: String = known.chars().rev().collect();
        for id in ["", "nonsense", "batch_0", "../etc/passwd", "'; DROP TABLE batch_execution", "\u{0}", &stranger] {
            assert_eq!(client.batch(id).await, Value::Null, "{id}");
            for payload in [client.cancel(id).await, client.retry(id).await] {
                assert_eq!(payload["__typename"], "NotFound", "{id}: {payload}");
            }
            let query = "query($id: ID!) { node(id: $id) { id } workflowExecution(id: $id) { id } }";
            let data = client.graphql(query, json!({ "id": id })).await;
            assert_eq!(data, json!({ "node": null, "workflowExecution": null }), "{id}");
        }
        let other = format!("batch_{}", "0".repeat(32));
        for (id, status) in [
            ("nonsense", StatusCode::BAD_REQUEST),
            (other.as_str(), StatusCode::NOT_FOUND),
        ] {
            let response = client.sse(id, None).await;
            assert_eq!(response.status(), status, "{id}");
            let kind = &response.headers()["content-type"];
            assert_eq!(kind, "application/problem+json", "{id}");
        }
        let unknown = json!({ "documents": documents(1), "ontologyId": "nonsense" });
        assert_eq!(client.start_batch(unknown).await["__typename"], "NotFound");
    }

    async fn documents_of_any_script_and_shape_are_taken(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let texts = [
            "\u{feff}Zoë Ångström met 王小明 in Zürich.",
            "مريم تعمل في القاهرة.",
            "👩‍🚀 Mara Voss founded Kestrel Labs in Graz 🛰.",
            "a",
            "\r\n\r\n\t \u{2028}.",
            "no end of the sentence and no capital letter",
            "{\"json\": [1, 2, null]}",
        ];
        let documents: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| json!({ "name": format!("n {index}"), "text": text }))
            .collect();
        let id = client.start(&documents, json!({})).await;
        let batch = client.ended(&id).await;
        assert_eq!(batch["stage"], "COMPLETED", "{batch}");
        assert!(client.http().get(client.url("/livez")).send().await.unwrap().status().is_success());
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let db = sqlite();
    let server = TestServer::start(db.url());
    let address = server.client().url("").replace("http://", "");
    let head = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    for (length, chunk) in [
        ("Content-Length: 104857600", vec![b' '; 1 << 20]),
        ("Transfer-Encoding: chunked", chunk(1 << 20)),
    ] {
        let (mut reader, mut writer) = TcpStream::connect(&address).await.unwrap().into_split();
        let head = format!("{head}{length}\r\n\r\n");
        let write = tokio::spawn(async move {
            writer.write_all(head.as_bytes()).await?;
            for _ in 0..100 {
                writer.write_all(&chunk).await?;
            }
            std::io::Result::Ok(())
        });
        let mut answer = vec![0; 12];
        reader.read_exact(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 413", "{length}");
        write.abort();
    }
    let health = server.client().url("/readyz");
    assert!(
        server
            .client()
            .http()
            .get(health)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
}

/// A chunk of a chunked body.
fn chunk(size: usize) -> Vec<u8> {
    let mut chunk = format!("{size:x}\r\n").into_bytes();
    chunk.extend(vec![b' '; size]);
    chunk.extend(b"\r\n");
    chunk
}

#[test]
fn databases_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let junk = folder.path().join("junk.db");
    fs::write(
        &junk,
        "this is no database, though it is long enough for a header".repeat(40),
    )
    .unwrap();
    let sqlite = |path: &std::path::Path| format!("sqlite://{}", path.display());
    assert_refused(&serve("mysql://localhost/k"), 1, "mysql://");
    assert_refused(&serve("nonsense"), 1, "nonsense");
    assert_refused(&serve(&sqlite(folder.path())), 1, "cannot be opened");
    assert_refused(&serve(&sqlite(&junk)), 1, "cannot be opened");
    assert_refused(&serve(&sqlite(&junk.join("k.db"))), 1, "cannot be opened");
    let unreachable = serve("postgres://me:s3cret@127.0.0.1:1/k");
    assert_refused(&unreachable, 1, "cannot be opened");
    assert!(!String::from_utf8_lossy(&unreachable.stderr).contains("s3cret"));
}

/// Read-only to root too: the header says that a later release of SQLite wrote it.
#[tokio::test]
async fn a_database_that_cannot_be_written_is_refused() {
    let db = sqlite();
    let file = db.folder().join("knowledge.db");
    db.open().await.close().await.unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[18] = 3;
    fs::write(&file, bytes).unwrap();
    assert_refused(&serve(db.url()), 1, "cannot be opened");
}

#[tokio::test]
async fn a_file_has_one_server() {
    let db = sqlite();
    let first = TestServer::start(db.url());
    assert_refused(&serve(db.url()), 1, "in use");
    let id = first.client().start(&documents(1), json!({})).await;
    assert_eq!(first.client().ended(&id).await["stage"], "COMPLETED");
    first.kill9();
    assert!(
        TestServer::start(db.url()).terminate().success(),
        "a killed server locks nobody out"
    );
}

#[tokio::test]
async fn a_database_that_was_let_go_is_one_file() {
    let db = sqlite();
    let file = db.folder().join("knowledge.db");
    let log = db.folder().join("knowledge.db-wal");
    let server = TestServer::start(db.url());
    let id = server.client().start(&documents(2), json!({})).await;
    assert_eq!(server.client().ended(&id).await["stage"], "COMPLETED");
    assert!(server.terminate().success());
    assert!(
        !log.exists(),
        "the log is carried over when the server ends"
    );

    let copy = tempfile::tempdir().unwrap();
    let copied = copy.path().join("my notes \u{1f980}.db");
    fs::copy(&file, &copied).unwrap();
    let copied = format!("sqlite://{}", copied.display());
    let export = |url: &str| server::run(&["export", &id, "--database", url]);
    assert_eq!(export(&copied).stdout, export(db.url()).stdout);
    assert!(TestServer::start(&copied).terminate().success());
    let verified = server::run(&["verify", "--database", &copied.replace(' ', "%20")]);
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let db = sqlite();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "Ilse Varga lives in Halvern.").unwrap();
    let path = folder.path().to_string_lossy().into_owned();
    for arguments in [
        &["extract", &path, "--database", db.url()][..],
        &["export", "--database", db.url()],
        &["verify", "--database", db.url()],
        &["schema"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = server::knowledge()
            .args(arguments)
            .stdout(writer)
            .output()
            .unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {complaints}");
        assert!(!complaints.contains("rror"), "{arguments:?}: {complaints}");
    }
}

#[tokio::test]
async fn only_the_names_of_the_server_are_answered() {
    let db = sqlite();
    let names = ("KNOWLEDGE_ALLOWED_HOSTS", "graph.example.org");
    let server = TestServer::start_with(db.url(), &[names]);
    let url = server.client().url("/graphql?query=%7B__typename%7D");
    for (host, status) in [
        ("graph.example.org", StatusCode::OK),
        ("localhost:1", StatusCode::OK),
        ("evil.example", StatusCode::MISDIRECTED_REQUEST),
    ] {
        let request = reqwest::Client::new().get(&url).header("host", host);
        assert_eq!(request.send().await.unwrap().status(), status, "{host}");
    }
}

#[test]
fn addresses_that_cannot_be_used_are_named() {
    let db = sqlite();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let listen = |address| server::run(&["serve", "--listen", address, "--database", db.url()]);
    assert_refused(&listen(&address), 1, &address);
    assert_refused(&listen("0.0.0.0:0"), 1, "0.0.0.0");
    assert_refused(&listen("[::]:0"), 1, "::");
    assert_refused(&listen("nonsense"), 1, "nonsense");
}

#[test]
fn modes_and_models_that_are_not_set_up_are_refused() {
    let db = sqlite();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "Ilse Varga lives in Halvern.").unwrap();
    let path = folder.path().to_string_lossy().into_owned();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--database", db.url()];
    for (mode, said) in [
        ("engine", "PostgreSQL"),
        ("shadow", "PostgreSQL"),
        ("nonsense", "nonsense"),
    ] {
        let output = server::run_with(&arguments, &[("KNOWLEDGE_WORKFLOW_MODE", mode)]);
        assert_refused(&output, 1, said);
    }
    let worker = ["worker", "--database", db.url()];
    assert_refused(&server::run(&worker), 1, "PostgreSQL");
    let everywhere = [
        "worker",
        "--listen",
        "0.0.0.0:0",
        "--database",
        "postgres://127.0.0.1/a",
    ];
    assert_refused(
        &server::run(&everywhere),
        1,
        "KNOWLEDGE_RESTATE_IDENTITY_KEY",
    );
    let llm = [
        "extract",
        &path,
        "--extractor",
        "llm",
        "--database",
        db.url(),
    ];
    assert_refused(&server::run(&llm), 1, "llm");
}

#[test]
fn wrong_usage_is_told_from_failure() {
    for arguments in [
        &["frobnicate"][..],
        &["serve", "--nonsense"],
        &["extract"],
        &["extract", ".", "--failure-policy", "nonsense"],
        &["export", "--format", "nonsense"],
    ] {
        assert_refused(&server::run(arguments), 2, "");
    }
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").to_string_lossy().into_owned();
    let db = sqlite();
    let output = server::run(&["extract", &missing, "--database", db.url()]);
    assert_refused(&output, 1, "missing");
    let empty = folder.path().to_string_lossy().into_owned();
    let output = server::run(&["extract", &empty, "--database", db.url()]);
    assert_refused(&output, 1, "no documents");
    fs::write(folder.path().join("a.txt"), "Ilse Varga lives in Halvern.").unwrap();
    let output = server::run(&[
        "extract",
        &empty,
        "--concurrency",
        "0",
        "--database",
        db.url(),
    ]);
    assert_refused(&output, 2, "concurrency");
}
