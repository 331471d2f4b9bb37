//! Cache, budget, limiter, circuit breaker, provider, fallback: in this order.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use knowledge_domain::{
    Clock,
    workflow::{SuspendReason, Suspension},
};
use knowledge_extraction::{
    llm::{Answer, Call, CallError, Tokenizer, Usage},
    sha256_hex,
};
use serde_json::json;
use tokio::sync::Notify;

use super::{
    breaker::{BreakerState, Verdict},
    flights::Flights,
    limiter::{Limiter, LimiterSnapshot, Permit},
    provider::{Provider, ProviderAnswer, ProviderError},
    route::{Route, verdict},
    session::Session,
    settings::LlmSettings,
};
use crate::{
    store::{
        StoreError,
        calls::{CallIntent, CallKey, CallLog, Intended, RecordedAnswer, Settled, Settlement},
    },
    text::chain,
};

/// Part of every key: changes whenever the same question is to be asked anew.
const KEY_VERSION: u32 = 1;

/// How often a provider may ask for patience before the document is suspended.
const WAITS: u32 = 20;

/// Rate limits in a row after which nobody calls before the provider's time.
const STORM: u32 = 3;

/// How often it is looked whether another process has the answer.
const ELSEWHERE: Duration = Duration::from_millis(200);

/// How long a call waits for others of its batch to be settled before it looks again.
const RESERVED: Duration = Duration::from_secs(1);

/// The way to the models; cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    log: CallLog,
    limiter: Limiter,
    /// Who is asked, the first that can answer.
    routes: Vec<Route>,
    flights: Flights,
    settings: LlmSettings,
    clock: Arc<dyn Clock>,
    tokenizer: OnceLock<Tokenizer>,
    /// When a key was last refused, and what was said: nobody tries it again for a moment.
    refused: Mutex<Option<(DateTime<Utc>, String)>>,
    /// Rate limits since the last answer.
    limited: AtomicU32,
    /// Told whenever a call is settled.
    settled: Notify,
}

/// How the calls of models fare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayHealth {
    /// Calls that run and wait.
    pub limiter: LimiterSnapshot,
    /// The providers, the first one first.
    pub routes: Vec<RouteHealth>,
}

/// How a provider fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteHealth {
    /// Who is asked: `https://api.openai.com`.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Its circuit breaker.
    pub breaker: BreakerState,
}

/// How long a key that was refused is not tried again.
const REFUSED: TimeDelta = TimeDelta::seconds(10);

/// One attempt's result.
enum Step {
    Answered(Answer),
    /// The provider asks to wait.
    Wait(Duration),
    /// Another process is about to have the answer.
    Elsewhere,
    /// The budget has no room before other calls are settled.
    Reserved,
}

impl Gateway {
    /// The way to the providers of the settings, asked through these clients in this order; their
    /// breakers go on from where they were left.
    pub async fn open(
        settings: LlmSettings,
        clients: Vec<Arc<dyn Provider>>,
        log: CallLog,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let endpoints = std::iter::once(&settings.primary).chain(&settings.fallback);
        let mut routes = Vec::new();
        for (endpoint, client) in endpoints.zip(clients) {
            let (name, model) = (endpoint.provider(), endpoint.model.clone());
            let state = log
                .breaker(&name, &model)
                .await?
                .unwrap_or(BreakerState::NEW);
            let price = settings.price(&model);
            let breaker = (settings.breaker, state);
            let clock = Arc::clone(&clock);
            routes.push(Route::new(
                client,
                (name, model),
                price,
                breaker,
                log.clone(),
                clock,
            ));
        }
        Ok(Self(Arc::new(Inner {
            limiter: Limiter::new(settings.limits, Arc::clone(&clock)),
            log,
            routes,
            flights: Flights::default(),
            settings,
            clock,
            tokenizer: OnceLock::new(),
            refused: Mutex::new(None),
            limited: AtomicU32::new(0),
            settled: Notify::new(),
        })))
    }

