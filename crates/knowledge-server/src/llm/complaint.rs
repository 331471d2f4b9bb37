//! What endpoints say of a failure, in the words of many vendors.
//!
//! Owns how a failed response's body is read and what its words mean; nothing of it quotes a key,
//! and what is shown of it is short.

use std::time::Duration;

use serde_json::Value;

use super::{settings::Secret, wait};

/// A complaint is shown up to so many characters.
const SHOWN_CHARS: usize = 200;

/// So many bytes of a complaint are read.
const MOST_BYTES: usize = 8 * 1024;

/// What an endpoint says of a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Complaint {
    /// Its code or its type, where it names one.
    pub(super) code: String,
    /// The status that it speaks of, where that is not the response's.
    pub(super) status: Option<u16>,
    /// Its words.
    pub(super) message: String,
    /// How long it asks to wait.
    pub(super) wait: Option<Duration>,
    /// What the model wrote, when the complaint is that it is not JSON.
    pub(super) generated: Option<String>,
}

impl Complaint {
    /// Reads the body of a failed response: OpenAI's `error` object, or what others send for it.
    pub(super) fn read(body: &[u8], key: Option<&Secret>) -> Self {
        let complaint = match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::of_json(&value),
            Err(_) => Self {
                message: page(body),
                ..Self::default()
            },
        };
        complaint.without(key)
    }

    /// Reads what stands for an answer in a response that is said to be successful.
    pub(super) fn within(error: &Value, key: Option<&Secret>) -> Self {
        Self::of_json(error).without(key)
    }

    fn of_json(value: &Value) -> Self {
        let outer = match value {
            Value::Array(list) => list.first().unwrap_or(&Value::Null),
            value => value,
        };
        let error = outer.get("error").unwrap_or(outer);
        let message = words(error, outer);
        let code = ["code", "type", "error_type", "status"]
            .into_iter()
            .flat_map(|name| [error.get(name), outer.get(name)])
            .flatten()
            .find_map(Value::as_str);
        let status = error.get("code").and_then(Value::as_u64);
        let said = error.get("details").and_then(wait::of_details);
        Self {
            code: code.unwrap_or_default().to_owned(),
            status: status.and_then(|status| u16::try_from(status).ok()),
            wait: said.or_else(|| wait::of_words(&message)),
            generated: error
                .get("failed_generation")
                .and_then(Value::as_str)
                .map(str::to_owned),
            message,
        }
    }

    /// Some gateways say which key they were given.
    fn without(mut self, key: Option<&Secret>) -> Self {
        for text in [
            Some(&mut self.message),
            Some(&mut self.code),
            self.generated.as_mut(),
        ] {
            if let (Some(text), Some(key)) = (text, key) {
                *text = key.hidden_in(text);
            }
        }
        self
    }

    /// The words as they are shown: one short line.
    pub(super) fn shown(&self) -> String {
        shortened(&self.message)
    }

    fn says(&self, words: &[&str]) -> bool {
        let message = self.message.to_lowercase();
        words.iter().any(|words| message.contains(words))
    }

    fn is(&self, codes: &[&str]) -> bool {
        codes
            .iter()
            .any(|code| self.code.eq_ignore_ascii_case(code))
    }

    /// Whether it is about the length of the question.
    pub(super) fn is_overflow(&self) -> bool {
        let is_so = self.is(&["context_length_exceeded", "exceed_context_size_error"])
            || self.says(&[
                "context length",
                "context window",
                "context size",
                "context limit",
                "maximum context",
                "maximum model length",
                "maximum prompt length",
                "maximum number of tokens allowed",
                "range of input length",
                "prompt is too long",
                "input is too long",
                "exceeds max length",
                "request too large",
                "`inputs` tokens",
                "`inputs` must have less",
            ]);
        let may_be = self.says(&["too many tokens", "token limit"]);
        is_so || (may_be && !self.is_about_pace())
    }

    /// Whether it is about what is asked in some time, which waiting helps.
    fn is_about_pace(&self) -> bool {
        self.wait.is_some()
            || self.says(&[
                "rate limit",
                "throttl",
                "quota",
                "wait",
                "again",
                "retry",
                "minute",
                "hour",
                "day",
                "daily",
                "month",
            ])
    }

    /// Whether it is that the text will not be answered, whoever asks.
    pub(super) fn is_refusal(&self) -> bool {
        self.is(&[
            "content_filter",
            "content_policy_violation",
            "data_inspection_failed",
            "responsibleaipolicyviolation",
            "invalid_prompt",
        ]) || self.says(&[
            "content management policy",
            "content exists risk",
            "input was flagged",
            "prompt was flagged",
            "usage policy",
        ])
    }

    /// Whether it is that there is no such model.
    pub(super) fn is_unknown_model(&self) -> bool {
        self.is(&["model_not_found", "invalid_model", "DeploymentNotFound"])
            || self.says(&[
                "not a valid model",
                "invalid model",
                "unknown model",
                "no such model",
                "model not found",
                "model not exist",
            ])
            || (self.says(&["model "]) && self.says(&["does not exist", "is not found"]))
    }

    /// Whether it is that nobody pays for the account any more.
    pub(super) fn is_no_credit(&self) -> bool {
        self.is(&[
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_not_active",
        ]) || self.says(&["credit balance is too low", "insufficient balance"])
    }

    /// Whether it is about the form of an answer that was asked for.
    pub(super) fn is_about_form(&self) -> bool {
        self.says(&[
            "response_format",
            "response format",
            "json_schema",
            "json_object",
            "json schema",
            "structured output",
            "schema",
            "grammar",
            "guided",
        ])
    }

    pub(super) fn is_about_temperature(&self) -> bool {
        self.says(&["temperature"])
    }

    /// Whether it is that the limit of an answer goes by its newer name.
    pub(super) fn is_about_limit_name(&self) -> bool {
        self.says(&["max_completion_tokens", "'max_tokens'", "\"max_tokens\""])
    }

    /// The most tokens that an answer may have, when it is that `sent` are too many: the greatest
    /// number that is less.
    pub(super) fn limit_below(&self, sent: u32) -> Option<u32> {
        let is_about = self.says(&["max_tokens", "max_completion_tokens", "completion tokens"]);
        let is_amount = self.says(&[
            "too large",
            "at most",
            "less than",
            "range",
            "maximum",
            " > ",
        ]);
        if !is_about || !is_amount {
            return None;
        }
        let numbers = self.message.split(|char: char| !char.is_ascii_digit());
        let numbers = numbers.filter_map(|digits| digits.parse().ok());
        numbers.filter(|number| (16..sent).contains(number)).max()
    }
}

