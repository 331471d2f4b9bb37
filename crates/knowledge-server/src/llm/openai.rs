//! Any endpoint that speaks OpenAI's protocol: OpenAI itself, vLLM, llama.cpp, Ollama, proxies.

use std::{
    error::Error as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use knowledge_domain::{Clock, workflow::BoxFuture};
use knowledge_extraction::llm::Call;
use reqwest::{
    Response, StatusCode, Url,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue, LOCATION},
    redirect,
};
use serde::Serialize;

use super::{
    complaint::Complaint,
    dialect::Dialect,
    failure::Failure,
    provider::{Embeddings, Provider, ProviderAnswer, ProviderError},
    settings::{Endpoint, Secret},
    wait,
    wire::{self, EmbeddingRequest},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer that is read, in bytes.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Times that a question is put differently before the endpoint's complaint is believed.
const DIALECTS: usize = 7;

/// A client of one endpoint.
pub struct OpenAi {
    http: reqwest::Client,
    endpoint: Endpoint,
    dialect: Mutex<Dialect>,
    clock: std::sync::Arc<dyn Clock>,
}

/// An endpoint that cannot be asked at all.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct ClientError(String);

impl OpenAi {
    /// A client whose requests take at most `timeout`; it honours the proxies of the environment.
    pub fn new(
        endpoint: Endpoint,
        timeout: Duration,
        clock: std::sync::Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let http = client(&endpoint, timeout)
            .build()
            .map_err(|error| ClientError(crate::text::chain(&error)))?;
        Ok(Self {
            http,
            endpoint,
            dialect: Mutex::new(Dialect::default()),
            clock,
        })
    }

    fn dialect(&self) -> Dialect {
        *self.dialect.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks as the endpoint understands; what it complains of is asked differently from then on.
    async fn ask(&self, model: &str, call: &Call) -> Result<ProviderAnswer, ProviderError> {
        let mut last = None;
        for _ in 0..DIALECTS {
            let dialect = self.dialect();
            let body = dialect.body(model, call);
            let failure = match self.post("chat/completions", &body).await? {
                Ok(body) => match wire::answer(&body, self.key())? {
                    wire::Reply::Answer(answer) => return Ok(answer),
                    wire::Reply::Failure(complaint) => Failure::passed_on(complaint),
                },
                Err(failure) => failure,
            };
            if let Some(text) = failure.complaint.generated {
                return Ok(not_json(text));
            }
            let adapted = dialect.adapted(&failure.complaint, call.max_output_tokens);
            let Some(adapted) = adapted.filter(|_| failure.may_be_about_how()) else {
                return Err(failure.error());
            };
            self.learn(dialect, adapted, model, &failure.complaint);
            last = Some(failure);
        }
        Err(last.unwrap_or_default().error())
    }

    /// Asks differently from now on, unless another call has learned something meanwhile.
    fn learn(&self, asked: Dialect, adapted: Dialect, model: &str, complaint: &Complaint) {
        let mut dialect = self.dialect.lock().unwrap_or_else(PoisonError::into_inner);
        if *dialect == asked {
            *dialect = adapted;
            let said = complaint.shown();
            tracing::info!(model, "the endpoint is asked differently: {said}");
        }
    }

    async fn vectors(&self, model: &str, texts: &[String]) -> Result<Embeddings, ProviderError> {
        let request = EmbeddingRequest {
            model,
            input: texts,
            encoding_format: "float",
        };
        match self.post("embeddings", &request).await? {
            Ok(body) => {
                let (vectors, reported) = wire::vectors(&body, texts.len())?;
                Ok(Embeddings { vectors, reported })
            }
            Err(failure) => Err(failure.error()),
        }
    }

    fn key(&self) -> Option<&Secret> {
        self.endpoint.api_key.as_ref()
    }

    /// Posts a body; the answer's, or what the endpoint says of its failure.
    async fn post(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Result<Vec<u8>, Failure>, ProviderError> {
        let url = format!("{}/{path}", self.endpoint.base_url.trim_end_matches('/'));
        let mut request = self.http.post(url).json(body);
        // Without it any encoding would do.
        request = request.header(ACCEPT_ENCODING, "identity");
        if let Some(key) = self.key() {
            request = request.bearer_auth(key.reveal());
        }
        let response = request.send().await;
        let response = response.map_err(|error| transport(&error, &self.endpoint))?;
        let status = response.status();
        let headers = wait::of_headers(status, response.headers(), self.clock.now());
        let moved = moved_to(&response);
        let encoding = response.headers().get(CONTENT_ENCODING).cloned();
        let body = read(response).await;
        if status.is_success() {
            return match encoding.filter(|encoding| encoding != "identity") {
                Some(encoding) => Err(encoded(&encoding)),
                None => body.map(Ok),
            };
        }
        let complaint = Complaint::read(&body.unwrap_or_default(), self.key());
        let after = headers.asked.or(complaint.wait).or(headers.limits);
        Ok(Err(Failure {
            status: status.as_u16(),
            after,
            moved,
            complaint,
        }))
    }
}

impl Provider for OpenAi {
    fn chat<'a>(
        &'a self,
        model: &'a str,
        call: &'a Call,
    ) -> BoxFuture<'a, Result<ProviderAnswer, ProviderError>> {
        Box::pin(self.ask(model, call))
    }

    fn embed<'a>(
        &'a self,
        model: &'a str,
        texts: &'a [String],
    ) -> BoxFuture<'a, Result<Embeddings, ProviderError>> {
        Box::pin(self.vectors(model, texts))
    }
}

