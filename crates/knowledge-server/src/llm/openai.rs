//! Any endpoint that speaks OpenAI's protocol: OpenAI itself, vLLM, llama.cpp, Ollama, proxies.

use std::{
    error::Error as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use knowledge_domain::{Clock, workflow::BoxFuture};
use knowledge_extraction::llm::Call;
use reqwest::{Response, StatusCode, header::RETRY_AFTER};
use serde::Serialize;

use super::{
    provider::{Embeddings, Provider, ProviderAnswer, ProviderError},
    settings::Endpoint,
    wire::{self, Dialect, EmbeddingRequest},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer that is read, in bytes.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Times that a question is put differently before the endpoint's complaint is believed.
const DIALECTS: usize = 5;

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
        super::choose_tls();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("knowledge/", env!("CARGO_PKG_VERSION")))
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
        let mut complaint = wire::Complaint::default();
        for _ in 0..DIALECTS {
            let dialect = self.dialect();
            let body = dialect.body(model, call);
            match self.post("chat/completions", &body).await? {
                Ok(body) => return wire::answer(&body),
                Err(refused) => {
                    let Some(adapted) = dialect.adapted(&refused.message) else {
                        return Err(rejected(refused));
                    };
                    tracing::info!(
                        model,
                        "the endpoint is asked differently: {}",
                        refused.message
                    );
                    *self.dialect.lock().unwrap_or_else(PoisonError::into_inner) = adapted;
                    complaint = refused;
                }
            }
        }
        Err(rejected(complaint))
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
            Err(complaint) => Err(rejected(complaint)),
        }
    }

    /// Posts a body; the answer's, or what is said against how the question was put.
    async fn post(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Result<Vec<u8>, wire::Complaint>, ProviderError> {
        let url = format!("{}/{path}", self.endpoint.base_url.trim_end_matches('/'));
        let mut request = self.http.post(url).json(body);
        if let Some(key) = &self.endpoint.api_key {
            request = request.bearer_auth(key.reveal());
        }
        let response = request.send().await.map_err(|error| transport(&error))?;
        let status = response.status();
        let after = self.retry_after(&response);
        let body = read(response).await;
        if status.is_success() {
            return body.map(Ok);
        }
        let complaint = wire::complaint(&body.unwrap_or_default());
        failed(status, after, complaint).map(Err)
    }

    /// How long a response asks to wait, in either of the header's forms, or in OpenAI's finer one.
    fn retry_after(&self, response: &Response) -> Option<Duration> {
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        if let Some(millis) = header("retry-after-ms").and_then(|text| text.parse().ok()) {
            return Some(Duration::from_millis(millis));
        }
        let text = header(RETRY_AFTER.as_str())?;
        if let Ok(seconds) = text.trim().parse::<f64>() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
        Some(
            (date.to_utc() - self.clock.now())
                .to_std()
                .unwrap_or_default(),
        )
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

/// What a failed response means; a complaint about how the question was put is handed back.
fn failed(
    status: StatusCode,
    after: Option<Duration>,
    complaint: wire::Complaint,
) -> Result<wire::Complaint, ProviderError> {
    let said = if complaint.message.is_empty() {
        status.to_string()
    } else {
        format!("{status}: {}", complaint.message)
    };
    match status.as_u16() {
        401 | 403 => Err(ProviderError::Authentication {
            message: format!("{said}; set OPENAI_API_KEY to a key that may use the model"),
        }),
        402 => Err(no_credit(&said)),
        429 if complaint.code == "insufficient_quota" => Err(no_credit(&said)),
        429 => Err(ProviderError::RateLimited { after }),
        // Sent with a time by providers that are overloaded for a moment.
        503 if after.is_some() => Err(ProviderError::RateLimited { after }),
        408 | 409 | 425 | 500..=599 => Err(ProviderError::Failed { message: said }),
        413 => Err(ProviderError::ContextOverflow),
        _ if wire::is_overflow(&complaint) => Err(ProviderError::ContextOverflow),
        400 | 415 | 422 => Ok(wire::Complaint {
            message: said,
            ..complaint
        }),
        404 => Err(ProviderError::Unknown {
            message: format!("{said}; check OPENAI_BASE_URL and KNOWLEDGE_LLM_MODEL"),
        }),
        _ => Err(ProviderError::Rejected { message: said }),
    }
}

fn no_credit(said: &str) -> ProviderError {
    ProviderError::Authentication {
        message: format!("{said}; the account of OPENAI_API_KEY has no credit left"),
    }
}

fn rejected(complaint: wire::Complaint) -> ProviderError {
    ProviderError::Rejected {
        message: complaint.message,
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

/// A request that has no response: what never reached the provider is not paid for.
fn transport(error: &reqwest::Error) -> ProviderError {
    if error.is_connect() || error.is_builder() {
        ProviderError::Failed {
            message: described(error),
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
