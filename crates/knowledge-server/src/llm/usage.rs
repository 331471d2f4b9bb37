//! What calls took: as providers report it, and counted where they do not.

use knowledge_extraction::llm::Usage;
use serde::Deserialize;
use serde_json::Value;

/// What a provider reported of a call's tokens: all of it, a part, or nothing. Many local servers
/// leave it out, or leave out the question's where they had it in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reported {
    /// Tokens of the question.
    pub prompt: Option<u64>,
    /// Tokens of the answer.
    pub completion: Option<u64>,
    /// Tokens of both.
    pub total: Option<u64>,
}

/// What a call took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) usage: Usage,
    /// Tokens of these that the tokenizer counted, because the provider did not report them.
    pub(super) counted: u64,
}

impl Reported {
    /// What was taken. What was not reported follows from the total, else it is counted: by
    /// `prompt` for the question, by `completion` for the answer. No tokens are no report, except
    /// of an answer that has none.
    pub(super) fn taken(
        self,
        prompt: impl FnOnce() -> u64,
        completion: impl FnOnce() -> u64,
    ) -> Taken {
        let said = |tokens: Option<u64>| tokens.filter(|tokens| *tokens > 0);
        let rest = |part: u64| said(self.total.map(|total| total.saturating_sub(part)));
        let (reported_prompt, reported_completion) = (said(self.prompt), said(self.completion));
        let prompt_tokens = reported_prompt
            .or_else(|| rest(reported_completion?))
            .unwrap_or_else(prompt);
        let completion_tokens = reported_completion
            .or_else(|| rest(prompt_tokens))
            .unwrap_or_else(completion);
        let usage = Usage {
            prompt_tokens,
            completion_tokens,
        };
        let reported = said(self.total).unwrap_or_default().max(
            reported_prompt
                .unwrap_or_default()
                .saturating_add(reported_completion.unwrap_or_default()),
        );
        Taken {
            usage,
            counted: usage.total().saturating_sub(reported),
        }
    }
}

/// Reads what it understands of a report: an answer is not lost because of what came with it.
impl<'de> Deserialize<'de> for Reported {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let report = Value::deserialize(from)?;
        let tokens = |key: &str| report.get(key).and_then(Value::as_u64);
        Ok(Self {
            prompt: tokens("prompt_tokens"),
            completion: tokens("completion_tokens"),
            total: tokens("total_tokens"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The report, read and filled up by a tokenizer that counts 100 and 20.
    fn taken(report: Value) -> (u64, u64, u64) {
        let reported: Reported = serde_json::from_value(report).unwrap();
        let Taken { usage, counted } = reported.taken(|| 100, || 20);
        (usage.prompt_tokens, usage.completion_tokens, counted)
    }

    #[test]
    fn what_is_not_reported_is_counted() {
        for (report, expected) in [
            (
                json!({ "prompt_tokens": 90, "completion_tokens": 15, "total_tokens": 105 }),
                (90, 15, 0),
            ),
            (
                json!({ "prompt_tokens": 90, "completion_tokens": 15 }),
                (90, 15, 0),
            ),
            (json!(null), (100, 20, 120)),
            (json!({}), (100, 20, 120)),
            (json!("none"), (100, 20, 120)),
            (
                json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 }),
                (100, 20, 120),
            ),
            (
                json!({ "prompt_tokens": null, "completion_tokens": 15 }),
                (100, 15, 100),
            ),
            (
                json!({ "prompt_tokens": 0, "completion_tokens": 15, "total_tokens": 15 }),
                (100, 15, 100),
            ),
            (
                json!({ "prompt_tokens": 90, "completion_tokens": -1 }),
                (90, 20, 20),
            ),
            (
                json!({ "prompt_tokens": 90, "total_tokens": 105 }),
                (90, 15, 0),
            ),
            (
                json!({ "completion_tokens": 15, "total_tokens": 105 }),
                (90, 15, 0),
            ),
            (json!({ "total_tokens": 130 }), (100, 30, 0)),
        ] {
            assert_eq!(taken(report.clone()), expected, "{report}");
        }
    }

    #[test]
    fn an_empty_answer_has_no_tokens() {
        let reported = Reported {
            prompt: Some(90),
            completion: Some(0),
            total: None,
        };
        let taken = reported.taken(|| 100, || 0);
        assert_eq!((taken.usage.total(), taken.counted), (90, 0));
    }
}
