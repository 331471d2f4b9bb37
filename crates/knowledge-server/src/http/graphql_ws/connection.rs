//! One connection from its init to its close.

use std::{collections::HashMap, panic::AssertUnwindSafe, pin::Pin, time::Duration};

use async_graphql::{Request, Response as GraphqlResponse};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::{
    FutureExt, Stream, StreamExt,
    future::{self, BoxFuture},
    stream::{self, AbortHandle, SelectAll},
};
use knowledge_domain::Caller;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::protocol::{ClientMessage, Close, ServerMessage, read};
use crate::{
    access::{Access, AccessError},
    graphql::{Operation, Prepared, classify, has_failed, is_request_error, prepare},
    http::{
        AppState,
        access::bearer,
        graphql::{Parameters, Rendered},
    },
    metrics::{DELIVERED, Held, STREAMS},
};

/// Operations of one connection at a time.
pub(in crate::http) const MAX_OPERATIONS: usize = 100;

/// What numbers call it.
const PROTOCOL: &str = "websocket";

/// A client that does not take a message for so long is gone.
const SEND_TIMEOUT: Duration = Duration::from_mins(3);

/// How long the client's half of the closing handshake is waited for.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

type Results = Pin<Box<dyn Stream<Item = Outcome> + Send>>;

/// What an operation has come to.
enum Outcome {
    /// A result of the operation.
    Result {
        id: String,
        response: Box<GraphqlResponse>,
        /// Whether an answer without data means that there is nothing to subscribe to.
        first_of_subscription: bool,
    },
    /// The caller is not served any more.
    Refused(Close),
    /// There are no more.
    Done { id: String },
    /// It panicked, which is a defect of ours; it is in the log.
    Panicked,
}

/// An operation that has not ended.
struct Running {
    handle: AbortHandle,
    subscribes: bool,
    _counted: Held,
}

pub(super) struct Connection<'a> {
    socket: &'a mut WebSocket,
    state: &'a AppState,
    /// Who calls; none until a key is named that holds.
    caller: Option<Caller>,
    /// Ends when their key does not hold any more.
    withdrawn: BoxFuture<'static, ()>,
    acknowledged: bool,
    init_deadline: Instant,
    operations: HashMap<String, Running>,
    results: SelectAll<Results>,
}

/// Whether to go on; `Err` says why not, `None` that the client has closed or is gone.
type Step = Result<(), Option<Close>>;

impl<'a> Connection<'a> {
    pub(super) fn new(
        socket: &'a mut WebSocket,
        state: &'a AppState,
        caller: Option<Caller>,
    ) -> Self {
        Self {
            socket,
            state,
            caller,
            withdrawn: future::pending().boxed(),
            acknowledged: false,
            init_deadline: Instant::now() + state.limits.init_timeout,
            operations: HashMap::new(),
            results: SelectAll::new(),
        }
    }

    /// Serves until either side ends it; what to close with, when it is the server that ends it.
    pub(super) async fn run(mut self) -> Option<Close> {
        loop {
            if let Err(end) = self.step().await {
                return end;
            }
        }
    }

    async fn step(&mut self) -> Step {
        let heartbeat = tokio::time::sleep(self.state.limits.heartbeat);
        tokio::select! {
            message = self.socket.recv() => match message {
                Some(Ok(message)) => self.receive(message).await,
                Some(Err(_)) | None => Err(None),
            },
            Some(outcome) = self.results.next(), if !self.results.is_empty() => {
                self.report(outcome).await
            }
            () = tokio::time::sleep_until(self.init_deadline), if !self.acknowledged => {
                Err(Some(Close::InitTimeout))
            }
            () = &mut self.withdrawn => Err(Some(Close::Forbidden)),
            () = self.state.shutdown.cancelled() => Err(Some(Close::GoingAway)),
            () = heartbeat => self.transmit(Message::Ping(axum::body::Bytes::new())).await,
        }
    }

    async fn receive(&mut self, message: Message) -> Step {
        match message {
            Message::Text(text) => self.handle(read(&text).map_err(Some)?).await,
            Message::Binary(_) => Err(Some(Close::InvalidMessage("Invalid message: not text"))),
            Message::Close(_) => Err(None),
            // The transport answers pings.
            Message::Ping(_) | Message::Pong(_) => Ok(()),
        }
    }

    async fn handle(&mut self, message: ClientMessage) -> Step {
        match message {
            ClientMessage::ConnectionInit { .. } if self.acknowledged => {
                Err(Some(Close::TooManyInits))
            }
            ClientMessage::ConnectionInit { payload } => {
                self.admit(&payload.unwrap_or_default()).await?;
                self.acknowledged = true;
                self.send(&ServerMessage::ConnectionAck).await
            }
            ClientMessage::Ping { payload } => self.send(&ServerMessage::Pong { payload }).await,
            ClientMessage::Pong { .. } => Ok(()),
            ClientMessage::Subscribe { id, payload } => match self.caller {
                Some(caller) if self.acknowledged => self.subscribe(caller, id, payload).await,
                _ => Err(Some(Close::Unauthorized)),
            },
            ClientMessage::Complete { id } => {
                self.forget(&id);
                Ok(())
            }
        }
    }

    /// Finds out who calls: by the key of the payload, or by what the headers said.
    async fn admit(&mut self, payload: &Map<String, Value>) -> Step {
        let named = payload
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let caller = match (named, self.caller) {
            (None, Some(caller)) => caller,
            (named, _) => {
                let secret = named.and_then(|(_, named)| bearer(named.as_str()?));
                let called = self.state.access.caller(secret).await;
                called.map_err(|error| Some(refusal(&error)))?
            }
        };
        self.caller = Some(caller);
        let access = self.state.access.clone();
        self.withdrawn = access
            .withdrawn(caller, self.state.limits.heartbeat)
            .boxed();
        Ok(())
    }

