//! A client of a running server: GraphQL over HTTP and WebSocket, and plain SSE.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::events::is_terminal;

/// How long any one answer may take, a whole batch among them.
pub const PATIENCE: Duration = Duration::from_mins(4);

const START: &str = "mutation($input: StartBatchInput!) { startBatch(input: $input) {
    __typename
    ... on StartBatchSuccess { batch { id stage totalDocuments } }
    ... on ValidationError { code message path }
    ... on IdempotencyConflict { code message batchId }
    ... on NotFound { code message }
} }";

const BATCH: &str = "query($id: ID!) { batch(id: $id) {
    id stage failurePolicy concurrency progress totalDocuments completedDocuments failedDocuments
    skippedDocuments entityCount relationCount error createdAt startedAt completedAt
    documents(first: 100) { nodes { id name status stage attempt error entityCount relationCount
        execution { id status activities { name status attempt error } } } }
} }";

const BATCH_PAYLOAD: &str = "__typename
    ... on BatchSuccess { batch { id stage } }
    ... on InvalidStateTransition { code message from event }
    ... on NotFound { code message }";

/// Fields of one name and several types need an alias each.
const SUBSCRIPTION: &str = "subscription($id: ID!, $after: Long) {
    batchProgress(batchId: $id, afterSequence: $after) {
        type: __typename
        batchId sequence timestamp progress completedDocuments failedDocuments totalDocuments
        ... on BatchStageEntered { batchStage: stage }
        ... on DocumentStarted { documentId documentIndex }
        ... on StageProgress { documentId stage status stageProgress current total }
        ... on DocumentCompleted { documentId entityCount relationCount }
        ... on DocumentFailed { documentId failedStage: stage error willRetry }
        ... on DocumentSkipped { documentId }
        ... on DocumentQuarantined { documentId failedStage: stage error attempts }
        ... on DocumentSuspended { documentId reason message until }
        ... on DocumentResumed { documentId }
        ... on ResolutionCompleted { clusterCount mergeCount sameAsCount }
        ... on BatchCompleted { entityCount relationCount }
        ... on BatchFailed { error }
    }
}";

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
    key: Option<String>,
}

impl Client {
    /// Of the server at `http://host:port`.
    #[must_use]
    pub fn new(base: impl Into<String>) -> Self {
        knowledge_server::llm::choose_tls();
        Self {
            base: base.into(),
            http: reqwest::Client::new(),
            key: None,
        }
    }