    /// The model that is asked first.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.0.settings.primary.model
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &LlmSettings {
        &self.0.settings
    }

    /// How tokens are counted.
    #[must_use]
    pub fn tokenizer(&self) -> Tokenizer {
        *self
            .0
            .tokenizer
            .get_or_init(|| Tokenizer::of_model(self.model()))
    }

    /// How the calls fare.
    #[must_use]
    pub fn health(&self) -> GatewayHealth {
        let routes = self.0.routes.iter().map(|route| RouteHealth {
            provider: route.name.clone(),
            model: route.model.clone(),
            breaker: route.state(),
        });
        GatewayHealth {
            limiter: self.0.limiter.snapshot(),
            routes: routes.collect(),
        }
    }

    pub(super) async fn ask(&self, session: &Session, call: &Call) -> Result<Answer, CallError> {
        let key = self.key(session, call);
        if let Some(answer) = self.remembered(session, call, &key).await? {
            return Ok(answer);
        }
        let run = || {
            let (gateway, session, call) = (self.clone(), session.clone(), call.clone());
            let key = key.clone();
            async move { gateway.run(&session, &call, &key).await }
        };
        self.0.flights.join(&key, run).await
    }

    pub(super) async fn forget(&self, session: &Session, call: &Call) -> Result<(), CallError> {
        let forgotten = self.0.log.forget(self.key(session, call)).await;
        forgotten.map_err(|error| not_recorded(&error))
    }

    /// Everything that decides the answer, as one name.
    fn key(&self, session: &Session, call: &Call) -> CallKey {
        let parts = json!([
            KEY_VERSION,
            self.model(),
            call.prompt,
            call.system,
            call.user,
            call.format.name,
            call.format.schema,
            call.max_output_tokens,
        ]);
        CallKey {
            organization: session.organization,
            hash: sha256_hex(parts.to_string().as_bytes()),
        }
    }

    /// The answer from memory. A unit that asks again has not recorded what it paid for the answer,
    /// and is told once more.
    async fn remembered(
        &self,
        session: &Session,
        call: &Call,
        key: &CallKey,
    ) -> Result<Option<Answer>, CallError> {
        let recorded = self
            .0
            .log
            .answer(key)
            .await
            .map_err(|error| not_recorded(&error))?;
        Ok(recorded.map(|recorded| {
            let paid_here = recorded.execution.is_some()
                && recorded.execution == session.execution
                && recorded.unit.as_deref() == Some(call.unit.as_str());
            answer(recorded, paid_here)
        }))
    }

    /// Asks until there is an answer, an error, or a reason to suspend the document.
    async fn run(
        &self,
        session: &Session,
        call: &Call,
        key: &CallKey,
    ) -> Result<Answer, CallError> {
        let tokens = self.estimate(session, call);
        let mut waits = 0;
        loop {
            let mut permit = self.0.limiter.acquire(session.caller(), tokens).await;
            let step = self
                .attempt(session, call, (key, tokens), &mut permit)
                .await?;
            drop(permit);
            match step {
                Step::Answered(answer) => return Ok(answer),
                Step::Wait(after) => {
                    waits += 1;
                    self.patience(after, waits)?;
                    tokio::time::sleep(after).await;
                }
                Step::Elsewhere => {
                    tokio::time::sleep(ELSEWHERE).await;
                    if let Some(answer) = self.remembered(session, call, key).await? {
                        return Ok(answer);
                    }
                }
                // Looked at again after a while even if nothing tells of a settlement.
                Step::Reserved => {
                    let _ = tokio::time::timeout(RESERVED, self.0.settled.notified()).await;
                }
            }
        }
    }

    /// What a call may take.
    fn estimate(&self, session: &Session, call: &Call) -> u64 {
        let limited = self.0.settings.limits.tokens_per_minute > 0;
        let prompt = if limited || session.budget.is_some() {
            self.tokenizer().of_call(call)
        } else {
            0
        };
        prompt.saturating_add(u64::from(call.max_output_tokens))
    }

