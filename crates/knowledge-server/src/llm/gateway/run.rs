//! Asks until there is an answer, an error, or a reason to suspend the document.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use knowledge_domain::workflow::{SuspendReason, Suspension};
use knowledge_extraction::llm::{Answer, CallError};

use super::{Gateway, not_recorded};
use crate::{
    llm::{question::Question, route::Route, session::Session},
    store::calls::CallKey,
};

/// How often it is looked whether another process has the answer.
const ELSEWHERE: Duration = Duration::from_millis(200);

/// How long a call waits for others of its batch to be settled before it looks again.
const RESERVED: Duration = Duration::from_secs(1);

/// A question on its way.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) session: &'a Session,
    pub(super) question: &'a Question,
    pub(super) key: &'a CallKey,
    /// Who may answer it, the first one first.
    pub(super) routes: &'a [Arc<Route>],
    /// Its own tokens, where somebody has counted them.
    pub(super) prompt: Option<u64>,
    /// What it may take.
    pub(super) tokens: u64,
}

/// One attempt's result.
pub(super) enum Step {
    Answered(Answer),
    /// The provider asks to wait.
    Wait(Duration),
    /// Another process is about to have the answer.
    Elsewhere,
    /// The budget has no room before other calls are settled.
    Reserved,
}

impl Gateway {
    pub(super) async fn run(
        &self,
        session: &Session,
        (model, question): (&str, &Question),
        key: &CallKey,
    ) -> Result<Answer, CallError> {
        let routes = self.0.routes.of(question, model).await;
        let routes = routes.map_err(|error| not_recorded(&error))?;
        let prompt = self.counted(session, question);
        let asked = Asked {
            session,
            question,
            key,
            routes: &routes,
            prompt,
            tokens: prompt
                .unwrap_or_default()
                .saturating_add(question.answer_tokens()),
        };
        let mut waits = 0;
        loop {
            let permit = self.0.limiter.acquire(session.caller(), asked.tokens).await;
            // Before the attempt, so that no settlement is missed between its end and the wait.
            let settled = self.0.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            match self.attempt(asked, permit).await? {
                Step::Answered(answer) => return Ok(answer),
                Step::Wait(after) => {
                    waits += 1;
                    self.wait(after, waits).await?;
                }
                Step::Elsewhere => {
                    tokio::time::sleep(ELSEWHERE).await;
                    if let Some(answer) = self.remembered(session, question, key).await? {
                        return Ok(answer);
                    }
                }
                // Looked at again after a while even if nothing tells of a settlement.
                Step::Reserved => {
                    let _ = tokio::time::timeout(RESERVED, settled).await;
                }
            }
        }
    }

    /// The tokens of a question, where a limit or a budget asks for them.
    fn counted(&self, session: &Session, question: &Question) -> Option<u64> {
        let limited = self.0.settings.limits.tokens_per_minute > 0;
        (limited || session.budget.is_some()).then(|| self.prompt_tokens(question))
    }

    pub(super) fn prompt_tokens(&self, question: &Question) -> u64 {
        self.0.counts.of_question(self.tokenizer(), question)
    }

    /// Waits as long as the provider asks for; a wait that is too long suspends the document.
    async fn wait(&self, after: Duration, waits: u32) -> Result<(), CallError> {
        if !self.0.patience.allows(after, waits) {
            let until = self.later(after);
            let message = format!("the provider asks to wait until {}", shown(until));
            return Err(suspended(SuspendReason::RateLimited, message, Some(until)));
        }
        tokio::time::sleep(after).await;
        Ok(())
    }

    pub(super) fn later(&self, after: Duration) -> DateTime<Utc> {
        let after = TimeDelta::from_std(after).unwrap_or(TimeDelta::days(1));
        let latest = DateTime::<Utc>::MAX_UTC;
        self.0
            .clock
            .now()
            .checked_add_signed(after)
            .unwrap_or(latest)
    }
}

pub(super) fn suspended(
    reason: SuspendReason,
    message: String,
    until: Option<DateTime<Utc>>,
) -> CallError {
    CallError::Suspended(Suspension {
        reason,
        message,
        until,
    })
}

pub(super) fn shown(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
