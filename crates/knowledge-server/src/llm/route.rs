//! One provider's model behind its circuit breaker.

use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use knowledge_domain::Clock;
use knowledge_extraction::llm::{Price, Usage};

use super::{
    breaker::{BreakerRules, BreakerState, BreakerStatus, CircuitBreaker, Verdict},
    provider::{Provider, ProviderError},
};
use crate::{
    store::calls::{CallLog, KeptBreaker},
    text::chain,
};

/// How often it is looked whether another process has found out more about a provider.
const LOOK: TimeDelta = TimeDelta::seconds(1);

/// A way to an answer.
pub(super) struct Route {
    pub(super) provider: Arc<dyn Provider>,
    /// Who is asked, as it is recorded.
    pub(super) name: String,
    pub(super) model: String,
    pub(super) price: Option<Price>,
    breaker: Mutex<CircuitBreaker>,
    heard: Mutex<Heard>,
    /// Why its last call failed, as this process has seen it.
    fault: Mutex<Option<String>>,
    /// Done once it is said that the provider does not report what calls take.
    incomplete_report: Once,
    log: CallLog,
    clock: Arc<dyn Clock>,
}

/// What is known of the breaker's state in the database, which every process keeps there.
struct Heard {
    /// Since when the state holds that was last kept or taken over.
    since: DateTime<Utc>,
    /// When it was last looked.
    looked: DateTime<Utc>,
}

impl Route {
    pub(super) fn new(
        provider: Arc<dyn Provider>,
        (name, model): (String, String),
        price: Option<Price>,
        (rules, left): (BreakerRules, Option<KeptBreaker>),
        log: CallLog,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let state = left.map_or(BreakerState::NEW, |left| left.state);
        let heard = Heard {
            since: left.map_or(DateTime::UNIX_EPOCH, |left| left.since),
            looked: clock.now(),
        };
        Self {
            provider,
            name,
            model,
            price,
            breaker: Mutex::new(CircuitBreaker::new(rules, state)),
            heard: Mutex::new(heard),
            fault: Mutex::default(),
            incomplete_report: Once::new(),
            log,
            clock,
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        self.lock().state()
    }

    /// Lets a call through, or says when it is worth asking again.
    pub(super) async fn admit(&self) -> Result<(), DateTime<Utc>> {
        self.listen().await;
        let (admitted, before, after) = {
            let mut breaker = self.lock();
            let before = breaker.state();
            let admitted = breaker.admit(self.clock.now());
            (admitted, before, breaker.state())
        };
        self.keep(before, after).await;
        admitted
    }

    /// Records what a call came to.
    pub(super) async fn record(&self, verdict: Verdict) {
        let (before, after) = {
            let mut breaker = self.lock();
            let before = breaker.state();
            breaker.record(verdict, self.clock.now());
            (before, breaker.state())
        };
        self.keep(before, after).await;
    }

    /// Notes why a call failed.
    pub(super) fn failed(&self, error: &ProviderError) {
        *self.fault() = Some(error.to_string());
    }

    /// Why its last call failed, where this process has seen one fail.
    pub(super) fn last_failure(&self) -> Option<String> {
        self.fault().clone()
    }

    /// A call that was let through was dropped; it says nothing of the provider.
    pub(super) fn dropped(&self) {
        self.lock().record(Verdict::Cancelled, self.clock.now());
    }

    /// The provider reports no tokens, or a part of them; said once.
    pub(super) fn report_is_incomplete(&self) {
        self.incomplete_report.call_once(|| {
            tracing::info!(
                provider = self.name,
                model = self.model,
                "the provider does not report all tokens: they are counted by the tokenizer"
            );
        });
    }

    pub(super) fn cost(&self, usage: Usage) -> u64 {
        self.price.map_or(0, |price| price.micro_usd(usage))
    }

    /// Takes over what another process has found out of the provider, once a second at most.
    pub(super) async fn listen(&self) {
        if !self.log.is_shared() || !self.is_time_to_look() {
            return;
        }
        match self.log.breaker(&self.name, &self.model).await {
            Ok(Some(kept)) => self.take_over(kept),
            Ok(None) => {}
            // The process goes on with what it knows of itself.
            Err(error) => {
                tracing::debug!("the circuit breaker could not be read: {}", chain(&error));
            }
        }
    }

    fn is_time_to_look(&self) -> bool {
        let now = self.clock.now();
        let mut heard = self.heard();
        let is_time = now - heard.looked >= LOOK;
        if is_time {
            heard.looked = now;
        }
        is_time
    }

    fn take_over(&self, kept: KeptBreaker) {
        let mut heard = self.heard();
        if kept.since <= heard.since {
            return;
        }
        heard.since = kept.since;
        self.lock().take_over(kept.state);
        tracing::info!(
            provider = self.name,
            model = self.model,
            "another server has found the circuit breaker {}",
            kept.state.status()
        );
    }

    /// Keeps a state whose name has changed, so that a restart goes on from it, and other processes
    /// hear of it.
    async fn keep(&self, before: BreakerState, after: BreakerState) {
        if before.status() == after.status() {
            return;
        }
        tracing::warn!(
            provider = self.name,
            model = self.model,
            fault = self
                .last_failure()
                .filter(|_| after.status() == BreakerStatus::Open),
            "the circuit breaker is {}",
            after.status()
        );
        let kept = KeptBreaker::new(after, self.clock.now());
        self.heard().since = kept.since;
        let kept = self.log.keep_breaker(&self.name, &self.model, kept).await;
        if let Err(error) = kept {
            // The process goes on with the state in memory.
            tracing::warn!(
                "the circuit breaker's state could not be kept: {}",
                chain(&error)
            );
        }
    }

    fn fault(&self) -> MutexGuard<'_, Option<String>> {
        // A text is put in whole.
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        // Each moment is put in whole.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, CircuitBreaker> {
        // A transition is made whole.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an outcome says of the provider: a rate limit says nothing, and what it says of a question
/// says that it is well.
pub(super) fn verdict(error: &ProviderError) -> Verdict {
    match error {
        ProviderError::RateLimited { .. } => Verdict::Cancelled,
        error if error.is_outage() => Verdict::Failure,
        _ => Verdict::Success,
    }
}
