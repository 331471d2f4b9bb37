//! What endpoints that speak the OpenAI protocol answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    complaint::{Complaint, shortened},
    provider::{ProviderAnswer, ProviderError},
    settings::Secret,
    usage::Reported,
};

#[derive(Debug, Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Reported,
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    message: Message,
    finish_reason: Option<String>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Message {
    #[serde(default)]
    content: Content,
    refusal: Option<String>,
    /// What the model thought, apart from what it says.
    #[serde(alias = "reasoning")]
    reasoning_content: Option<Value>,
}

/// What a message says: a text, or a list of parts of which some are text.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
    #[default]
    Nothing,
}

#[derive(Debug, Deserialize)]
struct Part {
    text: Option<String>,
    refusal: Option<String>,
}

impl Content {
    /// The text, and the refusal that stands in its place.
    fn said(self) -> (String, Option<String>) {
        match self {
            Self::Text(text) => (text, None),
            Self::Parts(parts) => {
                let mut said = (String::new(), None);
                for part in parts {
                    said.0.push_str(&part.text.unwrap_or_default());
                    said.1 = said.1.or(part.refusal);
                }
                said
            }
            Self::Nothing => (String::new(), None),
        }
    }
}

/// What came as a success.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    /// An answer.
    Answer(ProviderAnswer),
    /// The failure of somebody behind the endpoint, as routers pass it on.
    Failure(Complaint),
}

/// What a model that ran out of room while it thought has said, where its thoughts came apart.
const THINKING: &str = "<think>";

/// Reads the body of a successful response; what it repeats of the key is taken out.
pub(super) fn answer(body: &[u8], key: Option<&Secret>) -> Result<Reply, ProviderError> {
    let completion: Completion = read(body)?;
    let reported = completion.usage;
    let choice = completion.choices.into_iter().next();
    let failure = |error: Option<Value>| error.filter(|error| !error.is_null());
    let Some(choice) = choice else {
        return match failure(completion.error) {
            Some(error) => Ok(Reply::Failure(Complaint::within(&error, key))),
            None => Err(protocol("it has no choices")),
        };
    };
    if let Some(error) = failure(choice.error).or_else(|| failure(completion.error)) {
        return Ok(Reply::Failure(Complaint::within(&error, key)));
    }
    let finish = choice.finish_reason.unwrap_or_default();
    let (mut text, refused_part) = choice.message.content.said();
    let refusal = choice.message.refusal.or(refused_part);
    if let Some(reason) = refusal.filter(|reason| !reason.is_empty()) {
        return Err(refused(&reason, reported));
    }
    if FILTERED.contains(&finish.as_str()) {
        return Err(refused("the provider's content filter", reported));
    }
    let truncated = finish == "length";
    let thought = choice.message.reasoning_content;
    if truncated && text.is_empty() && thought.is_some_and(|thought| thought != "") {
        THINKING.clone_into(&mut text);
    }
    Ok(Reply::Answer(ProviderAnswer {
        text,
        reported,
        truncated,
    }))
}

/// Why answers end that somebody has taken out.
const FILTERED: [&str; 3] = ["content_filter", "safety", "guardrail_intervened"];

/// The request's body for vectors.
#[derive(Debug, Serialize)]
pub(super) struct EmbeddingRequest<'a> {
    pub(super) model: &'a str,
    pub(super) input: &'a [String],
    pub(super) encoding_format: &'static str,
}

#[derive(Debug, Deserialize)]
struct EmbeddingResponse {
    data: Vec<Vector>,
    #[serde(default)]
    usage: Reported,
}

#[derive(Debug, Deserialize)]
struct Vector {
    index: usize,
    embedding: Vec<f32>,
}

