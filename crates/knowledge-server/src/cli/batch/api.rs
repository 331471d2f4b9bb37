//! The server's GraphQL API, as far as the commands need it.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use knowledge_domain::{OntologyFormat, batch::BatchStage, ids::BatchId};
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{self, HeaderMap, HeaderValue},
};
use serde_json::{Value, json};

use crate::ontologies::RegisterOntology;

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Where the API key is, for a server that asks for one; arguments can be read by others.
const API_KEY: &str = "KNOWLEDGE_API_KEY";
/// How long it may take to answer, a batch of many documents to store among it.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(5);

/// Batches of one page.
const PAGE: u32 = 100;

/// What is shown of a batch.
const BATCH: &str = "fragment B on Batch {
    id stage failurePolicy concurrency mode extractor strategy progress totalDocuments completedDocuments
    failedDocuments skippedDocuments entityCount relationCount tokensUsed error createdAt startedAt
    completedAt documentsPerMinute
    documentsByStage { waiting chunk mentions entities relations assemble }
    remainingSeconds { low likely high }
}";

/// What steering a batch answers.
const PAYLOAD: &str = "__typename
    ... on BatchSuccess { batch { ...B } }
    ... on Error { message }";

pub(super) struct Api {
    client: Client,
    server: Url,
}

impl Api {
    /// The API of the server at this address.
    pub(super) fn new(server: &str) -> anyhow::Result<Self> {
        let wrong = || format!("`{server}` is no address of a server; use http://HOST:PORT");
        let mut url = Url::parse(server).with_context(wrong)?;
        if !["http", "https"].contains(&url.scheme()) {
            bail!(wrong());
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        crate::llm::choose_tls();
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .default_headers(authorization(std::env::var(API_KEY).ok().as_deref())?)
            .build();
        Ok(Self {
            client: client.context("the HTTP client cannot be built")?,
            server: url,
        })
    }

    /// A path below the server's address.
    fn url(&self, path: &str) -> anyhow::Result<Url> {
        Ok(self.server.join(path)?)
    }

    pub(super) async fn start(&self, input: &Value) -> anyhow::Result<Value> {
        let query = format!(
            "mutation($input: StartBatchInput!) {{ startBatch(input: $input) {{ __typename
                ... on StartBatchSuccess {{ batch {{ ...B }} }}
                ... on Error {{ message }} ... on ValidationError {{ path }} }} }} {BATCH}"
        );
        let mut data = self.ask(&query, &json!({ "input": input })).await?;
        Ok(succeeded(data["startBatch"].take())?["batch"].take())
    }

    /// The id of an ontology, registered now or before.
    pub(super) async fn register(&self, ontology: RegisterOntology) -> anyhow::Result<String> {
        let query = "mutation($input: RegisterOntologyInput!) { registerOntology(input: $input) {
            ... on RegisterOntologySuccess { ontology { id } }
            ... on Error { message } ... on ValidationError { path } } }";
        let format = match ontology.format {
            OntologyFormat::Turtle => "TURTLE",
            OntologyFormat::RdfXml => "RDF_XML",
            OntologyFormat::NTriples => "N_TRIPLES",
            OntologyFormat::JsonLd => "JSON_LD",
        };
        let input = json!({
            "name": ontology.name,
            "content": ontology.content,
            "format": format,
        });
        let mut data = self.ask(query, &json!({ "input": input })).await?;
        let registered = succeeded(data["registerOntology"].take())?;
        let id = registered["ontology"]["id"].as_str();
        let id = id.context("the server named an ontology by no id")?;
        Ok(id.to_owned())
    }

    pub(super) async fn cancel(&self, batch: BatchId) -> anyhow::Result<Value> {
        self.steer("cancelBatch", batch).await
    }

    pub(super) async fn retry(&self, batch: BatchId) -> anyhow::Result<Value> {
        self.steer("retryFailedDocuments", batch).await
    }

    /// Lets a batch use more tokens.
    pub(super) async fn raise(&self, batch: BatchId, budget: i64) -> anyhow::Result<Value> {
        let query = format!(
            "mutation($id: ID!, $to: Long!) {{
                answer: raiseTokenBudget(id: $id, tokenBudget: $to) {{ {PAYLOAD} }} }} {BATCH}"
        );
        let variables = json!({ "id": batch, "to": budget });
        let mut data = self.ask(&query, &variables).await?;
        Ok(succeeded(data["answer"].take())?["batch"].take())
    }

    async fn steer(&self, mutation: &str, batch: BatchId) -> anyhow::Result<Value> {
        let query =
            format!("mutation($id: ID!) {{ answer: {mutation}(id: $id) {{ {PAYLOAD} }} }} {BATCH}");
        let mut data = self.ask(&query, &json!({ "id": batch })).await?;
        Ok(succeeded(data["answer"].take())?["batch"].take())
    }

    pub(super) async fn batch(&self, batch: BatchId) -> anyhow::Result<Value> {
        let query = format!("query($id: ID!) {{ batch(id: $id) {{ ...B }} }} {BATCH}");
        let mut data = self.ask(&query, &json!({ "id": batch })).await?;
        match data["batch"].take() {
            Value::Null => bail!("there is no batch {batch} on {}", self.server),
            batch => Ok(batch),
        }
    }

    /// How the comparisons of a batch fare, with those that are no agreement.
    pub(super) async fn parity(&self, batch: BatchId) -> anyhow::Result<Value> {
        let query = "query($id: ID!, $first: Int!, $after: String, $status: ParityStatus!) {
            batch(id: $id) { parity { pending same different unavailable
                checks(first: $first, after: $after, status: $status) {
                    nodes { document { id name } status reason release comparedAt
                        differences { what legacy engine } }
                    pageInfo { hasNextPage endCursor } } } } }";
        let mut report = Value::Null;
        let mut checks = Vec::new();
        for status in ["DIFFERENT", "UNAVAILABLE"] {
            let mut after = Value::Null;
            loop {
                let variables =
                    json!({ "id": batch, "first": PAGE, "after": after, "status": status });
                let mut found = self.ask(query, &variables).await?["batch"].take();
                if found.is_null() {
                    bail!("there is no batch {batch} on {}", self.server);
                }
                report = found["parity"].take();
                if report.is_null() {
                    bail!("{batch} did not begin in the mode `shadow`, so nothing was compared");
                }
                let mut page = report["checks"].take();
                if let Value::Array(nodes) = page["nodes"].take() {
                    checks.extend(nodes);
                }
                if page["pageInfo"]["hasNextPage"] != true {
                    break;
                }
                after = page["pageInfo"]["endCursor"].take();
            }
        }
        report["checks"] = Value::Array(checks);
        Ok(report)
    }

    /// The newest batches, at most `limit`.
    pub(super) async fn batches(
        &self,
        stage: Option<BatchStage>,
        limit: u32,
    ) -> anyhow::Result<Vec<Value>> {
        let query = format!(
            "query($first: Int!, $after: String, $stage: BatchStage) {{
                batches(first: $first, after: $after, stage: $stage) {{
                    nodes {{ ...B }} pageInfo {{ hasNextPage endCursor }} }} }} {BATCH}"
        );
        let stage = stage.map(wire_name);
        let (mut found, mut after) = (Vec::new(), Value::Null);
        loop {
            let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
            let variables = json!({ "first": left.min(PAGE), "after": after, "stage": stage });
            let mut data = self.ask(&query, &variables).await?;
            let mut page = data["batches"].take();
            if let Value::Array(nodes) = page["nodes"].take() {
                found.extend(nodes);
            }
            after = page["pageInfo"]["endCursor"].take();
            let whole = page["pageInfo"]["hasNextPage"] != true || found.len() >= limit as usize;
            if whole {
                return Ok(found);
            }
        }
    }

    /// The events of a batch after a sequence, as a stream that the server keeps open.
    pub(super) async fn events(&self, batch: BatchId, after: u64) -> anyhow::Result<Response> {
        let url = self.url(&format!("api/knowledge/extraction/progress/{batch}"))?;
        let request = self
            .client
            .get(url)
            .header(header::ACCEPT, "text/event-stream");
        let response = request.header("last-event-id", after).send().await;
        response.with_context(|| self.unreachable())
    }

    /// The data of a GraphQL request.
    async fn ask(&self, query: &str, variables: &Value) -> anyhow::Result<Value> {
        let body = json!({ "query": query, "variables": variables });
        let request = self
            .client
            .post(self.url("graphql")?)
            .timeout(ANSWER_TIMEOUT);
        let response = request
            .header(
                header::ACCEPT,
                "application/graphql-response+json, application/json",
            )
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_string())
            .send()
            .await
            .with_context(|| self.unreachable())?;
        let status = response.status();
        let body = response.bytes().await.with_context(|| self.unreachable())?;
        let Ok(mut answer) = serde_json::from_slice::<Value>(&body) else {
            bail!(
                "{} answers {status}, and not as knowledge does",
                self.server
            );
        };
        if let Some(error) = answer["errors"][0]["message"].as_str() {
            bail!("the server refused the request: {error}");
        }
        if let Some(problem) = problem(status, &answer) {
            bail!("the server refused the request: {problem}");
        }
        Ok(answer["data"].take())
    }

    fn unreachable(&self) -> String {
        format!(
            "the server {} cannot be reached; start one with `knowledge serve`, or name it with \
             --server",
            self.server.as_str().trim_end_matches('/')
        )
    }
}

