//! Answers from memory, and one call for all who ask the same.

use knowledge_extraction::llm::{Answer, Call, CallError, Usage};

use super::{Gateway, not_recorded};
use crate::{
    llm::{question::Question, session::Session},
    store::calls::{CallKey, Recorded, RecordedAnswer},
};

impl Gateway {
    /// Answers from memory, else by one call for all who ask the same.
    pub(super) async fn answer(
        &self,
        session: &Session,
        model: &str,
        question: Question,
    ) -> Result<Answer, CallError> {
        let key = key(session, model, &question);
        if let Some(answer) = self.remembered(session, &question, &key).await? {
            return Ok(answer);
        }
        if session.only_kept {
            return Err(CallError::NotKept);
        }
        let run = || {
            let (gateway, session, key) = (self.clone(), session.clone(), key.clone());
            let model = model.to_owned();
            async move { gateway.run(&session, (&model, &question), &key).await }
        };
        self.0.flights.join(&key, run).await
    }

    /// The answer from memory, or that the question is too long for the model. A unit that asks
    /// again has not recorded what it paid for the answer, and is told once more.
    pub(super) async fn remembered(
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
        let recorded = match recorded {
            Some(Recorded::TooLong) => return Err(CallError::ContextOverflow),
            Some(Recorded::Answer(answer)) => Some(answer),
            None => None,
        };
        Ok(recorded.map(|recorded| {
            let paid_here = recorded.execution.is_some()
                && recorded.execution == session.execution
                && recorded.unit.as_deref() == Some(question.unit());
            answer_of(recorded, paid_here)
        }))
    }

    pub(in crate::llm) async fn forget(
        &self,
        session: &Session,
        call: &Call,
    ) -> Result<(), CallError> {
        if session.only_kept {
            // It is not for a comparison to say what is kept.
            return Ok(());
        }
        let question = Question::Chat(call.clone());
        let key = key(session, session.model(), &question);
        let forgotten = self.0.log.forget(key).await;
        forgotten.map_err(|error| not_recorded(&error))
    }
}

/// Names a question in the record of calls.
pub(in crate::llm) fn key(session: &Session, model: &str, question: &Question) -> CallKey {
    CallKey {
        organization: session.organization,
        hash: question.hash(model),
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
