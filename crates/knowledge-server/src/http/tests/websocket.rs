//! `graphql-transport-ws` over a real socket.

use std::{net::SocketAddr, time::Duration};

use futures::{SinkExt, StreamExt};
use knowledge_domain::{
    Role,
    batch::{BatchEventKind, BatchStage},
};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::{
    access::KeyRequest,
    app,
    fixture::Fixture,
    http::{Limits, graphql_ws::MAX_OPERATIONS, router},
    progress::EventHub,
};

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

async fn serve(fixture: &Fixture, hub: EventHub) -> SocketAddr {
    serve_within(fixture, hub, Limits::default()).await
}

async fn serve_within(fixture: &Fixture, hub: EventHub, limits: Limits) -> SocketAddr {
    let app = router(fixture.state(hub, limits));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn open(
    address: SocketAddr,
    protocol: Option<&'static str>,
    origin: Option<&str>,
) -> Result<Client, tungstenite::Error> {
    let mut request = format!("ws://{address}/graphql").into_client_request()?;
    if let Some(protocol) = protocol {
        let protocol = HeaderValue::from_static(protocol);
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
    }
    if let Some(origin) = origin {
        let origin = HeaderValue::from_str(origin).unwrap();
        request.headers_mut().insert("origin", origin);
    }
    Ok(Client(connect_async(request).await?.0))
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        open(address, Some("graphql-transport-ws"), None)
            .await
            .unwrap()
    }

    /// Connected and acknowledged.
    async fn ready(address: SocketAddr) -> Self {
        let mut client = Self::connect(address).await;
        client
            .say(&json!({ "type": "connection_init", "payload": { "token": "x" } }))
            .await;
        assert_eq!(client.hear().await, json!({ "type": "connection_ack" }));
        client
    }

    async fn say(&mut self, message: &Value) {
        let text = message.to_string();
        self.0.send(Message::Text(text.into())).await.unwrap();
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        let payload = json!({ "query": query });
        self.say(&json!({ "type": "subscribe", "id": id, "payload": payload }))
            .await;
    }

    async fn receive(&mut self) -> Message {
        let message = tokio::time::timeout(Duration::from_mins(1), self.0.next()).await;
        message.expect("the server is silent").unwrap().unwrap()
    }

    async fn hear(&mut self) -> Value {
        let message = self.receive().await;
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    async fn closed(&mut self) -> u16 {
        match self.receive().await {
            Message::Close(Some(frame)) => frame.code.into(),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn operations_give_their_results_and_complete() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    let hub = EventHub::default();
    let mut client = Client::ready(serve(&fixture, hub.clone()).await).await;

    let query = format!("subscription {{ batchProgress(batchId: \"{batch}\") {{ sequence }} }}");
    client.subscribe("watch", &query).await;
    client.subscribe("ask", "{ __typename }").await;
    let expected =
        json!({ "type": "next", "id": "ask", "payload": { "data": { "__typename": "Query" } } });
    assert_eq!(client.hear().await, expected);
    assert_eq!(
        client.hear().await,
        json!({ "type": "complete", "id": "ask" })
    );

    fixture
        .event(batch, 1, BatchEventKind::BatchCancelled {})
        .await;
    fixture.enter(batch, BatchStage::Cancelled).await;
    hub.notify(batch, 1);
    let payload = json!({ "data": { "batchProgress": { "sequence": 1 } } });
    assert_eq!(
        client.hear().await,
        json!({ "type": "next", "id": "watch", "payload": payload })
    );
    assert_eq!(
        client.hear().await,
        json!({ "type": "complete", "id": "watch" })
    );
}

#[tokio::test]
async fn a_completed_operation_is_silent_and_its_id_free() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    let mut client = Client::ready(serve(&fixture, EventHub::default()).await).await;
    let query = format!("subscription {{ batchProgress(batchId: \"{batch}\") {{ sequence }} }}");
    client.subscribe("1", &query).await;
    client.say(&json!({ "type": "complete", "id": "1" })).await;
    client
        .say(&json!({ "type": "complete", "id": "never begun" }))
        .await;
    client.subscribe("1", "{ __typename }").await;
    assert_eq!(client.hear().await["type"], "next");
    client
        .say(&json!({ "type": "ping", "payload": { "n": 1 } }))
        .await;
    assert_eq!(
        client.hear().await,
        json!({ "type": "complete", "id": "1" })
    );
    assert_eq!(
        client.hear().await,
        json!({ "type": "pong", "payload": { "n": 1 } })
    );
}

#[tokio::test]
async fn what_cannot_be_executed_is_an_error_and_the_connection_stays() {
    let fixture = Fixture::new().await;
    let mut client = Client::ready(serve(&fixture, EventHub::default()).await).await;
    let unknown = "subscription { batchProgress(batchId: \"batch_1\") { sequence } }";
    for (query, code) in [
        ("{", "INVALID_REQUEST"),
        ("{ nothing }", "INVALID_REQUEST"),
        (unknown, "NOT_FOUND"),
    ] {
        client.subscribe("1", query).await;
        let answer = client.hear().await;
        assert_eq!(
            (&answer["type"], &answer["id"]),
            (&json!("error"), &json!("1")),
            "{answer}"
        );
        assert_eq!(answer["payload"][0]["extensions"]["code"], code);
    }
    client.subscribe("1", "{ __typename }").await;
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn connections_are_closed_with_the_codes_of_the_protocol() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    let address = serve(&fixture, EventHub::default()).await;

    let mut client = open(address, None, None).await.unwrap();
    assert_eq!(client.closed().await, 4406);

    let impatient = Limits {
        init_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let impatient = serve_within(&fixture, EventHub::default(), impatient).await;
    let mut client = Client::connect(impatient).await;
    assert_eq!(client.closed().await, 4408);

    let mut client = Client::connect(address).await;
    client.subscribe("1", "{ __typename }").await;
    assert_eq!(client.closed().await, 4401);

    let mut client = Client::ready(address).await;
    client.say(&json!({ "type": "connection_init" })).await;
    assert_eq!(client.closed().await, 4429);

    let mut client = Client::ready(address).await;
    client.say(&json!({ "type": "hello" })).await;
    assert_eq!(client.closed().await, 4400);

    let mut client = Client::ready(address).await;
    client
        .0
        .send(Message::Binary(vec![1].into()))
        .await
        .unwrap();
    assert_eq!(client.closed().await, 4400);

    let mut client = Client::ready(address).await;
    let query = format!("subscription {{ batchProgress(batchId: \"{batch}\") {{ sequence }} }}");
    client.subscribe("1", &query).await;
    client.subscribe("1", &query).await;
    assert_eq!(client.closed().await, 4409);
}

#[tokio::test]
async fn a_client_that_closes_is_answered() {
    let fixture = Fixture::new().await;
    let address = serve(&fixture, EventHub::default()).await;
    let mut client = Client::ready(address).await;
    let normal = tungstenite::protocol::frame::coding::CloseCode::Normal;
    let close = tungstenite::protocol::CloseFrame {
        code: normal,
        reason: "done".into(),
    };
    client.0.send(Message::Close(Some(close))).await.unwrap();
    assert_eq!(client.closed().await, 1000);
}

#[tokio::test]
async fn a_log_that_cannot_be_read_on_closes_the_connection() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    for sequence in 1..=2 {
        fixture
            .event(batch, sequence, BatchEventKind::ResolutionStarted {})
            .await;
    }
    fixture.spoil(batch, 2).await;
    let mut client = Client::ready(serve(&fixture, EventHub::default()).await).await;
    let query = format!("subscription {{ batchProgress(batchId: \"{batch}\") {{ sequence }} }}");
    client.subscribe("1", &query).await;
    assert_eq!(
        client.hear().await["payload"]["data"]["batchProgress"]["sequence"],
        1
    );
    assert_eq!(client.closed().await, 4500);
}

#[tokio::test]
async fn a_connection_has_so_many_operations_and_no_more() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    let mut client = Client::ready(serve(&fixture, EventHub::default()).await).await;
    let query = format!("subscription {{ batchProgress(batchId: \"{batch}\") {{ sequence }} }}");
    for number in 0..MAX_OPERATIONS {
        client.subscribe(&number.to_string(), &query).await;
    }
    client.subscribe("one more", &query).await;
    let refused = client.hear().await;
    assert_eq!(
        (&refused["type"], &refused["id"]),
        (&json!("error"), &json!("one more"))
    );
    client.say(&json!({ "type": "complete", "id": "0" })).await;
    client.subscribe("one more", "{ __typename }").await;
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn foreign_pages_cannot_open_a_socket() {
    let fixture = Fixture::new().await;
    let address = serve(&fixture, EventHub::default()).await;
    let protocol = Some("graphql-transport-ws");
    for origin in ["https://elsewhere.example", "null", ""] {
        match open(address, protocol, Some(origin)).await {
            Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 403),
            other => panic!("{:?}", other.err()),
        }
    }
    let own = format!("http://{address}");
    assert!(open(address, protocol, Some(&own)).await.is_ok());
}

#[tokio::test]
async fn nothing_begins_on_a_connection_whose_key_has_ended() {
    let fixture = Fixture::new().await;
    let access = app::access(&fixture.store);
    // It was opened when nobody was asked for a key; what ends streams looks every 15 s.
    let limits = Limits::default();
    let address = serve_within(&fixture, EventHub::default(), limits).await;
    let mut client = Client::connect(address).await;
    client.say(&json!({ "type": "connection_init" })).await;
    assert_eq!(client.hear().await, json!({ "type": "connection_ack" }));
    let request = KeyRequest {
        organization: fixture.organization,
        name: "one".to_owned(),
        role: Role::Viewer,
        expires_at: None,
    };
    access.create(request).await.unwrap();
    client.subscribe("late", "{ __typename }").await;
    assert_eq!(client.closed().await, 4403);
}

#[tokio::test]
async fn a_connection_lives_as_long_as_its_key() {
    let fixture = Fixture::new().await;
    let access = app::access(&fixture.store);
    let request = KeyRequest {
        organization: fixture.organization,
        name: "one".to_owned(),
        role: Role::Viewer,
        expires_at: None,
    };
    let (key, secret) = access.create(request).await.unwrap();
    let limits = Limits {
        heartbeat: Duration::from_millis(50),
        ..Limits::default()
    };
    let address = serve_within(&fixture, EventHub::default(), limits).await;
    for payload in [
        json!(null),
        json!({ "token": "x" }),
        json!({ "authorization": "Bearer kn_1" }),
        json!({ "authorization": secret }),
        json!({ "authorization": 1 }),
    ] {
        let mut client = Client::connect(address).await;
        client
            .say(&json!({ "type": "connection_init", "payload": payload }))
            .await;
        assert_eq!(client.closed().await, 4403, "{payload}");
    }
    let mut client = Client::connect(address).await;
    client.subscribe("early", "{ __typename }").await;
    assert_eq!(client.closed().await, 4401);

    let mut client = Client::connect(address).await;
    let payload = json!({ "Authorization": format!("Bearer {secret}") });
    client
        .say(&json!({ "type": "connection_init", "payload": payload }))
        .await;
    assert_eq!(client.hear().await, json!({ "type": "connection_ack" }));
    client.subscribe("ask", "{ caller { role } }").await;
    assert_eq!(
        client.hear().await["payload"]["data"]["caller"]["role"],
        "VIEWER"
    );
    access.revoke(None, key.id).await.unwrap();
    let code = loop {
        match client.receive().await {
            Message::Close(Some(frame)) => break u16::from(frame.code),
            Message::Close(None) => panic!("no code"),
            _ => {}
        }
    };
    assert_eq!(code, 4403);
}