/// Reads a body up to the limit.
async fn read(mut response: Response) -> Result<Vec<u8>, ProviderError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| lost(&error))? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(ProviderError::Protocol {
                message: format!("it has more than {MOST_BYTES} bytes"),
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A client for one endpoint. The certificates of the system are read only where they are needed.
fn client(endpoint: &Endpoint, timeout: Duration) -> reqwest::ClientBuilder {
    super::choose_tls();
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .pool_idle_timeout(Duration::from_secs(30))
        .redirect(redirect::Policy::custom(follow))
        .user_agent(concat!("knowledge/", env!("CARGO_PKG_VERSION")));
    if endpoint.base_url.starts_with("http://") && !has_tls_proxy() {
        client.tls_certs_only([])
    } else {
        client
    }
}

/// Whether the proxy of plain requests is itself asked through TLS.
fn has_tls_proxy() -> bool {
    let proxies = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    let mut proxies = proxies.iter().filter_map(std::env::var_os);
    proxies.any(|proxy| proxy.to_string_lossy().starts_with("https:"))
}

/// Texts go to the endpoint that they are meant for and to no other, as they were sent.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let is_same = |from: &Url| from.origin() == attempt.url().origin();
    let keeps = [
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    let may = keeps.contains(&attempt.status())
        && attempt.previous().len() < 5
        && attempt.previous().last().is_some_and(is_same);
    if may {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// Where a response says that the endpoint is, without what else a URL may hold.
fn moved_to(response: &Response) -> Option<String> {
    if !response.status().is_redirection() {
        return None;
    }
    let place = response.headers().get(LOCATION)?.to_str().ok()?;
    let url = response.url().join(place).ok()?;
    Some(format!(
        "{}{}",
        url.origin().ascii_serialization(),
        url.path()
    ))
}

/// A model's answer that its endpoint refuses to hand out because it is not JSON.
fn not_json(text: String) -> ProviderAnswer {
    ProviderAnswer {
        text,
        reported: super::usage::Reported::default(),
        truncated: false,
    }
}

/// Somebody in between compresses what it was asked to leave as it is.
fn encoded(encoding: &HeaderValue) -> ProviderError {
    ProviderError::Protocol {
        message: format!("it is encoded ({encoding:?}), which was not asked for"),
    }
}

/// A request that has no response: what never reached the provider is not paid for.
fn transport(error: &reqwest::Error, endpoint: &Endpoint) -> ProviderError {
    if error.is_connect() || error.is_builder() {
        ProviderError::Failed {
            message: format!("{}: {}", endpoint.provider(), described(error)),
        }
    } else {
        lost(error)
    }
}

fn lost(error: &reqwest::Error) -> ProviderError {
    let message = if error.is_timeout() {
        "it did not come in time".to_owned()
    } else {
        described(error)
    };
    ProviderError::Lost { message }
}

/// The error's cause, without the URL, which may hold a secret.
fn described(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut text = String::from("the connection failed");
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}
