//! The server's GraphQL API, as far as the demonstration uses it.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

const START: &str = "mutation($input: StartBatchInput!) { startBatch(input: $input) {
    ... on StartBatchSuccess { batch { id } }
    ... on Error { code message }
} }";

const PAGE: i64 = 100;

#[derive(Debug)]
pub(crate) struct Api {
    base: String,
    http: reqwest::Client,
}

impl Api {
    pub(crate) fn new(base: &str) -> Self {
        // Chosen once in a process; a client cannot be made without it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            base: base.to_owned(),
            http: reqwest::Client::new(),
        }
    }

    /// The address of subscriptions.
    pub(crate) fn socket(&self) -> String {
        format!("{}/graphql", self.base.replacen("http", "ws", 1))
    }

    /// Starts a batch over the documents and gives its id.
    pub(crate) async fn start_batch(&self, documents: Vec<Value>) -> Result<String> {
        let variables = json!({ "input": { "documents": documents } });
        let data = self.query(START, variables).await?;
        let payload = &data["startBatch"];
        match payload["batch"]["id"].as_str() {
            Some(id) => Ok(id.to_owned()),
            None => bail!("the batch was refused: {}", payload["message"]),
        }
    }

    /// The data of a request.
    pub(crate) async fn query(&self, query: &str, variables: Value) -> Result<Value> {
        let request = self
            .http
            .post(format!("{}/graphql", self.base))
            .json(&json!({ "query": query, "variables": variables }));
        let mut body: Value = request.send().await?.json().await?;
        if let Some(error) = body["errors"].get(0) {
            bail!("the server refused a query: {}", error["message"]);
        }
        Ok(body["data"].take())
    }

    /// Every node of a connection of the batch.
    pub(crate) async fn all(
        &self,
        batch: &str,
        connection: &str,
        fields: &str,
    ) -> Result<Vec<Value>> {
        let query = format!(
            "query($id: ID!, $first: Int, $after: String) {{ batch(id: $id) {{
                {connection}(first: $first, after: $after) {{
                    nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }}
            }} }} }}"
        );
        let mut nodes = Vec::new();
        let mut after = Value::Null;
        loop {
            let variables = json!({ "id": batch, "first": PAGE, "after": after });
            let mut data = self.query(&query, variables).await?;
            let mut page = data["batch"][connection].take();
            let Value::Array(found) = page["nodes"].take() else {
                bail!("the server knows no {connection} of {batch}");
            };
            nodes.extend(found);
            if page["pageInfo"]["hasNextPage"] != true {
                return Ok(nodes);
            }
            after = page["pageInfo"]["endCursor"].take();
            after.as_str().context("a page has a cursor to its end")?;
        }
    }
}
