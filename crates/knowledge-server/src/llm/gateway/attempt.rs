//! One attempt at an answer: each provider in turn, each behind its circuit breaker.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use knowledge_domain::workflow::SuspendReason;
use knowledge_extraction::llm::{Answer, CallError};

use super::{
    Gateway, not_recorded,
    outcome::Sent,
    run::{Asked, Step, shown, suspended},
};
use crate::{
    llm::{limiter::Permit, provider::ProviderError, route::Route},
    store::calls::{CallIntent, Intended},
};

/// What one provider came to.
enum Tried {
    /// Nobody else need be asked.
    Done(Step),
    /// Another provider, or the same one later, may answer.
    Passing(ProviderError),
}

impl Gateway {
    /// Asks the first provider that can answer.
    pub(super) async fn attempt(
        &self,
        asked: Asked<'_>,
        permit: Permit,
    ) -> Result<Step, CallError> {
        self.0.refused.check(self.0.clock.now())?;
        let mut permit = Some(permit);
        let mut closed: Option<DateTime<Utc>> = None;
        let mut first: Option<ProviderError> = None;
        for route in asked.routes {
            if let Err(until) = route.admit().await {
                closed = Some(closed.map_or(until, |other| other.min(until)));
                continue;
            }
            let is_fallback = first.is_some() || closed.is_some();
            match self.send(asked, route, &mut permit).await {
                // Whose key or model is wrong is no help, and no reason to fail: the first comes back.
                Err(CallError::Authentication { message } | CallError::Unknown { message })
                    if is_fallback =>
                {
                    tracing::warn!(
                        provider = route.name,
                        "the fallback cannot answer: {message}"
                    );
                }
                Err(error) => return Err(error),
                Ok(Tried::Done(step)) => return Ok(step),
                Ok(Tried::Passing(error)) => {
                    tracing::debug!(provider = route.name, "a model call failed: {error}");
                    first.get_or_insert(error);
                }
            }
        }
        self.unanswered(asked, first, closed)
    }

    /// Records that a provider is about to be asked, asks it and records the outcome.
    async fn send(
        &self,
        asked: Asked<'_>,
        route: &Arc<Route>,
        permit: &mut Option<Permit>,
    ) -> Result<Tried, CallError> {
        let mut sent = Sent::new(self, route, asked);
        let intended = self.0.log.intend(self.intent(asked, route)).await;
        let intended = intended.map_err(|error| not_recorded(&error))?;
        if intended != Intended::Recorded {
            return self.not_sent(asked, intended).await.map(Tried::Done);
        }
        sent.recorded();
        if let Some(permit) = permit {
            permit.sent();
        }
        let result = asked.question.ask(route).await;
        sent.done();
        let taken = self.taken(asked, route, &result);
        let handed_in = self.settle(asked, route, &result, taken).await;
        if result.is_ok() {
            let tokens = taken.usage.total();
            self.0.patience.answered();
            if asked.session.budget.is_some() {
                self.0.calibration.learn(asked.tokens, tokens);
            }
            // The next call records its intent after this outcome, so never are more calls without
            // a record of their outcome than there are permits.
            if let Some(mut permit) = permit.take() {
                permit.settle(tokens);
            }
        }
        self.settled(handed_in).await?;
        match result {
            Ok(answered) => Ok(Tried::Done(Step::Answered(Answer {
                text: answered.text,
                usage: taken.usage,
                truncated: answered.truncated,
            }))),
            Err(error) if may_pass(&error) => Ok(Tried::Passing(error)),
            Err(error) => {
                let is_first = asked
                    .routes
                    .first()
                    .is_some_and(|first| Arc::ptr_eq(first, route));
                if is_first {
                    self.0.refused.note(&error, self.0.clock.now());
                }
                Err(error.into())
            }
        }
    }

    /// What follows when a call must not be sent.
    async fn not_sent(&self, asked: Asked<'_>, intended: Intended) -> Result<Step, CallError> {
        let Asked {
            session,
            question,
            key,
            ..
        } = asked;
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

    /// What follows when no provider has answered: the first one's failure counts, else when one
    /// that is left alone may be asked again.
    fn unanswered(
        &self,
        asked: Asked<'_>,
        first: Option<ProviderError>,
        closed: Option<DateTime<Utc>>,
    ) -> Result<Step, CallError> {
        match first {
            Some(ProviderError::RateLimited { after }) => {
                let limited = self.0.patience.limited(after);
                if let Some(pause) = limited.pause {
                    self.0.limiter.pause(self.later(pause));
                }
                Ok(Step::Wait(limited.after))
            }
            Some(error) => Err(error.into()),
            None => {
                let until = closed.unwrap_or_else(|| self.0.clock.now());
                let last = asked.routes.first().and_then(|route| route.last_failure());
                let last = last.map_or_else(String::new, |error| format!(" ({error})"));
                let message = format!(
                    "the provider fails again and again{last} and is left alone until {}",
                    shown(until)
                );
                Err(suspended(SuspendReason::BreakerOpen, message, Some(until)))
            }
        }
    }

    fn intent(&self, asked: Asked<'_>, route: &Route) -> CallIntent {
        let Asked {
            session, question, ..
        } = asked;
        CallIntent {
            key: asked.key.clone(),
            kind: question.kind(),
            provider: route.name.clone(),
            model: route.model.clone(),
            prompt: question.prompt().to_owned(),
            batch: session.batch,
            execution: session.execution,
            unit: Some(question.unit().to_owned()),
            tokens: match session.budget {
                Some(budget) => self.0.calibration.reserve(asked.tokens, budget),
                None => asked.tokens,
            },
            budget: session.budget,
        }
    }
}

/// Whether another provider, or the same one later, may answer.
fn may_pass(error: &ProviderError) -> bool {
    error.is_outage() || matches!(error, ProviderError::RateLimited { .. })
}