    /// The same server, called with this API key.
    ///
    /// # Panics
    /// When the key cannot be sent.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        let value = format!("Bearer {key}").parse().expect("a key can be sent");
        let headers = [(reqwest::header::AUTHORIZATION, value)];
        let http = reqwest::Client::builder().default_headers(headers.into_iter().collect());
        Self {
            base: self.base.clone(),
            http: http.build().expect("a client can be built"),
            key: Some(key.to_owned()),
        }
    }

    /// The server's address with the path after it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The bare HTTP client.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Status and body of a GraphQL request, whatever they are.
    ///
    /// # Panics
    /// When the server does not answer with JSON.
    pub async fn graphql_response(&self, query: &str, variables: Value) -> (StatusCode, Value) {
        let request = self
            .http
            .post(self.url("/graphql"))
            .timeout(PATIENCE)
            .json(&json!({ "query": query, "variables": variables }));
        let response = request.send().await.expect("the server answers");
        let status = response.status();
        let body = response.text().await.expect("the answer has a body");
        let json = serde_json::from_str(&body)
            .unwrap_or_else(|error| panic!("{status}: {error} in {body}"));
        (status, json)
    }

    /// The data of a GraphQL request.
    ///
    /// # Panics
    /// When the answer has errors.
    pub async fn graphql(&self, query: &str, variables: Value) -> Value {
        let (status, mut body) = self.graphql_response(query, variables).await;
        assert!(
            status.is_success() && body["errors"].is_null(),
            "{status}: {body}"
        );
        body["data"].take()
    }

    /// The payload of `startBatch`, whatever it is.
    pub async fn start_batch(&self, input: Value) -> Value {
        let mut data = self.graphql(START, json!({ "input": input })).await;
        data["startBatch"].take()
    }

    /// The payload of `startBatch`; none when the server ends before it answers.
    pub async fn try_start_batch(&self, input: Value) -> Option<Value> {
        let mut data = self.try_graphql(START, json!({ "input": input })).await?;
        Some(data["startBatch"].take())
    }

    /// The data of a GraphQL request; none when the server ends before it answers, or answers with
    /// an error.
    pub async fn try_graphql(&self, query: &str, variables: Value) -> Option<Value> {
        let request = self.http.post(self.url("/graphql")).timeout(PATIENCE);
        let request = request.json(&json!({ "query": query, "variables": variables }));
        let mut body: Value = request.send().await.ok()?.json().await.ok()?;
        body["errors"].is_null().then(|| body["data"].take())
    }

    /// Starts a batch and gives its id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn start(&self, documents: &[Value], config: Value) -> String {
        let input = json!({ "documents": documents, "config": config });
        let payload = self.start_batch(input).await;
        let id = payload["batch"]["id"].as_str();
        id.unwrap_or_else(|| panic!("refused: {payload}"))
            .to_owned()
    }

    /// The batch with its documents; null when there is none.
    pub async fn batch(&self, id: &str) -> Value {
        let mut data = self.graphql(BATCH, json!({ "id": id })).await;
        data["batch"].take()
    }

    /// Sends a steering mutation to a server that may end before it answers.
    pub async fn try_steer(&self, mutation: &str, id: &str) -> Option<Value> {
        let query = format!("mutation($id: ID!) {{ {mutation}(id: $id) {{ {BATCH_PAYLOAD} }} }}");
        self.try_graphql(&query, json!({ "id": id })).await
    }

    /// The batch with its documents; none when the server ends before it answers.
    pub async fn try_batch(&self, id: &str) -> Option<Value> {
        let mut data = self.try_graphql(BATCH, json!({ "id": id })).await?;
        Some(data["batch"].take())
    }

    /// The payload of `cancelBatch`.
    pub async fn cancel(&self, id: &str) -> Value {
        self.steer("cancelBatch", id).await
    }

    /// The payload of `retryFailedDocuments`.
    pub async fn retry(&self, id: &str) -> Value {
        self.steer("retryFailedDocuments", id).await
    }

    async fn steer(&self, mutation: &str, id: &str) -> Value {
        let query = format!("mutation($id: ID!) {{ {mutation}(id: $id) {{ {BATCH_PAYLOAD} }} }}");
        self.graphql(&query, json!({ "id": id })).await[mutation].take()
    }

    /// Waits for the end of the batch and gives it.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn ended(&self, id: &str) -> Value {
        let ended = async {
            loop {
                let batch = self.batch(id).await;
                let stage = batch["stage"].as_str().unwrap_or_default();
                if ["COMPLETED", "FAILED", "CANCELLED"].contains(&stage) {
                    return batch;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let ended = timeout(PATIENCE, ended).await;
        ended.unwrap_or_else(|_| panic!("{id} does not end in time"))
    }

    /// Every event after `after` over WebSocket, until the server completes the subscription.
    ///
    /// # Panics
    /// When it does not, or breaks the protocol.
    pub async fn events_over_websocket(&self, id: &str, after: u64) -> Vec<Value> {
        let variables = json!({ "id": id, "after": after });
        timeout(
            PATIENCE,
            self.subscribe(SUBSCRIPTION, variables, "batchProgress"),
        )
        .await
        .expect("the subscription ends in time")
        .into_iter()
        .map(unaliased)
        .collect()
    }

    async fn subscribe(&self, query: &str, variables: Value, field: &str) -> Vec<Value> {
        let url = self.url("/graphql").replacen("http", "ws", 1);
        let mut request = url.into_client_request().expect("the URL is one");
        request.headers_mut().insert(
            "Sec-WebSocket-Protocol",
            HeaderValue::from_static("graphql-transport-ws"),
        );
        let (mut socket, _) = connect_async(request).await.expect("the socket opens");
        let key = self.key.as_ref();
        let payload = key.map(|key| json!({ "authorization": format!("Bearer {key}") }));
        let init = json!({ "type": "connection_init", "payload": payload });
        let subscribe = json!({
            "type": "subscribe", "id": "1",
            "payload": { "query": query, "variables": variables },
        });
        let send = |message: Value| Message::text(message.to_string());
        socket.send(send(init)).await.expect("the socket is open");

        let mut events = Vec::new();
        while let Some(message) = socket.next().await {
            let Message::Text(text) = message.expect("the socket stays open") else {
                continue;
            };
            let mut message: Value = serde_json::from_str(&text).expect("a message is JSON");
            match message["type"].as_str().unwrap_or_default() {
                "connection_ack" => socket
                    .send(send(subscribe.clone()))
                    .await
                    .expect("the socket is open"),
                "next" => events.push(message["payload"]["data"][field].take()),
                "ping" => socket
                    .send(send(json!({ "type": "pong" })))
                    .await
                    .expect("the socket is open"),
                "complete" => return events,
                _ => panic!("unexpected: {message}"),
            }
        }
        panic!("the socket closed before the subscription was complete: {events:?}");
    }

    /// The answer to a request for the SSE stream of a batch.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn sse(&self, id: &str, last_event_id: Option<u64>) -> Response {
        let response = self.try_sse(id, last_event_id).await;
        response.expect("the server answers")
    }

    /// As [`Client::sse`]; none when the server ends before it answers.
    pub async fn try_sse(&self, id: &str, last_event_id: Option<u64>) -> Option<Response> {
        let url = self.url(&format!("/api/knowledge/extraction/progress/{id}"));
        let mut request = self.http.get(url).header("Accept", "text/event-stream");
        if let Some(last) = last_event_id {
            request = request.header("Last-Event-ID", last.to_string());
        }
        request.send().await.ok()
    }

    /// Every event after `last_event_id` over SSE, until the server ends the stream.
    ///
    /// # Panics
    /// When it does not, or an event is not as promised.
    pub async fn events_over_sse(&self, id: &str, last_event_id: Option<u64>) -> Vec<Value> {
        let response = self.sse(id, last_event_id).await;
        assert_eq!(response.status(), StatusCode::OK);
        let mut stream = EventStream::new(response);
        let mut events = Vec::new();
        while let Some(event) = stream.next().await {
            events.push(event);
        }
        events
    }

    /// Reads the SSE stream of a batch until an event satisfies the condition, and leaves it.
    ///
    /// # Panics
    /// When the batch ends before.
    pub async fn wait_for(&self, id: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let mut stream = EventStream::new(self.sse(id, None).await);
        while let Some(event) = stream.next().await {
            if condition(&event) {
                return event;
            }
            assert!(!is_terminal(&event), "the batch ended before: {event}");
        }
        panic!("the stream ended before");
    }
}

