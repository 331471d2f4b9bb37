//! The events of a batch over WebSocket, once each and in order, across lost connections.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::api::Api;

/// Connections in a row that bring nothing until it is given up.
const ATTEMPTS: u32 = 5;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);
/// Silence after which a connection counts as lost.
const SILENCE: Duration = Duration::from_mins(2);

/// Fields of one name and several types need an alias each.
const SUBSCRIPTION: &str = "subscription($id: ID!, $after: Long) {
    batchProgress(batchId: $id, afterSequence: $after) {
        type: __typename
        sequence progress completedDocuments failedDocuments totalDocuments
        ... on BatchStageEntered { batchStage: stage }
        ... on DocumentStarted { documentId documentIndex }
        ... on StageProgress { documentId stage current total }
        ... on DocumentCompleted { documentId entityCount relationCount }
        ... on DocumentFailed { documentId error willRetry }
        ... on ResolutionCompleted { clusterCount mergeCount }
        ... on BatchFailed { error }
    }
}";

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// What a connection came to.
enum End {
    /// The terminal event.
    Terminal(Value),
    /// Lost after so many events.
    Lost(u64, anyhow::Error),
    /// The server will not go on; asking again would not help.
    Refused(Value),
}

/// Hands every event on until the batch ends; fails unless it completes.
pub(crate) async fn follow(api: &Api, batch: &str, mut each: impl FnMut(&Value)) -> Result<()> {
    let mut sequence = 0;
    let mut fruitless = 0;
    loop {
        match listen(api, batch, &mut sequence, &mut each).await {
            End::Terminal(event) if event["type"] == "BatchCompleted" => return Ok(()),
            End::Terminal(event) => bail!("the batch did not complete: {event}"),
            End::Refused(why) => bail!("the server refused the subscription: {why}"),
            End::Lost(0, error) if fruitless == ATTEMPTS => {
                return Err(error.context("the connection is lost and cannot be resumed"));
            }
            End::Lost(events, _) => {
                fruitless = if events == 0 { fruitless + 1 } else { 0 };
                tokio::time::sleep(BETWEEN_ATTEMPTS).await;
            }
        }
    }
}

/// One connection, from the event after `sequence`.
async fn listen(api: &Api, batch: &str, sequence: &mut u64, each: &mut impl FnMut(&Value)) -> End {
    let mut events = 0;
    let mut socket = match subscribe(api, batch, *sequence).await {
        Ok(socket) => socket,
        Err(error) => return End::Lost(events, error),
    };
    loop {
        let event = match next(&mut socket).await {
            Ok(Ok(event)) => event,
            Ok(Err(why)) => return End::Refused(why),
            Err(error) => return End::Lost(events, error),
        };
        events += 1;
        *sequence = long(&event["sequence"]).unwrap_or(*sequence);
        each(&event);
        let kind = event["type"].as_str().unwrap_or_default();
        if ["BatchCompleted", "BatchFailed", "BatchCancelled"].contains(&kind) {
            return End::Terminal(event);
        }
    }
}

async fn subscribe(api: &Api, batch: &str, after: u64) -> Result<Socket> {
    let mut request = api.socket().into_client_request()?;
    request.headers_mut().insert(
        "Sec-WebSocket-Protocol",
        HeaderValue::from_static("graphql-transport-ws"),
    );
    let (mut socket, _) = connect_async(request).await?;
    send(&mut socket, &json!({ "type": "connection_init" })).await?;
    let acknowledged = receive(&mut socket).await?;
    if acknowledged["type"] != "connection_ack" {
        bail!("the server does not greet back: {acknowledged}");
    }
    let payload = json!({
        "query": SUBSCRIPTION, "variables": { "id": batch, "after": after },
    });
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": payload });
    send(&mut socket, &subscribe).await?;
    Ok(socket)
}

/// The next event, or why the server sends none; pings are answered on the way.
async fn next(socket: &mut Socket) -> Result<Result<Value, Value>> {
    loop {
        let mut message = receive(socket).await?;
        match message["type"].as_str().unwrap_or_default() {
            "next" if message["payload"]["errors"].is_null() => {
                return Ok(Ok(message["payload"]["data"]["batchProgress"].take()));
            }
            "ping" => send(socket, &json!({ "type": "pong" })).await?,
            "pong" => {}
            _ => return Ok(Err(message)),
        }
    }
}

async fn send(socket: &mut Socket, message: &Value) -> Result<()> {
    Ok(socket.send(Message::text(message.to_string())).await?)
}

async fn receive(socket: &mut Socket) -> Result<Value> {
    loop {
        let message = tokio::time::timeout(SILENCE, socket.next())
            .await
            .context("the server is silent")?
            .context("the server closed the connection")??;
        match message {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(reason) => bail!("the server closed the connection: {reason:?}"),
            _ => {}
        }
    }
}

/// A number that GraphQL may write as a text.
fn long(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
