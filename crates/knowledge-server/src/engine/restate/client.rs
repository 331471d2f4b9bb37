//! Restate's HTTP interfaces, as far as they are needed.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Ended, SERVICE, Task};

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take to say that it is there.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// How long it may take to accept an invocation, or a deployment.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one request waits for the end of a run. A connection that was lost unnoticed costs no
/// more.
const ATTACH_TIMEOUT: Duration = Duration::from_secs(10);

/// Why Restate does not do as it is asked.
#[derive(Debug, thiserror::Error)]
pub enum RestateError {
    /// It cannot be reached, or left off in the middle.
    #[error("Restate at {url} cannot be reached")]
    Unreachable {
        /// Where it was looked for.
        url: Url,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// No worker was made known to it.
    #[error(
        "Restate at {url} knows no worker that serves {service}; start `knowledge worker`, and where an \
         earlier release was registered at its address, give this one another with --url"
    )]
    NoWorker {
        /// Where it is.
        url: Url,
        /// What it was asked for.
        service: String,
    },
    /// It knows nothing of an invocation.
    #[error("Restate at {url} does not know the invocation")]
    Unknown {
        /// Where it is.
        url: Url,
    },
    /// The invocation was ended there.
    #[error("the invocation was ended in Restate ({message}); retry the document")]
    Killed {
        /// What it says.
        message: String,
    },
    /// It refuses for another reason.
    #[error("Restate at {url} answers {status}: {message}")]
    Refused {
        /// Where it is.
        url: Url,
        /// The HTTP status.
        status: StatusCode,
        /// What it says.
        message: String,
    },
    /// An address that means nothing, or holds a password, which would be shown.
    #[error("{0} is no http or https URL without a password")]
    Address(String),
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built")]
    Client(#[source] reqwest::Error),
}

impl RestateError {
    /// Whether it may do so later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NoWorker { .. } | Self::Unknown { .. } => true,
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Killed { .. } | Self::Address(_) | Self::Client(_) => false,
        }
    }
}

/// Where invocations are submitted.
#[derive(Debug, Clone)]
pub struct Ingress(Http);

/// Where workers are made known.
#[derive(Debug, Clone)]
pub struct Admin(Http);

#[derive(Debug, Clone)]
struct Http {
    client: Client,
    url: Url,
}

impl Ingress {
    /// The ingress at this address.
    ///
    /// # Errors
    /// [`RestateError::Address`] when it is none.
    pub fn new(url: &str) -> Result<Self, RestateError> {
        Http::new(url).map(Self)
    }

    /// Submits a run; the same again is the same run.
    pub(super) async fn submit(&self, task: &Task) -> Result<(), RestateError> {
        self.send(SERVICE, &task.key(), task).await
    }

    /// Submits a run of a workflow by this name; the same again is the same run.
    pub(super) async fn send(
        &self,
        service: &str,
        name: &str,
        task: &impl Serialize,
    ) -> Result<(), RestateError> {
        let path = format!("{service}/{name}/run/send");
        let request = self.0.client.post(self.0.at(&path)?).json(task);
        let answer = self.0.send(request.timeout(ANSWER_TIMEOUT)).await?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND => Err(RestateError::NoWorker {
                url: self.0.url.clone(),
                service: service.to_owned(),
            }),
            _ => Err(self.0.refusal(answer).await),
        }
    }

    /// Waits for a while for the end of a run; `None` where it has not ended.
    pub(super) async fn attach(&self, task: &Task) -> Result<Option<Ended>, RestateError> {
        let path = format!("restate/workflow/{SERVICE}/{}/attach", task.key());
        let request = self.0.client.get(self.0.at(&path)?).timeout(ATTACH_TIMEOUT);
        let answer = match request.send().await {
            Err(error) if error.is_timeout() && !error.is_connect() => return Ok(None),
            answer => answer.map_err(|source| self.0.unreachable(source))?,
        };
        match answer.status() {
            StatusCode::OK => {
                let ended = answer.json().await.map(Some);
                ended.map_err(|source| self.0.unreachable(source))
            }
            StatusCode::NOT_FOUND => Err(RestateError::Unknown {
                url: self.0.url.clone(),
            }),
            // Of Restate, or of what stands before it, and not of the invocation.
            StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => Err(self.0.refusal(answer).await),
            _ => Err(RestateError::Killed {
                message: self.0.refusal(answer).await.to_string(),
            }),
        }
    }

    /// Whether it accepts invocations.
    ///
    /// # Errors
    /// Why not.
    pub async fn health(&self) -> Result<(), RestateError> {
        self.0.health("restate/health").await
    }
}

impl Admin {
    /// The admin interface at this address.
    ///
    /// # Errors
    /// [`RestateError::Address`] when it is none.
    pub fn new(url: &str) -> Result<Self, RestateError> {
        Http::new(url).map(Self)
    }

    /// Makes known where workers answer. The same address again changes nothing.
    ///
    /// # Errors
    /// When it cannot be reached, or cannot reach the worker.
    pub async fn register(&self, worker: &str) -> Result<(), RestateError> {
        let request = self.0.client.post(self.0.at("deployments")?);
        let request = request.json(&json!({ "uri": worker }));
        let answer = self.0.send(request.timeout(ANSWER_TIMEOUT)).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(self.0.refusal(answer).await)
    }
}

impl Http {
    fn new(url: &str) -> Result<Self, RestateError> {
        let wrong = || RestateError::Address("an address of Restate".to_owned());
        let mut parsed = Url::parse(url).map_err(|_| wrong())?;
        let is_open = parsed.username().is_empty() && parsed.password().is_none();
        if !["http", "https"].contains(&parsed.scheme()) || !is_open {
            return Err(wrong());
        }
        if !parsed.path().ends_with('/') {
            parsed.set_path(&format!("{}/", parsed.path()));
        }
        crate::llm::choose_tls();
        // The proxy of the environment is for models.
        let client = Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT);
        let client = client.build();
        Ok(Self {
            client: client.map_err(RestateError::Client)?,
            url: parsed,
        })
    }

    fn at(&self, path: &str) -> Result<Url, RestateError> {
        let joined = self.url.join(path);
        joined.map_err(|_| RestateError::Address(format!("{}{path}", self.url)))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, RestateError> {
        let answer = request.send().await;
        answer.map_err(|source| self.unreachable(source))
    }

    async fn health(&self, path: &str) -> Result<(), RestateError> {
        let request = self.client.get(self.at(path)?).timeout(HEALTH_TIMEOUT);
        let answer = self.send(request).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(self.refusal(answer).await)
    }

    fn unreachable(&self, source: reqwest::Error) -> RestateError {
        RestateError::Unreachable {
            url: self.url.clone(),
            // It names the run, and its address is said already.
            source: source.without_url(),
        }
    }

    async fn refusal(&self, answer: Response) -> RestateError {
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        let message = body["message"].as_str().unwrap_or("it does not say why");
        RestateError::Refused {
            url: self.url.clone(),
            status,
            message: message.to_owned(),
        }
    }
}