/// The words of a complaint, where each vendor puts them.
fn words(error: &Value, outer: &Value) -> String {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let said = match error {
        Value::String(message) => Some(message.clone()),
        error => text(error, "message").or_else(|| text(error, "detail")),
    };
    let listed = || Some(details(error.get("detail")?.as_array()?));
    let mut words = said
        .or_else(listed)
        .or_else(|| text(outer, "message"))
        .unwrap_or_default();
    // What a router was told by the provider behind it.
    if let Some(raw) = error.pointer("/metadata/raw").and_then(Value::as_str) {
        words = format!("{words}: {raw}");
    }
    // Validators repeat what they were given, which is the text of a document.
    let end = ["'input':", "\"input\":"]
        .iter()
        .filter_map(|mark| words.find(mark))
        .min();
    words.truncate(floor(&words, end.unwrap_or(words.len()).min(MOST_BYTES)));
    words
}

/// What a validator lists: where, and what is wrong there.
fn details(list: &[Value]) -> String {
    let places = list.iter().map(|detail| {
        let place = detail.get("loc").and_then(Value::as_array);
        let place = place.into_iter().flatten().filter_map(Value::as_str);
        let place: Vec<&str> = place.collect();
        let wrong = detail
            .get("msg")
            .and_then(Value::as_str)
            .unwrap_or_default();
        format!("{}: {wrong}", place.join("."))
    });
    places.collect::<Vec<_>>().join("; ")
}

/// A text as it is, of a page its title: pages come from whatever stands before a provider.
fn page(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(MOST_BYTES)]);
    let text = text.trim();
    if !text.starts_with('<') {
        return text.to_owned();
    }
    let title = text
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"));
    title.map_or_else(String::new, |(title, _)| title.trim().to_owned())
}

fn floor(text: &str, most: usize) -> usize {
    (0..=most.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or_default()
}

/// One line of at most [`SHOWN_CHARS`] characters.
pub(super) fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
