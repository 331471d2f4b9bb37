//! One provider's model behind its circuit breaker.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use knowledge_domain::Clock;
use knowledge_extraction::llm::{Price, Usage};

use super::{
    breaker::{BreakerRules, BreakerState, CircuitBreaker, Verdict},
    provider::{Provider, ProviderError},
};
use crate::{store::calls::CallLog, text::chain};

/// A way to an answer.
pub(super) struct Route {
    pub(super) provider: Arc<dyn Provider>,
    /// Who is asked, as it is recorded.
    pub(super) name: String,
    pub(super) model: String,
    pub(super) price: Option<Price>,
    breaker: Mutex<CircuitBreaker>,
    log: CallLog,
    clock: Arc<dyn Clock>,
}

impl Route {
    pub(super) fn new(
        provider: Arc<dyn Provider>,
        (name, model): (String, String),
        price: Option<Price>,
        (rules, state): (BreakerRules, BreakerState),
        log: CallLog,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            provider,
            name,
            model,
            price,
            breaker: Mutex::new(CircuitBreaker::new(rules, state)),
            log,
            clock,
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        self.lock().state()
    }

    /// Lets a call through, or says when it is worth asking again.
    pub(super) async fn admit(&self) -> Result<(), DateTime<Utc>> {
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

    /// A call that was let through was dropped; it says nothing of the provider.
    pub(super) fn dropped(&self) {
        self.lock().record(Verdict::Cancelled, self.clock.now());
    }

    pub(super) fn cost(&self, usage: Usage) -> u64 {
        self.price.map_or(0, |price| price.micro_usd(usage))
    }

    /// Keeps a state whose name has changed, so that a restart goes on from it.
    async fn keep(&self, before: BreakerState, after: BreakerState) {
        if before.status() == after.status() {
            return;
        }
        tracing::warn!(
            provider = self.name,
            model = self.model,
            "the circuit breaker is {}",
            after.status()
        );
        let kept = self.log.keep_breaker(&self.name, &self.model, after).await;
        if let Err(error) = kept {
            // The process goes on with the state in memory.
            tracing::warn!(
                "the circuit breaker's state could not be kept: {}",
                chain(&error)
            );
        }
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
