//! What the tests of models share: runs of `knowledge extract`, and servers that ask a provider.

use std::{fs, path::PathBuf, process::Output, time::Duration};

use knowledge_tests::{Client, TestDatabase, TestServer, documents, provider::Provider, server};
use serde_json::{Value, json};

pub(crate) fn environment(
    provider: &Provider,
    more: &[(&'static str, &str)],
) -> Vec<(&'static str, String)> {
    let mut environment = provider.environment();
    environment.push(("KNOWLEDGE_ACTIVITY_BACKOFF_MS", "20".to_owned()));
    environment.extend(
        more.iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    environment
}

pub(crate) fn borrowed<'a>(environment: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

/// A folder with so many documents of so many paragraphs.
pub(crate) fn corpus(db: &TestDatabase, count: usize, paragraphs: usize) -> PathBuf {
    let folder = db.folder().join("corpus");
    fs::create_dir_all(&folder).expect("a folder can be made");
    for index in 0..count {
        let text = documents::text(index, paragraphs);
        fs::write(folder.join(format!("{index:03}.txt")), text).expect("a file can be written");
    }
    folder
}

pub(crate) struct Run {
    pub(crate) output: Output,
    pub(crate) graph: Value,
    pub(crate) totals: Value,
}

/// `knowledge extract --extractor llm` on the corpus.
pub(crate) fn extract(
    db: &TestDatabase,
    provider: &Provider,
    more: &[(&'static str, &str)],
    arguments: &[&str],
) -> Run {
    let folder = db.folder().join("corpus");
    let out = db.folder().join("graph.json");
    let (folder, out_text) = (folder.to_string_lossy(), out.to_string_lossy());
    let mut all = vec![
        "extract",
        &folder,
        "--extractor",
        "llm",
        "--json",
        "--out",
        &out_text,
        "--database",
        db.url(),
    ];
    all.extend(arguments);
    let environment = environment(provider, more);
    let output = server::run_with(&all, &borrowed(&environment));
    let read = |text: &[u8]| serde_json::from_slice(text).unwrap_or(Value::Null);
    Run {
        totals: read(&output.stdout),
        graph: read(&fs::read(&out).unwrap_or_default()),
        output,
    }
}

impl Run {
    pub(crate) fn complaints(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    pub(crate) fn assert_exit(&self, code: i32) {
        assert_eq!(
            self.output.status.code(),
            Some(code),
            "{}",
            self.complaints()
        );
    }
}

/// Every piece of evidence is in the text where it says.
pub(crate) fn assert_evidence(run: &Run, paragraphs: usize) {
    let documents = run.graph["documents"]
        .as_array()
        .expect("the graph has documents");
    let mut checked = 0;
    for list in ["entities", "relations"] {
        for item in run.graph[list].as_array().expect("the graph has lists") {
            for evidence in item["evidence"].as_array().expect("evidence is a list") {
                let document = documents
                    .iter()
                    .find(|document| {
                        document["id"] == evidence["document"]
                            || document["name"] == evidence["document"]
                    })
                    .expect("evidence is of a document");
                let index: usize = document["name"].as_str().unwrap_or_default()[..3]
                    .parse()
                    .expect("named by number");
                let at = |key: &str| {
                    let position = evidence[key].as_u64().expect("a position");
                    usize::try_from(position).expect("it fits")
                };
                let text: String = documents::text(index, paragraphs)
                    .chars()
                    .skip(at("startChar"))
                    .take(at("endChar") - at("startChar"))
                    .collect();
                assert_eq!(evidence["text"], json!(text));
                checked += 1;
            }
        }
    }
    assert!(checked > 0, "nothing was found");
}

/// A server that asks the provider.
pub(crate) fn serve(
    db: &TestDatabase,
    provider: &Provider,
    more: &[(&'static str, &str)],
) -> TestServer {
    TestServer::start_with(db.url(), &borrowed(&environment(provider, more)))
}

/// So many documents of so many paragraphs, beginning with the one of this number.
pub(crate) fn notes(first: usize, count: usize, paragraphs: usize) -> Vec<Value> {
    (first..first + count)
        .map(|index| json!({ "name": format!("{index:03}"), "text": documents::text(index, paragraphs) }))
        .collect()
}

const BATCH: &str = "query($id: ID!) { batch(id: $id) {
    stage error model tokensUsed tokenBudget completedDocuments failedDocuments skippedDocuments
    partialDocuments entityCount relationCount
    modelUsage { tokens countedTokens } missingUnits { document unit reason }
    documents(first: 500) { nodes { name status stage attempt error missingUnits tokensUsed
        execution { id status } } }
} }";

/// What a batch says of its model calls, and its documents.
pub(crate) async fn batch(client: &Client, id: &str) -> Value {
    client.graphql(BATCH, json!({ "id": id })).await["batch"].take()
}

/// Waits until the batch is as it should be.
///
/// # Panics
/// When it is not within a minute.
pub(crate) async fn batch_that(
    client: &Client,
    id: &str,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    let mut last = Value::Null;
    for _ in 0..1_200 {
        last = batch(client, id).await;
        if holds(&last) {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never {what}: {last}");
}

/// How many of a batch's documents have a workflow of this status.
pub(crate) fn executions(batch: &Value, status: &str) -> usize {
    let documents = batch["documents"]["nodes"].as_array().into_iter().flatten();
    documents
        .filter(|document| document["execution"]["status"] == status)
        .count()
}

const HEALTH: &str =
    "{ modelHealth { inFlight queued providers { provider model breaker failures openUntil } } }";

/// How the calls fare.
pub(crate) async fn health(client: &Client) -> Value {
    client.graphql(HEALTH, json!({})).await["modelHealth"].take()
}