/// Reads vectors, one for each of `count` texts.
pub(super) fn vectors(
    body: &[u8],
    count: usize,
) -> Result<(Vec<Vec<f32>>, Reported), ProviderError> {
    let response: EmbeddingResponse = read(body)?;
    let mut data = response.data;
    data.sort_by_key(|vector| vector.index);
    let in_order = data
        .iter()
        .enumerate()
        .all(|(at, vector)| vector.index == at);
    if data.len() != count || !in_order {
        return Err(protocol("it has not one vector for each text"));
    }
    let vectors = data.into_iter().map(|vector| vector.embedding).collect();
    Ok((vectors, response.usage))
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ProviderError> {
    if body.trim_ascii_start().starts_with(b"<") {
        return Err(protocol("it is a page and no JSON; check OPENAI_BASE_URL"));
    }
    // The parser's own message may quote the body, which may be a document's text.
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        protocol(&format!("it is not what the protocol says, at {place}"))
    })
}

fn protocol(message: &str) -> ProviderError {
    ProviderError::Protocol {
        message: message.to_owned(),
    }
}

fn refused(reason: &str, reported: Reported) -> ProviderError {
    ProviderError::Refused {
        reason: shortened(reason),
        reported,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Reply, ProviderError> {
        super::answer(value.to_string().as_bytes(), None)
    }

    /// The text and whether it is cut, of a completion with this choice.
    fn answered(choice: &Value) -> (String, bool) {
        match read(&json!({ "choices": [choice] })) {
            Ok(Reply::Answer(answer)) => (answer.text, answer.truncated),
            other => panic!("{choice} is {other:?}"),
        }
    }

    #[test]
    fn what_a_message_says_is_found_wherever_it_stands() {
        for (choice, text, truncated) in [
            (json!({ "message": { "content": "{}" } }), "{}", false),
            (
                json!({ "message": { "content": [
                    { "type": "thinking", "thinking": [{ "text": "hm" }] },
                    { "type": "text", "text": "{" },
                    { "type": "text", "text": "}" },
                ] } }),
                "{}",
                false,
            ),
            (
                json!({ "message": { "content": "{}", "reasoning_content": "so" }, "finish_reason": "stop" }),
                "{}",
                false,
            ),
            (json!({ "message": { "content": null } }), "", false),
            (json!({ "message": {} }), "", false),
            (json!({ "finish_reason": "stop" }), "", false),
            (
                json!({ "message": { "content": "{" }, "finish_reason": "length" }),
                "{",
                true,
            ),
            (
                json!({ "message": { "content": null, "reasoning": "so" }, "finish_reason": "length" }),
                "<think>",
                true,
            ),
            (
                json!({ "message": { "content": "", "reasoning_content": "" }, "finish_reason": "length" }),
                "",
                true,
            ),
        ] {
            assert_eq!(answered(&choice), (text.to_owned(), truncated), "{choice}");
        }
    }

    #[test]
    fn a_refusal_is_one_in_each_of_its_forms() {
        for choice in [
            json!({ "message": { "content": null, "refusal": "no" } }),
            json!({ "message": { "content": [{ "type": "refusal", "refusal": "no" }] } }),
            json!({ "message": { "content": "half" }, "finish_reason": "content_filter" }),
        ] {
            let read = read(&json!({ "choices": [choice] }));
            assert!(
                matches!(read, Err(ProviderError::Refused { .. })),
                "{read:?}"
            );
        }
    }

    #[test]
    fn a_failure_in_a_success_is_one() {
        let error = json!({ "code": 502, "message": "upstream" });
        for body in [
            json!({ "error": error }),
            json!({ "choices": [{ "error": error, "message": { "content": "" }, "finish_reason": "error" }] }),
        ] {
            let Ok(Reply::Failure(complaint)) = read(&body) else {
                panic!("{body} is no failure");
            };
            assert_eq!(complaint.message, "upstream");
        }
        let whole = json!({ "error": null, "choices": [{ "message": { "content": "{}" } }] });
        assert!(matches!(read(&whole), Ok(Reply::Answer(_))));
    }

    #[test]
    fn what_is_no_answer_says_so_without_quoting() {
        for body in [r#"{"choices": []}"#, "<html>secret", "secret", "{}"] {
            let error = super::answer(body.as_bytes(), None).unwrap_err();
            assert!(matches!(error, ProviderError::Protocol { .. }), "{body}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
