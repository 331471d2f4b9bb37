//! The HTTP side.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::State as Shared,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Reply, Report, Script, Seen, State,
    answers::{self, Wrong},
    lock,
    script::hits,
};

type States = Arc<Mutex<State>>;

/// Serves until it is told to stop.
pub(super) fn run(listener: TcpListener, state: States, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("the socket is bound");
        let router = Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/embeddings", post(embed))
            .with_state(state);
        let serving = axum::serve(listener, router);
        tokio::select! {
            ended = serving => ended.expect("a loopback server serves"),
            _ = stopped => {}
        }
    });
}

/// Tokens of a question and its answer.
#[derive(Clone)]
struct Reported(u64);

/// What the runtime's timer may be late by, and more.
const TIMER: Duration = Duration::from_millis(3);

/// A request between its arrival and its answer; a client that goes away drops it.
struct InFlight {
    state: States,
    number: usize,
    begun: Instant,
}

impl InFlight {
    fn begin(state: &States, path: &'static str, headers: &HeaderMap, body: &Value) -> Self {
        let begun = Instant::now();
        let mut locked = lock(state);
        let header = headers
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        let question = match path {
            "embeddings" => body["input"].to_string(),
            _ => body["messages"][1]["content"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        };
        locked.seen.push(Seen {
            path,
            instructions: body["messages"][0]["content"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            question,
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            authorization: header.map(str::to_owned),
            format: body["response_format"]["type"].as_str().map(str::to_owned),
            at: begun,
            answered: None,
            tokens: 0,
            status: None,
        });
        locked.in_flight += 1;
        locked.most_in_flight = locked.most_in_flight.max(locked.in_flight);
        Self {
            state: Arc::clone(state),
            number: locked.seen.len(),
            begun,
        }
    }

    /// Waits until it has lasted so long: the end of it on a thread, because the runtime's timer
    /// would add up to a millisecond.
    async fn last(&self, latency: Duration) {
        let due = self.begun + latency;
        if let Some(most) = latency.checked_sub(TIMER) {
            tokio::time::sleep_until((self.begun + most).into()).await;
        }
        let rest = move || std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if !latency.is_zero() {
            let rested = tokio::task::spawn_blocking(rest).await;
            rested.expect("a thread that sleeps does not panic");
        }
    }

    fn end(self, answer: Response) -> Response {
        let mut state = lock(&self.state);
        let seen = &mut state.seen[self.number - 1];
        seen.status = Some(answer.status().as_u16());
        seen.answered = Some(Instant::now());
        seen.tokens = answer
            .extensions()
            .get()
            .map_or(0, |Reported(tokens)| *tokens);
        drop(state);
        answer
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        lock(&self.state).in_flight -= 1;
    }
}

async fn chat(
    Shared(state): Shared<States>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let flight = InFlight::begin(&state, "chat/completions", &headers, &body);
    let (script, reply) = {
        let mut locked = lock(&state);
        let reply = locked.script.next.pop_front().unwrap_or(Reply::Answer);
        (locked.script.clone(), reply)
    };
    if let Some(refused) = refused(&script, &headers, &body) {
        return flight.end(refused);
    }
    // A model thinks while it is waited for.
    let said =
        matches!(reply, Reply::Answer | Reply::Hold).then(|| said(&script, flight.number, &body));
    flight.last(script.latency).await;
    held(&state, reply).await;
    let answer = match reply {
        Reply::Hang => std::future::pending().await,
        Reply::Status(status) => error(status, "scripted", "scripted to fail"),
        Reply::RateLimited(seconds) => limited(Some(seconds)),
        Reply::Says(status, head, text) => says(status, head, text),
        Reply::Key => {
            let key = headers.get("authorization").map(|value| value.to_str());
            let key = key.and_then(Result::ok).unwrap_or_default();
            error(
                401,
                "invalid",
                &format!("Invalid token passed. Received = {key}"),
            )
        }
        Reply::Empty => respond(&state, &Said::text(&body, "{}")),
        Reply::Answer | Reply::Hold if hits(script.rate_limited, flight.number) => {
            limited(script.retry_after)
        }
        Reply::Answer | Reply::Hold => respond(&state, &said.expect("it was thought of")),
    };
    flight.end(answer)
}

/// Waits until what is held is released, where this is.
async fn held(state: &States, reply: Reply) {
    while reply == Reply::Hold && !lock(state).released {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What is refused before anybody thinks about it.
fn refused(script: &Script, headers: &HeaderMap, body: &Value) -> Option<Response> {
    let key = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    if let Some(wanted) = &script.key
        && key != Some(&format!("Bearer {wanted}"))
    {
        return Some(error(401, "invalid_api_key", "Incorrect API key provided"));
    }
    let format = body["response_format"]["type"].as_str().unwrap_or_default();
    if (format == "json_schema" && script.no_schema)
        || (format == "json_object" && script.no_json_mode)
    {
        let message = format!("response_format type `{format}` is not supported");
        return Some(error(400, "unsupported", &message));
    }
    let question = body["messages"][1]["content"].as_str().unwrap_or_default();
    if script
        .context_chars
        .is_some_and(|most| question.chars().count() > most)
    {
        return Some(error(
            400,
            "context_length_exceeded",
            "maximum context length exceeded",
        ));
    }
    None
}

/// What a model says.
struct Said {
    message: Value,
    /// Bytes of the question.
    question: usize,
    /// Bytes of the answer.
    answer: usize,
}

impl Said {
    fn text(body: &Value, text: &str) -> Self {
        Self {
            message: json!({ "role": "assistant", "content": text }),
            question: body["messages"].to_string().len(),
            answer: text.len(),
        }
    }
}

/// What the model says to a request.
fn said(script: &Script, number: usize, body: &Value) -> Said {
    let message = |index: usize| {
        body["messages"][index]["content"]
            .as_str()
            .unwrap_or_default()
    };
    let (system, user) = (message(0), message(1));
    if script
        .refuses
        .as_ref()
        .is_some_and(|words| user.contains(words.as_str()))
    {
        let refusal = "I cannot help with that.";
        return Said {
            message: json!({ "role": "assistant", "content": null, "refusal": refusal }),
            question: user.len(),
            answer: 10,
        };
    }
    // Each kind has its own requests.
    if hits(script.invalid, number + 2) {
        return Said::text(body, "I am sorry, here is no JSON.");
    }
    let wrong = Wrong {
        offsets: hits(script.wrong_offsets, number + 4),
        invented: hits(script.invented, number + 6),
    };
    let mut text = answers::answer(system, user, wrong).to_string();
    if hits(script.truncated, number) {
        let half = (0..=text.len() / 2)
            .rev()
            .find(|at| text.is_char_boundary(*at));
        text.truncate(half.unwrap_or_default());
    }
    match script.dressed {
        Some(dress) => Said {
            message: dress(&text),
            ..Said::text(body, &text)
        },
        None => Said::text(body, &text),
    }
}

fn respond(state: &States, said: &Said) -> Response {
    let (prompt, completion) = (said.question as u64 / 4, said.answer as u64 / 4);
    let usage = {
        let mut state = lock(state);
        state.tokens += prompt + completion;
        usage(state.script.reports, prompt, completion)
    };
    let mut body = json!({
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "choices": [{ "index": 0, "message": said.message, "finish_reason": "stop" }],
    });
    if let Some(usage) = usage {
        body["usage"] = usage;
    }
    let mut response = Json(body).into_response();
    response
        .extensions_mut()
        .insert(Reported(prompt + completion));
    response
}

fn usage(reports: Report, prompt: u64, completion: u64) -> Option<Value> {
    match reports {
        Report::Whole => Some(json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        })),
        Report::Absent => None,
        Report::Null => Some(Value::Null),
        Report::Answer => Some(json!({ "prompt_tokens": null, "completion_tokens": completion })),
    }
}

fn limited(seconds: Option<u32>) -> Response {
    let mut response = error(429, "rate_limit_exceeded", "Rate limit reached");
    if let Some(seconds) = seconds {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

fn says(
    status: u16,
    head: &'static [(&'static str, &'static str)],
    text: &'static str,
) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, text).into_response();
    for (name, value) in head {
        let value = axum::http::HeaderValue::from_static(value);
        response.headers_mut().insert(*name, value);
    }
    response
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({ "error": { "message": message, "type": "scripted", "code": code } });
    (status, Json(body)).into_response()
}

/// A vector for each text: what its group of meanings says, or what its bytes do.
async fn embed(
    Shared(state): Shared<States>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let flight = InFlight::begin(&state, "embeddings", &headers, &body);
    let (script, reply) = {
        let mut locked = lock(&state);
        let reply = locked.script.next.pop_front().unwrap_or(Reply::Answer);
        (locked.script.clone(), reply)
    };
    if script.no_vectors {
        return flight.end(error(404, "not_found", "no such endpoint"));
    }
    let texts = body["input"].as_array().map_or(0, Vec::len);
    if script.most_texts.is_some_and(|most| texts > most) {
        return flight.end(error(422, "batch_size", "batch size exceeds the maximum"));
    }
    flight.last(script.latency).await;
    held(&state, reply).await;
    match reply {
        Reply::Hang => std::future::pending().await,
        Reply::Status(status) => {
            return flight.end(error(status, "scripted", "scripted to fail"));
        }
        _ => {}
    }
    let texts = body["input"].as_array().cloned().unwrap_or_default();
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let vector = vector(&script, text.as_str().unwrap_or_default());
            json!({ "index": index, "embedding": vector })
        })
        .collect();
    let tokens = body["input"].to_string().len() as u64 / 4;
    lock(&state).tokens += tokens;
    let answer = Json(json!({ "data": data, "usage": { "prompt_tokens": tokens } }));
    let mut answer = answer.into_response();
    answer.extensions_mut().insert(Reported(tokens));
    flight.end(answer)
}

