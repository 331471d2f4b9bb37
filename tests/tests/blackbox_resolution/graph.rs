//! The resolved graph as the API shows it.

use std::collections::BTreeSet;

use knowledge_tests::{Client, TestDatabase, TestServer};
use serde_json::{Value, json};

const ENTITIES: &str = "query($search: String, $after: String) {
    entities(first: 100, after: $after, search: $search) {
        pageInfo { hasNextPage endCursor }
        nodes { id name memberIds
            sameAs { canonicalId memberId confidence reason }
            mergeHistory { reason mergedBy batchId confidence }
            possibleDuplicates { doubt reason left { name } right { name } } } } }";

const RELATIONS: &str = "query($id: ID!, $after: String) { batch(id: $id) {
    relations(first: 7, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { subject { name } predicate object { name } literal evidence { startChar } } } } }";

/// A relation, by the names of its ends, with the number of places that say so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Statement {
    pub(crate) subject: String,
    pub(crate) predicate: String,
    pub(crate) object: Option<String>,
    pub(crate) literal: Option<String>,
    evidence: usize,
}

/// Everything that resolution decides, without what differs between runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Graph(BTreeSet<(String, String, Vec<String>, Vec<String>)>);

impl Graph {
    /// The graph of the organisation: entities with their members and links.
    pub(crate) async fn of(client: &Client) -> Self {
        let all = pages(client, ENTITIES, json!({}), "/entities").await;
        let entities = all.iter().map(|entity| {
            let texts = |list: &Value| -> Vec<String> {
                let list = list.as_array().unwrap().iter();
                list.map(ToString::to_string).collect()
            };
            let text = |key: &str| entity[key].as_str().unwrap().to_owned();
            (
                text("id"),
                text("name"),
                texts(&entity["memberIds"]),
                texts(&entity["sameAs"]),
            )
        });
        Self(entities.collect())
    }
}

/// Runs a batch to its end; its id.
pub(crate) async fn resolved(client: &Client, documents: &[Value]) -> String {
    let batch = client.start(documents, json!({})).await;
    assert_eq!(client.ended(&batch).await["stage"], "COMPLETED");
    batch
}

/// Stops a server and verifies what it leaves.
pub(crate) async fn stay(server: TestServer, db: &TestDatabase) {
    assert!(server.terminate().success());
    knowledge_tests::verify(db).await;
}

/// The entities of this very name.
pub(crate) async fn entities(client: &Client, name: &str) -> Vec<Value> {
    let found = pages(client, ENTITIES, json!({ "search": name }), "/entities").await;
    found
        .into_iter()
        .filter(|entity| entity["name"] == name)
        .collect()
}

/// The only entity of this name.
pub(crate) async fn entity(client: &Client, name: &str) -> Value {
    let found = entities(client, name).await;
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found.into_iter().next().unwrap()
}

/// The ids of entities.
pub(crate) fn ids(entities: &[&Value]) -> Value {
    entities.iter().map(|entity| entity["id"].clone()).collect()
}

/// What `explainLink` says of two.
pub(crate) async fn explain(client: &Client, left: &Value, right: &Value) -> Value {
    let query = "query($left: ID!, $right: ID!) { explainLink(left: $left, right: $right) {
        linked rule score conflict decision features { name value weight } } }";
    let mut data = client
        .graphql(query, json!({ "left": left, "right": right }))
        .await;
    data["explainLink"].take()
}

/// The relations of a batch, sorted.
pub(crate) async fn statements(client: &Client, batch: &str) -> Vec<Statement> {
    let found = pages(
        client,
        RELATIONS,
        json!({ "id": batch }),
        "/batch/relations",
    )
    .await;
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let statements = found.iter().map(|relation| Statement {
        subject: text(&relation["subject"]["name"]).unwrap(),
        predicate: text(&relation["predicate"]).unwrap(),
        object: text(&relation["object"]["name"]),
        literal: text(&relation["literal"]),
        evidence: relation["evidence"].as_array().unwrap().len(),
    });
    let mut statements: Vec<Statement> = statements.collect();
    statements.sort();
    assert!(!statements.is_empty());
    statements
}

/// The nodes of all pages of a connection.
async fn pages(client: &Client, query: &str, mut variables: Value, at: &str) -> Vec<Value> {
    let mut nodes = Vec::new();
    loop {
        let data = client.graphql(query, variables.clone()).await;
        let page = data.pointer(at).unwrap();
        nodes.extend(page["nodes"].as_array().unwrap().iter().cloned());
        if page["pageInfo"]["hasNextPage"] != true {
            return nodes;
        }
        variables["after"] = page["pageInfo"]["endCursor"].clone();
    }
}