    async fn subscribe(&mut self, caller: Caller, id: String, payload: Parameters) -> Step {
        if self.operations.contains_key(&id) {
            return Err(Some(Close::SubscriberExists(id)));
        }
        if self.operations.len() >= MAX_OPERATIONS {
            let error = async_graphql::ServerError::new(
                "the connection has too many operations; complete some first",
                None,
            );
            return self
                .refuse(&id, GraphqlResponse::from_errors(vec![error]))
                .await;
        }
        match prepare(Request::from(payload)) {
            Ok(prepared) => {
                self.begin(caller, id, prepared);
                Ok(())
            }
            Err(error) => {
                let response = GraphqlResponse::from_errors(vec![error]);
                self.refuse(&id, response).await
            }
        }
    }

    fn begin(&mut self, caller: Caller, id: String, prepared: Prepared) {
        let subscribes = prepared.operation() == Operation::Subscription;
        let responses = self.state.api.execute_stream(caller, prepared);
        let name = id.clone();
        let results = responses
            .enumerate()
            .map(move |(index, response)| Outcome::Result {
                id: name.clone(),
                response: Box::new(response),
                first_of_subscription: index == 0 && subscribes,
            });
        // Part of the operation, as others of the connection are not to wait for the answer.
        let admitted = require(self.state.access.clone(), caller);
        let results = admitted.map(move |admitted| match admitted {
            Ok(()) => results.left_stream(),
            Err(reason) => stream::iter([Outcome::Refused(reason)]).right_stream(),
        });
        let results = results.flatten_stream();
        let done = stream::iter([Outcome::Done { id: id.clone() }]);
        let results = AssertUnwindSafe(results)
            .catch_unwind()
            .map(|outcome| outcome.unwrap_or(Outcome::Panicked));
        let (results, handle) = stream::abortable(results.chain(done));
        self.operations.insert(
            id,
            Running {
                handle,
                subscribes,
                _counted: STREAMS.hold(PROTOCOL),
            },
        );
        self.results.push(Box::pin(results));
    }

    async fn report(&mut self, outcome: Outcome) -> Step {
        match outcome {
            Outcome::Result {
                id,
                response,
                first_of_subscription,
            } => {
                let no_stream = first_of_subscription
                    && !response.errors.is_empty()
                    && response.data == async_graphql::Value::Null;
                if !no_stream && has_failed(&response) && self.subscribes(&id) {
                    return Err(Some(Close::Internal));
                }
                if no_stream || is_request_error(&response) {
                    self.forget(&id);
                    return self.refuse(&id, *response).await;
                }
                DELIVERED.add(&[PROTOCOL]);
                let payload = Rendered::new(&response);
                self.send(&ServerMessage::Next { id: &id, payload }).await
            }
            Outcome::Refused(reason) => Err(Some(reason)),
            Outcome::Panicked => Err(Some(Close::Internal)),
            Outcome::Done { id } => {
                self.forget(&id);
                self.send(&ServerMessage::Complete { id: &id }).await
            }
        }
    }

    fn subscribes(&self, id: &str) -> bool {
        self.operations
            .get(id)
            .is_some_and(|operation| operation.subscribes)
    }

    /// Ends an operation without a word; one that is not there may have ended by itself.
    fn forget(&mut self, id: &str) {
        if let Some(operation) = self.operations.remove(id) {
            operation.handle.abort();
        }
    }

    async fn refuse(&mut self, id: &str, response: GraphqlResponse) -> Step {
        let response = classify(response);
        let payload = &response.errors;
        self.send(&ServerMessage::Error { id, payload }).await
    }

    async fn send(&mut self, message: &ServerMessage<'_>) -> Step {
        let text = serde_json::to_string(message).map_err(|_| Some(Close::Internal))?;
        self.transmit(Message::Text(text.into())).await
    }

    async fn transmit(&mut self, message: Message) -> Step {
        match tokio::time::timeout(SEND_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(None),
        }
    }
}

/// A connection may be older than the end of its key.
async fn require(access: Access, caller: Caller) -> Result<(), Close> {
    match access.serves(caller).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Close::Forbidden),
        Err(error) => Err(refusal(&error.into())),
    }
}

fn refusal(error: &AccessError) -> Close {
    match error {
        AccessError::Missing | AccessError::Unknown => Close::Forbidden,
        AccessError::Store(error) => {
            crate::log::failed_request(error);
            Close::Internal
        }
    }
}

/// Closes with a code and waits for the client to agree, so that the code is not lost with the
/// connection.
pub(super) async fn close(socket: &mut WebSocket, reason: Close) {
    let frame = CloseFrame {
        code: reason.code(),
        reason: reason.reason().as_ref().into(),
    };
    if let Ok(Ok(())) =
        tokio::time::timeout(CLOSE_TIMEOUT, socket.send(Message::Close(Some(frame)))).await
    {
        shake_hands(socket).await;
    }
}

/// Ends the closing handshake, whoever began it: the transport answers the client's close only
/// while it is read.
pub(super) async fn shake_hands(socket: &mut WebSocket) {
    let handshake = async { while let Some(Ok(_)) = socket.recv().await {} };
    // A client that does not agree in time has nothing more to be told.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, handshake).await;
}
