//! What a provider does that is not simply to answer.

use std::{collections::VecDeque, time::Duration};

use serde_json::Value;

/// How a provider behaves. Rates are spread evenly: 0.1 is every tenth request.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// How long an answer takes.
    pub latency: Duration,
    /// What the next requests get, one each, before anything else.
    pub next: VecDeque<Reply>,
    /// Requests that get a 429.
    pub rate_limited: f64,
    /// Seconds that a 429 asks to wait; none are said when absent.
    pub retry_after: Option<u32>,
    /// Answers that break off in the middle.
    pub truncated: f64,
    /// Answers that are no JSON.
    pub invalid: f64,
    /// Answers whose offsets are wrong.
    pub wrong_offsets: f64,
    /// Answers with a type that no ontology has, and a mention that no text has.
    pub invented: f64,
    /// Texts that contain this are refused.
    pub refuses: Option<String>,
    /// Questions of more characters are too long for the model.
    pub context_chars: Option<usize>,
    /// The key that is asked for.
    pub key: Option<String>,
    /// Structured outputs are refused.
    pub no_schema: bool,
    /// JSON mode is refused.
    pub no_json_mode: bool,
    /// Texts that begin with one of a group mean nearly the same, all others something else each.
    pub meanings: Vec<Vec<&'static str>>,
    /// Requests for the vectors of more texts are refused.
    pub most_texts: Option<usize>,
    /// The cosine between texts of one class, as in `elias brandt (person)`, that mean something else
    /// each; 0 when absent.
    pub of_a_class: Option<f64>,
    /// How many numbers a vector has; 96 when absent.
    pub dimensions: Option<u64>,
    /// Vectors are refused, as by an endpoint that has none.
    pub no_vectors: bool,
    /// What it says of the tokens of a call.
    pub reports: Report,
    /// Makes the message of an answer's text, for models that put more around it.
    pub dressed: Option<fn(&str) -> Value>,
}

/// What a provider says of the tokens of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Report {
    /// Those of the question, of the answer and of both.
    #[default]
    Whole,
    /// Nothing: there is no `usage`.
    Absent,
    /// `usage` is null.
    Null,
    /// Those of the answer; the question's are null.
    Answer,
}

/// What a request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// An answer.
    Answer,
    /// This status with a body that says so.
    Status(u16),
    /// No answer before the client goes away.
    Hang,
    /// An answer, once the provider is told to release what it holds.
    Hold,
    /// An answer that is whole, but empty of meaning: `{}`.
    Empty,
    /// A 429 that asks to wait so many seconds.
    RateLimited(u32),
    /// This status with these headers and this body.
    Says(u16, &'static [(&'static str, &'static str)], &'static str),
    /// A 401 that repeats the key.
    Key,
}

impl Script {
    /// A provider that answers everything after `latency`.
    #[must_use]
    pub fn answering(latency: Duration) -> Self {
        Self {
            latency,
            ..Self::default()
        }
    }

    /// The same, with what the next requests get.
    #[must_use]
    pub fn then(mut self, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.next.extend(replies);
        self
    }
}

/// Whether request `number` (from 1) is among those of a rate.
#[expect(
    clippy::float_cmp,
    reason = "whole numbers that are equal are equal as floats"
)]
pub(super) fn hits(rate: f64, number: usize) -> bool {
    let whole = |number: usize| (number as f64 * rate).floor();
    whole(number) != whole(number - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_met_exactly() {
        let count = |rate| (1..=100).filter(|number| hits(rate, *number)).count();
        assert_eq!(
            (count(0.0), count(0.1), count(0.3), count(1.0)),
            (0, 10, 30, 100)
        );
    }
}