    /// Whether a wait is short enough to be made here; a longer one suspends the document.
    fn patience(&self, after: Duration, waits: u32) -> Result<(), CallError> {
        if waits <= WAITS && after <= self.0.settings.longest_wait {
            return Ok(());
        }
        let until = self.later(after);
        let message = format!("the provider asks to wait until {}", shown(until));
        Err(suspended(SuspendReason::RateLimited, message, Some(until)))
    }

    /// Asks the first provider that can answer.
    async fn attempt(
        &self,
        session: &Session,
        call: &Call,
        (key, tokens): (&CallKey, u64),
        permit: &mut Permit,
    ) -> Result<Step, CallError> {
        self.key_is_good()?;
        let mut closed: Option<DateTime<Utc>> = None;
        let mut first: Option<ProviderError> = None;
        for route in &self.0.routes {
            if let Err(until) = route.admit().await {
                closed = Some(closed.map_or(until, |other| other.min(until)));
                continue;
            }
            let mut sent = Sent::new(self, route, key, session);
            let intended = self
                .0
                .log
                .intend(intent(session, call, (key, tokens), route))
                .await;
            let intended = intended.map_err(|error| not_recorded(&error))?;
            if intended != Intended::Recorded {
                return self.not_sent(session, call, key, intended).await;
            }
            sent.recorded = true;
            let result = route.provider.chat(call).await;
            sent.done();
            self.settle(session, key, route, &result).await?;
            match result {
                Ok(answered) => {
                    permit.settle(answered.usage.total());
                    self.0.limited.store(0, Ordering::Relaxed);
                    return Ok(Step::Answered(Answer {
                        text: answered.text,
                        usage: answered.usage,
                        truncated: answered.truncated,
                    }));
                }
                Err(error) if may_pass(&error) => {
                    tracing::debug!(provider = route.name, "a model call failed: {error}");
                    first.get_or_insert(error);
                }
                Err(error) => {
                    self.note_refusal(&error);
                    return Err(error.into());
                }
            }
        }
        match first {
            Some(ProviderError::RateLimited { after }) => Ok(Step::Wait(self.limited(after))),
            Some(error) => Err(error.into()),
            None => {
                let until = closed.unwrap_or_else(|| self.0.clock.now());
                let message = format!(
                    "the provider fails again and again and is left alone until {}",
                    shown(until)
                );
                Err(suspended(SuspendReason::BreakerOpen, message, Some(until)))
            }
        }
    }

