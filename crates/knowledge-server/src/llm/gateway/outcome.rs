//! What a call came to, and what it cost, on its way into the record.

use knowledge_extraction::llm::CallError;

use super::{Gateway, not_recorded, run::Asked};
use crate::{
    llm::{
        breaker::Verdict,
        provider::{ProviderAnswer, ProviderError},
        route::{Route, verdict},
        usage::Taken,
    },
    store::calls::{HandedIn, Settled, Settlement, TOO_LONG},
};

impl Gateway {
    /// What a call took. What its provider did not report is counted by the tokenizer, so that
    /// budgets and limits hold for every provider; nothing is known of a call without an outcome.
    pub(super) fn taken(
        &self,
        asked: Asked<'_>,
        route: &Route,
        result: &Result<ProviderAnswer, ProviderError>,
    ) -> Taken {
        let (reported, text) = match result {
            Ok(answer) => (answer.reported, answer.text.as_str()),
            // The reason is shortened, and may be the provider's own.
            Err(ProviderError::Refused { reported, .. }) => (*reported, ""),
            Err(_) => return Taken::default(),
        };
        let question = asked.question;
        let prompt = || asked.prompt.unwrap_or_else(|| self.prompt_tokens(question));
        let taken = question.taken(reported, text, prompt, || self.tokenizer());
        if taken.counted > 0 {
            route.report_is_incomplete();
        }
        taken
    }

    /// Hands in a call's outcome and its cost, and notes what it says of the provider.
    pub(super) async fn settle(
        &self,
        asked: Asked<'_>,
        route: &Route,
        result: &Result<ProviderAnswer, ProviderError>,
        taken: Taken,
    ) -> HandedIn {
        let (settled, says) = match result {
            Ok(answer) => {
                let settled = Settled::Answered {
                    text: answer.text.clone(),
                    truncated: answer.truncated,
                };
                (settled, Verdict::Success)
            }
            Err(error) => {
                if error.is_outage() {
                    route.failed(error);
                }
                let settled = Settled::Failed {
                    error: match error {
                        ProviderError::ContextOverflow => TOO_LONG.to_owned(),
                        error => error.to_string(),
                    },
                    unknown: error.is_unknown(),
                };
                (settled, verdict(error))
            }
        };
        // Handed in before anything else is waited for: an answer that is paid for is kept even if
        // nobody waits for it any more.
        let handed_in = self.0.log.settle(Settlement {
            key: asked.key.clone(),
            batch: asked.session.batch,
            settled,
            prompt_tokens: taken.usage.prompt_tokens,
            completion_tokens: taken.usage.completion_tokens,
            counted_tokens: taken.counted,
            cost_micro_usd: route.cost(taken.usage),
        });
        route.record(says).await;
        handed_in
    }

    /// Waits until an outcome is recorded, and tells those who wait for room in a budget.
    pub(super) async fn settled(&self, handed_in: HandedIn) -> Result<(), CallError> {
        let recorded = handed_in.durable().await;
        self.0.settled.notify_waiters();
        recorded.map_err(|error| not_recorded(&error))
    }
}

/// A call between its admission and its outcome. Dropped before that, its outcome stays unknown
/// and the breaker is told that it says nothing.
pub(super) struct Sent<'a> {
    gateway: &'a Gateway,
    route: &'a Route,
    asked: Asked<'a>,
    recorded: bool,
    done: bool,
}

impl<'a> Sent<'a> {
    /// A call that the breaker has let through.
    pub(super) fn new(gateway: &'a Gateway, route: &'a Route, asked: Asked<'a>) -> Self {
        Self {
            gateway,
            route,
            asked,
            recorded: false,
            done: false,
        }
    }

    /// Its intent is recorded.
    pub(super) fn recorded(&mut self) {
        self.recorded = true;
    }

    /// Its outcome is known.
    pub(super) fn done(&mut self) {
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
            let (key, batch) = (self.asked.key.clone(), self.asked.session.batch);
            self.gateway.0.log.abandon(key, batch);
        }
    }
}