/// Directions that have much in common, as those of real models do.
fn vector(script: &Script, text: &str) -> Vec<f64> {
    let dimensions = script.dimensions.unwrap_or(96);
    let group = script.meanings.iter().position(|group| {
        let mut group = group.iter();
        group.any(|beginning| text.starts_with(beginning))
    });
    let own = noise(text.as_bytes(), dimensions);
    let common = noise(b"what all texts have in common", dimensions);
    let meant = group.map(|group| noise(&[u8::try_from(group).unwrap_or(u8::MAX)], dimensions));
    let class = text.rsplit('(').next().unwrap_or_default();
    let class = noise(class.as_bytes(), dimensions);
    let alike = script.of_a_class.unwrap_or_default();
    let at = |at: usize| match &meant {
        Some(meant) => common[at] + meant[at] + 0.1 * own[at],
        None => common[at] + alike.sqrt() * class[at] + (1.0 - alike).sqrt() * own[at],
    };
    (0..own.len()).map(at).collect()
}

/// Numbers from -1 to 1 that only depend on the bytes.
fn noise(bytes: &[u8], dimensions: u64) -> Vec<f64> {
    let seed = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut random = fastrand::Rng::with_seed(seed);
    let number = |_| random.f64() * 2.0 - 1.0;
    (0..dimensions).map(number).collect()
}
