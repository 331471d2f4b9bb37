//! One question until there is an answer that something can be made of.

use super::{
    call::{Answer, Call, CallError, Models},
    prompt::REPAIR,
    repair::{Parsed, is_thought_only, parse},
    schema::{Form, Formed},
};
use crate::{error::ExtractionError, verify::Rejections};

/// How often a question is asked until its answer is valid.
const ROUNDS: u32 = 3;

/// A valid answer with what it took.
pub(super) struct Asked<A> {
    pub(super) answer: A,
    pub(super) tokens: u64,
    pub(super) rejections: Rejections,
}

/// Why there is no answer.
pub(super) enum AskError {
    /// The question or its answer is too long; half of the text may not be.
    TooLong {
        /// Tokens that were spent all the same.
        tokens: u64,
    },
    /// Nothing else can be done about it here.
    Failed(ExtractionError),
}

impl From<ExtractionError> for AskError {
    fn from(error: ExtractionError) -> Self {
        Self::Failed(error)
    }
}

/// What one answer came to.
enum Reading<A> {
    Valid(A),
    /// Why not, and what could be used if there were nothing better.
    Invalid(String, Option<serde_json::Value>),
}

/// What room there is for a question and its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// The text cannot be shortened, so that what there is of an answer is used.
    pub(super) last: bool,
    /// The most tokens that an answer may have, where the question asks for less.
    pub(super) tokens: u32,
}

/// Asks, and asks again with what is wrong with the answer.
pub(super) async fn ask<A: Formed>(
    models: &dyn Models,
    call: Call,
    room: Room,
) -> Result<Asked<A>, AskError> {
    let form = A::form();
    let last = room.last;
    let mut asked = Asked {
        answer: A::default(),
        tokens: 0,
        rejections: Rejections::default(),
    };
    let mut part = None;
    let mut calls = vec![call];
    for round in 1..=ROUNDS {
        let call = calls
            .last()
            .ok_or_else(|| unusable("no question was asked"))?;
        let answer = match models.ask(call).await {
            Ok(answer) => answer,
            Err(CallError::ContextOverflow) if !last => {
                return Err(AskError::TooLong {
                    tokens: asked.tokens,
                });
            }
            Err(error) => return Err(AskError::Failed(failed(models, call, error).await)),
        };
        asked.tokens = asked.tokens.saturating_add(answer.usage.total());
        if answer.truncated && is_thought_only(&answer.text) {
            match longer(call, room) {
                Ok(longer) => calls.push(longer),
                Err(error) => {
                    forget(models, &calls).await?;
                    return Err(error.into());
                }
            }
            continue;
        }
        if answer.truncated && !last {
            return Err(AskError::TooLong {
                tokens: asked.tokens,
            });
        }
        match read(form, &answer, &mut asked.rejections) {
            Reading::Valid(answer) => {
                asked.answer = answer;
                return Ok(asked);
            }
            Reading::Invalid(_, Some(value)) if answer.truncated => {
                part = Some(value);
                break;
            }
            Reading::Invalid(fault, value) => {
                part = value.or(part);
                if round < ROUNDS {
                    asked.rejections.asked_again += 1;
                    let again = Call {
                        max_output_tokens: call.max_output_tokens,
                        ..repaired(&calls[0], &fault, round)
                    };
                    calls.push(again);
                }
            }
        }
    }
    if let Some(answer) = part.and_then(|part| salvaged(form, part, &mut asked.rejections)) {
        asked.answer = answer;
        return Ok(asked);
    }
    forget(models, &calls).await?;
    Err(unusable(format!(
        "no answer in {ROUNDS} was valid JSON of the form that was asked for"
    ))
    .into())
}

/// The same question with all the room there is for its answer: the limit is part of what names a
/// question.
fn longer(call: &Call, room: Room) -> Result<Call, ExtractionError> {
    let limit = call.max_output_tokens;
    if limit < room.tokens {
        return Ok(Call {
            max_output_tokens: room.tokens,
            ..call.clone()
        });
    }
    Err(unusable(format!(
        "the model thought until its answer's limit of {limit} tokens and said nothing: raise \
         KNOWLEDGE_LLM_MAX_OUTPUT_TOKENS, or ask a model that thinks less"
    )))
}

/// Another attempt asks all of it again.
async fn forget(models: &dyn Models, calls: &[Call]) -> Result<(), ExtractionError> {
    for call in calls {
        models.forget(call).await.map_err(ExtractionError::Model)?;
    }
    Ok(())
}

fn unusable(reason: impl Into<String>) -> ExtractionError {
    ExtractionError::Unit {
        reason: reason.into(),
    }
}

/// A refusal is the unit's own failure; it is not remembered, so that another attempt asks again.
async fn failed(models: &dyn Models, call: &Call, error: CallError) -> ExtractionError {
    match error {
        CallError::Refused { .. } => match models.forget(call).await {
            Ok(()) => unusable(error.to_string()),
            Err(error) => ExtractionError::Model(error),
        },
        CallError::ContextOverflow => unusable(error.to_string()),
        error => ExtractionError::Model(error),
    }
}

fn repaired(call: &Call, fault: &str, round: u32) -> Call {
    Call {
        prompt: format!("{}+{}/{round}", call.prompt, REPAIR.id()),
        user: format!("{}\n{}", call.user, REPAIR.fill("error", fault).trim()),
        ..call.clone()
    }
}

fn read<A: Formed>(form: &Form, answer: &Answer, rejections: &mut Rejections) -> Reading<A> {
    // What these types take is what their schema allows, and most answers are that.
    if let Ok(answer) = serde_json::from_str(&answer.text) {
        return Reading::Valid(answer);
    }
    match parse(&answer.text) {
        Parsed::Whole { value, mended } => {
            let Some(fault) = form.fault(&value) else {
                rejections.repaired_answers += u32::from(mended);
                return decoded(value);
            };
            // Items that are not valid are left out; an answer without any other is none.
            let Some(mut kept) = form.unwrapped(value) else {
                return Reading::Invalid(fault, None);
            };
            let dropped = form.salvage(&mut kept);
            if form.fault(&kept).is_some() || (dropped > 0 && is_empty(&kept)) {
                return Reading::Invalid(fault, None);
            }
            rejections.repaired_answers += 1;
            rejections.malformed += dropped;
            decoded(kept)
        }
        Parsed::Part(value) => {
            let fault = "it breaks off before the object ends";
            Reading::Invalid(fault.to_owned(), Some(value))
        }
        Parsed::Nothing => Reading::Invalid("it holds no JSON object".to_owned(), None),
    }
}

fn decoded<A: Formed>(value: serde_json::Value) -> Reading<A> {
    match serde_json::from_value(value) {
        Ok(answer) => Reading::Valid(answer),
        Err(_) => Reading::Invalid("a number is out of range".to_owned(), None),
    }
}

/// What was complete of an answer that breaks off.
fn salvaged<A: Formed>(
    form: &Form,
    mut part: serde_json::Value,
    rejections: &mut Rejections,
) -> Option<A> {
    part = form.unwrapped(part)?;
    let dropped = form.salvage(&mut part);
    if form.fault(&part).is_some() || is_empty(&part) {
        return None;
    }
    rejections.repaired_answers += 1;
    // What broke off counts as one.
    rejections.malformed += dropped + 1;
    serde_json::from_value(part).ok()
}

fn is_empty(value: &serde_json::Value) -> bool {
    value.as_object().is_none_or(|object| {
        object
            .values()
            .all(|list| list.as_array().is_none_or(Vec::is_empty))
    })
}