/// Events of a batch as SSE brings them.
#[derive(Debug)]
pub struct EventStream {
    response: Response,
    buffer: Vec<u8>,
}

impl EventStream {
    /// Reads the body of the response.
    #[must_use]
    pub fn new(response: Response) -> Self {
        Self {
            response,
            buffer: Vec::new(),
        }
    }

    /// The next event; `None` at the end of the stream.
    ///
    /// # Panics
    /// When nothing comes in time, or an event's fields and its data disagree.
    pub async fn next(&mut self) -> Option<Value> {
        self.try_next().await.expect("the stream is not broken")
    }

    /// As [`EventStream::next`], but the server may end.
    ///
    /// # Errors
    /// When the connection breaks.
    ///
    /// # Panics
    /// As [`EventStream::next`].
    pub async fn try_next(&mut self) -> reqwest::Result<Option<Value>> {
        loop {
            if let Some(block) = self.block() {
                if let Some(event) = event_of(&block) {
                    return Ok(Some(event));
                }
                continue;
            }
            let chunk = timeout(PATIENCE, self.response.chunk());
            let Some(chunk) = chunk.await.expect("the stream goes on in time")? else {
                return Ok(None);
            };
            self.buffer.extend_from_slice(&chunk);
        }
    }

    /// The lines before the next empty one.
    fn block(&mut self) -> Option<String> {
        let end = self.buffer.windows(2).position(|pair| pair == b"\n\n")?;
        let block = self.buffer.drain(..end + 2).collect();
        Some(String::from_utf8(block).expect("SSE is UTF-8"))
    }
}

/// The event of a block; `None` for heartbeats.
fn event_of(block: &str) -> Option<Value> {
    let field = |name: &str| {
        let lines = block.lines();
        let values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        values.map(str::trim_start).next_back()
    };
    let event: Value = serde_json::from_str(field("data")?).expect("data is JSON");
    assert_eq!(field("event"), event["type"].as_str(), "{block}");
    assert_eq!(
        field("id"),
        Some(event["sequence"].to_string().as_str()),
        "{block}"
    );
    Some(event)
}

/// The event with its fields named as over SSE.
fn unaliased(mut event: Value) -> Value {
    for alias in ["batchStage", "failedStage"] {
        if let Some(value) = event
            .as_object_mut()
            .and_then(|fields| fields.remove(alias))
        {
            event["stage"] = value;
        }
    }
    event
}
