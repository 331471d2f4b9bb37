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
    batch::{BatchConfig, PinnedModel},
    workflow::{SuspendReason, Suspension},
};
use knowledge_extraction::llm::{
    Answer, Call, CallError, LlmExtractor, LlmOptions, Tokenizer, Usage,
};
use tokio::sync::Notify;

use super::{
    breaker::{BreakerState, Verdict},
    calibration::Calibration,
    flights::Flights,
    limiter::{Limiter, LimiterSnapshot, Permit},
    provider::{Provider, ProviderAnswer, ProviderError},
    question::Question,
    route::{Route, verdict},
    routes::Routes,
    session::Session,
    settings::LlmSettings,
};
use crate::{
    store::{
        StoreError,
        calls::{
            CallIntent, CallKey, CallLog, HandedIn, Intended, RecordedAnswer, Settled, Settlement,
        },
    },
    text::chain,
};

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
    routes: Routes,
    flights: Flights,
    settings: Arc<LlmSettings>,
    clock: Arc<dyn Clock>,
    tokenizer: OnceLock<Tokenizer>,
    calibration: Calibration,
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
        let settings = Arc::new(settings);
        let routes = Routes::open(
            Arc::clone(&settings),
            clients,
            log.clone(),
            Arc::clone(&clock),
        )
        .await?;
        Ok(Self(Arc::new(Inner {
            limiter: Limiter::new(settings.limits, Arc::clone(&clock)),
            log,
            routes,
            flights: Flights::default(),
            settings,
            clock,
            tokenizer: OnceLock::new(),
            calibration: Calibration::default(),
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

    /// How the documents of a batch with these settings are asked about.
    #[must_use]
    pub fn options(&self, config: &BatchConfig) -> LlmOptions {
        LlmOptions {
            strategy: config.strategy,
            gleaning_rounds: config.gleaning_rounds,
            max_output_tokens: self.0.settings.max_output_tokens,
        }
    }

    /// What a batch with these settings asks, if it begins now.
    #[must_use]
    pub fn asks(&self, config: &BatchConfig) -> PinnedModel {
        let options = self.options(config);
        PinnedModel {
            model: self.model().to_owned(),
            prompts: LlmExtractor::prompt_versions(&options),
            max_output_tokens: options.max_output_tokens,
        }
    }

    /// How tokens are counted.
    #[must_use]
    pub fn tokenizer(&self) -> Tokenizer {
        *self
            .0
            .tokenizer
            .get_or_init(|| Tokenizer::of_model(self.model()))
    }

    /// How the calls fare: those of this process, and the providers as any process has found them.
    pub async fn health(&self) -> GatewayHealth {
        let mut routes = Vec::new();
        for route in self.0.routes.all() {
            route.listen().await;
            routes.push(RouteHealth {
                provider: route.name.clone(),
                model: route.model.clone(),
                breaker: route.state(),
            });
        }
        GatewayHealth {
            limiter: self.0.limiter.snapshot(),
            routes,
        }
    }

    pub(super) async fn ask(&self, session: &Session, call: &Call) -> Result<Answer, CallError> {
        let question = Question::Chat(call.clone());
        self.answer(session, session.model(), question).await
    }

    /// The vector of a text, by the model of vectors.
    pub(super) async fn vector(
        &self,
        session: &Session,
        unit: &str,
        text: &str,
    ) -> Result<(Vec<f32>, Usage), CallError> {
        let question = Question::Vector {
            text: text.to_owned(),
            unit: unit.to_owned(),
        };
        let model = &self.0.settings.embedding_model;
        let answer = self.answer(session, model, question).await?;
        let vector = serde_json::from_str(&answer.text).map_err(|_| CallError::Protocol {
            message: "the vector that was kept is none".to_owned(),
        })?;
        Ok((vector, answer.usage))
    }

    /// Answers from memory, else by one call for all who ask the same.
    async fn answer(
        &self,
        session: &Session,
        model: &str,
        question: Question,
    ) -> Result<Answer, CallError> {
        let key = key(session, model, &question);
        if let Some(answer) = self.remembered(session, &question, &key).await? {
            return Ok(answer);
        }
        let run = || {
            let (gateway, session, key) = (self.clone(), session.clone(), key.clone());
            let model = model.to_owned();
            async move { gateway.run(&session, (&model, &question), &key).await }
        };
        self.0.flights.join(&key, run).await
    }

    pub(super) async fn forget(&self, session: &Session, call: &Call) -> Result<(), CallError> {
        let question = Question::Chat(call.clone());
        let key = key(session, session.model(), &question);
        let forgotten = self.0.log.forget(key).await;
        forgotten.map_err(|error| not_recorded(&error))
    }

    /// The answer from memory. A unit that asks again has not recorded what it paid for the answer,
    /// and is told once more.
    async fn remembered(
        &self,
        session: &Session,
        question: &Question,
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
                && recorded.unit.as_deref() == Some(question.unit());
            answer_of(recorded, paid_here)
        }))
    }

    /// Asks until there is an answer, an error, or a reason to suspend the document.
    async fn run(
        &self,
        session: &Session,
        (model, question): (&str, &Question),
        key: &CallKey,
    ) -> Result<Answer, CallError> {
        let routes = self.0.routes.of(question, model).await;
        let routes = routes.map_err(|error| not_recorded(&error))?;
        let tokens = self.estimate(session, question);
        let mut waits = 0;
        loop {
            let permit = self.0.limiter.acquire(session.caller(), tokens).await;
            let step = self
                .attempt(session, (question, &routes), (key, tokens), permit)
                .await?;
            match step {
                Step::Answered(answer) => return Ok(answer),
                Step::Wait(after) => {
                    waits += 1;
                    self.patience(after, waits)?;
                    tokio::time::sleep(after).await;
                }
                Step::Elsewhere => {
                    tokio::time::sleep(ELSEWHERE).await;
                    if let Some(answer) = self.remembered(session, question, key).await? {
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
    fn estimate(&self, session: &Session, question: &Question) -> u64 {
        let limited = self.0.settings.limits.tokens_per_minute > 0;
        let prompt = if limited || session.budget.is_some() {
            question.prompt_tokens(self.tokenizer())
        } else {
            0
        };
        prompt.saturating_add(question.answer_tokens())
    }

    /// What a call reserves of its batch's budget.
    fn reserve(&self, session: &Session, tokens: u64) -> u64 {
        match session.budget {
            Some(budget) => self.0.calibration.reserve(tokens, budget),
            None => tokens,
        }
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
        (question, routes): (&Question, &[Arc<Route>]),
        (key, tokens): (&CallKey, u64),
        mut permit: Permit,
    ) -> Result<Step, CallError> {
        self.key_is_good()?;
        let mut closed: Option<DateTime<Utc>> = None;
        let mut first: Option<ProviderError> = None;
        for route in routes {
            if let Err(until) = route.admit().await {
                closed = Some(closed.map_or(until, |other| other.min(until)));
                continue;
            }
            let mut sent = Sent::new(self, route, key, session);
            let intended = self
                .0
                .log
                .intend(intent(
                    session,
                    question,
                    (key, self.reserve(session, tokens)),
                    route,
                ))
                .await;
            let intended = intended.map_err(|error| not_recorded(&error))?;
            if intended != Intended::Recorded {
                return self.not_sent(session, question, key, intended).await;
            }
            sent.recorded = true;
            let result = question.ask(route).await;
            sent.done();
            let handed_in = self.settle(session, key, route, &result).await;
            match result {
                Ok(answered) => {
                    permit.settle(answered.usage.total());
                    if session.budget.is_some() {
                        self.0.calibration.learn(tokens, answered.usage.total());
                    }
                    // The next call records its intent after this outcome, so never are more calls
                    // without a record of their outcome than there are permits.
                    drop(permit);
                    self.0.limited.store(0, Ordering::Relaxed);
                    self.settled(handed_in).await?;
                    return Ok(Step::Answered(Answer {
                        text: answered.text,
                        usage: answered.usage,
                        truncated: answered.truncated,
                    }));
                }
                Err(error) if may_pass(&error) => {
                    self.settled(handed_in).await?;
                    tracing::debug!(provider = route.name, "a model call failed: {error}");
                    first.get_or_insert(error);
                }
                Err(error) => {
                    self.settled(handed_in).await?;
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
        question: &Question,
        key: &CallKey,
        intended: Intended,
    ) -> Result<Step, CallError> {
        match intended {
            Intended::Recorded | Intended::Elsewhere => Ok(Step::Elsewhere),
            Intended::Reserved => Ok(Step::Reserved),
            Intended::Answered => match self.remembered(session, question, key).await? {
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

    /// Hands in a call's outcome and its cost, and notes what it says of the provider.
    async fn settle(
        &self,
        session: &Session,
        key: &CallKey,
        route: &Route,
        result: &Result<ProviderAnswer, ProviderError>,
    ) -> HandedIn {
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
        let handed_in = self.0.log.settle(Settlement {
            key: key.clone(),
            batch: session.batch,
            settled,
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            cost_micro_usd: route.cost(usage),
        });
        route.record(says).await;
        handed_in
    }

    /// Waits until an outcome is recorded, and tells those who wait for room in a budget.
    async fn settled(&self, handed_in: HandedIn) -> Result<(), CallError> {
        let recorded = handed_in.durable().await;
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

fn key(session: &Session, model: &str, question: &Question) -> CallKey {
    CallKey {
        organization: session.organization,
        hash: question.hash(model),
    }
}

/// Whether another provider, or the same one later, may answer.
fn may_pass(error: &ProviderError) -> bool {
    error.is_outage() || matches!(error, ProviderError::RateLimited { .. })
}

fn intent(
    session: &Session,
    question: &Question,
    (key, tokens): (&CallKey, u64),
    route: &Route,
) -> CallIntent {
    CallIntent {
        key: key.clone(),
        kind: question.kind(),
        provider: route.name.clone(),
        model: route.model.clone(),
        prompt: question.prompt().to_owned(),
        batch: session.batch,
        execution: session.execution,
        unit: Some(question.unit().to_owned()),
        tokens,
        budget: session.budget,
    }
}

fn answer_of(recorded: RecordedAnswer, paid_here: bool) -> Answer {
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