    /// A key that was refused a moment ago is refused still: every document of the batch fails at
    /// once, and none asks.
    fn key_is_good(&self) -> Result<(), CallError> {
        let refused = self
            .0
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match refused.as_ref() {
            Some((at, message)) if self.0.clock.now() - *at < REFUSED => {
                Err(CallError::Authentication {
                    message: message.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    fn note_refusal(&self, error: &ProviderError) {
        if let ProviderError::Authentication { message } = error {
            let mut refused = self
                .0
                .refused
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *refused = Some((self.0.clock.now(), message.clone()));
        }
    }

    /// What follows when a call must not be sent.
    async fn not_sent(
        &self,
        session: &Session,
        call: &Call,
        key: &CallKey,
        intended: Intended,
    ) -> Result<Step, CallError> {
        match intended {
            Intended::Recorded | Intended::Elsewhere => Ok(Step::Elsewhere),
            Intended::Reserved => Ok(Step::Reserved),
            Intended::Answered => match self.remembered(session, call, key).await? {
                Some(answer) => Ok(Step::Answered(answer)),
                None => Ok(Step::Elsewhere),
            },
            Intended::OverBudget { used, budget } => {
                let message = format!(
                    "the batch has used {used} of its budget of {budget} tokens; raise the budget to go on"
                );
                Err(suspended(SuspendReason::OverBudget, message, None))
            }
        }
    }

    /// Records a call's outcome, its cost, and what it says of the provider.
    async fn settle(
        &self,
        session: &Session,
        key: &CallKey,
        route: &Route,
        result: &Result<ProviderAnswer, ProviderError>,
    ) -> Result<(), CallError> {
        let (settled, usage, says) = match result {
            Ok(answer) => {
                let settled = Settled::Answered {
                    text: answer.text.clone(),
                    truncated: answer.truncated,
                };
                (settled, answer.usage, Verdict::Success)
            }
            Err(error) => {
                let settled = Settled::Failed {
                    error: error.to_string(),
                    unknown: error.is_unknown(),
                };
                (settled, error.usage(), verdict(error))
            }
        };
        // Handed in before anything else is waited for: an answer that is paid for is kept even if
        // nobody waits for it any more.
        let recorded = self
            .0
            .log
            .settle(Settlement {
                key: key.clone(),
                batch: session.batch,
                settled,
                prompt_tokens: usage.prompt_tokens,
                completion_tokens: usage.completion_tokens,
                cost_micro_usd: route.cost(usage),
            })
            .await;
        route.record(says).await;
        self.0.settled.notify_waiters();
        recorded.map_err(|error| not_recorded(&error))
    }

    /// How long to wait for a provider that asks for patience. One that asks everybody is not
    /// called by anybody meanwhile.
    fn limited(&self, after: Option<Duration>) -> Duration {
        let in_a_row = self.0.limited.fetch_add(1, Ordering::Relaxed) + 1;
        let unsaid = Duration::from_millis(500) * 2_u32.saturating_pow(in_a_row.min(6));
        let after = after.unwrap_or(unsaid.min(self.0.settings.longest_wait));
        if in_a_row >= STORM {
            self.0
                .limiter
                .pause(self.later(after.min(self.0.settings.longest_wait)));
        }
        after
    }

    fn later(&self, after: Duration) -> DateTime<Utc> {
        let after = TimeDelta::from_std(after).unwrap_or(TimeDelta::days(1));
        self.0.clock.now() + after
    }
}

/// A call between its admission and its outcome. Dropped before that, its outcome stays unknown
/// and the breaker is told that it says nothing.
struct Sent<'a> {
    gateway: &'a Gateway,
    route: &'a Route,
    key: &'a CallKey,
    session: &'a Session,
    recorded: bool,
    done: bool,
}

impl<'a> Sent<'a> {
    fn new(gateway: &'a Gateway, route: &'a Route, key: &'a CallKey, session: &'a Session) -> Self {
        Self {
            gateway,
            route,
            key,
            session,
            recorded: false,
            done: false,
        }
    }

    fn done(&mut self) {
        self.done = true;
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        self.route.dropped();
        if self.recorded {
            self.gateway
                .0
                .log
                .abandon(self.key.clone(), self.session.batch);
        }
    }
}

/// Whether another provider, or the same one later, may answer.
fn may_pass(error: &ProviderError) -> bool {
    error.is_outage() || matches!(error, ProviderError::RateLimited { .. })
}

fn intent(
    session: &Session,
    call: &Call,
    (key, tokens): (&CallKey, u64),
    route: &Route,
) -> CallIntent {
    CallIntent {
        key: key.clone(),
        kind: "chat",
        provider: route.name.clone(),
        model: route.model.clone(),
        prompt: call.prompt.clone(),
        batch: session.batch,
        execution: session.execution,
        unit: Some(call.unit.clone()),
        tokens,
        budget: session.budget,
    }
}

fn answer(recorded: RecordedAnswer, paid_here: bool) -> Answer {
    let usage = Usage {
        prompt_tokens: recorded.prompt_tokens,
        completion_tokens: recorded.completion_tokens,
    };
    Answer {
        text: recorded.text,
        truncated: recorded.truncated,
        usage: if paid_here { usage } else { Usage::default() },
    }
}

fn suspended(reason: SuspendReason, message: String, until: Option<DateTime<Utc>>) -> CallError {
    CallError::Suspended(Suspension {
        reason,
        message,
        until,
    })
}

fn shown(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn not_recorded(error: &StoreError) -> CallError {
    CallError::Store {
        message: chain(error),
        kind: error.kind(),
    }
}