/// What a refusal says, and where to put the key that it asks for.
pub(super) fn problem(status: StatusCode, answer: &Value) -> Option<String> {
    let detail = answer["detail"].as_str()?;
    Some(if status == StatusCode::UNAUTHORIZED {
        format!("{detail}; this command takes it from {API_KEY}")
    } else {
        detail.to_owned()
    })
}

/// The header that says who calls.
fn authorization(key: Option<&str>) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key.map(str::trim).filter(|key| !key.is_empty()) {
        let value = HeaderValue::try_from(format!("Bearer {key}"));
        // The error would quote it.
        let mut value = value.map_err(|_| anyhow!("{API_KEY} is no API key"))?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(headers)
}

/// The id of a batch that the server sent.
pub(super) fn id_of(batch: &Value) -> anyhow::Result<BatchId> {
    let id = batch["id"].as_str().unwrap_or_default();
    id.parse().context("the server named a batch by no id")
}

/// A payload that says what was done; what refused it otherwise.
fn succeeded(payload: Value) -> anyhow::Result<Value> {
    if let Some(message) = payload["message"].as_str() {
        let path: Vec<_> = payload["path"]
            .as_array()
            .map(|path| path.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        if path.is_empty() {
            bail!("{message}");
        }
        bail!("{}: {message}", path.join("."));
    }
    Ok(payload)
}

/// A stage as GraphQL names it: `EXTRACTING_MENTIONS`.
fn wire_name(stage: BatchStage) -> String {
    let mut name = String::new();
    for letter in stage.to_string().chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_named_as_the_schema_has_them() {
        use strum::IntoEnumIterator;
        let sdl = crate::graphql::sdl();
        for stage in BatchStage::iter() {
            let name = wire_name(stage);
            assert!(sdl.contains(&format!("\n  {name}\n")), "{name}");
        }
    }

    #[test]
    fn a_key_is_sent_and_never_quoted() {
        assert!(authorization(None).unwrap().is_empty());
        assert!(authorization(Some(" ")).unwrap().is_empty());
        let headers = authorization(Some("kn_1\n")).unwrap();
        assert_eq!(headers[header::AUTHORIZATION], "Bearer kn_1");
        assert!(!format!("{headers:?}").contains("kn_1"));
        let error = authorization(Some("kn_\n2")).unwrap_err();
        assert!(!format!("{error:?}").contains("kn_"), "{error:?}");
    }

    #[test]
    fn what_is_no_address_of_a_server_is_refused() {
        for server in ["", "localhost:8080", "ftp://a", "/"] {
            assert!(Api::new(server).is_err(), "{server}");
        }
        let api = Api::new("http://127.0.0.1:8080/base").unwrap();
        assert_eq!(
            api.url("graphql").unwrap().as_str(),
            "http://127.0.0.1:8080/base/graphql"
        );
    }
}
