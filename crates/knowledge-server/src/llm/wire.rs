//! The few messages of the OpenAI protocol that are sent and read.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use knowledge_extraction::llm::Call;

use super::{
    complaint::{Complaint, shortened},
    provider::{ProviderAnswer, ProviderError},
    settings::Secret,
    usage::Reported,
};

/// What an endpoint understands; learned from what it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) format: Format,
    /// `max_completion_tokens` instead of `max_tokens`.
    pub(super) completion_limit: bool,
    pub(super) temperature: bool,
    /// The most tokens of an answer that it takes, where it has said so.
    pub(super) most: Option<u32>,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            format: Format::Schema,
            completion_limit: false,
            temperature: true,
            most: None,
        }
    }
}

/// How the form of an answer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Structured outputs: `response_format: json_schema`, strict.
    Schema,
    /// JSON mode, the schema in the prompt.
    Object,
    /// The schema in the prompt.
    Text,
}

impl Dialect {
    /// What to try instead, when the complaint is about how it was asked for an answer of at most
    /// `most` tokens.
    pub(super) fn adapted(self, complaint: &Complaint, most: u32) -> Option<Self> {
        if let Some(limit) = complaint.limit_below(self.limit(most)) {
            let most = Some(limit);
            return Some(Self { most, ..self });
        }
        if !self.completion_limit && complaint.is_about_limit_name() {
            return Some(Self {
                completion_limit: true,
                ..self
            });
        }
        if self.temperature && complaint.is_about_temperature() {
            return Some(Self {
                temperature: false,
                ..self
            });
        }
        let format = match self.format {
            Format::Schema => Format::Object,
            Format::Object => Format::Text,
            Format::Text => return None,
        };
        complaint.is_about_form().then_some(Self { format, ..self })
    }

    fn limit(self, most: u32) -> u32 {
        self.most.map_or(most, |limit| limit.min(most))
    }

    /// The request's body.
    pub(super) fn body<'a>(self, model: &'a str, call: &'a Call) -> Body<'a> {
        let limit = Some(self.limit(call.max_output_tokens));
        let is_schema = self.format == Format::Schema;
        let system = if is_schema {
            Cow::Borrowed(&*call.system)
        } else {
            let schema = &call.format.schema;
            let about = "The JSON object obeys this JSON schema:";
            Cow::Owned(format!("{}\n\n{about}\n{schema}", call.system))
        };
        Body {
            model,
            messages: [
                Says {
                    role: "system",
                    content: system,
                },
                Says {
                    role: "user",
                    content: Cow::Borrowed(&call.user),
                },
            ],
            max_tokens: limit.filter(|_| !self.completion_limit),
            max_completion_tokens: limit.filter(|_| self.completion_limit),
            temperature: self.temperature.then_some(0),
            response_format: match self.format {
                Format::Schema => Some(ResponseFormat::JsonSchema {
                    json_schema: NamedSchema {
                        name: call.format.name,
                        strict: true,
                        schema: &call.format.schema,
                    },
                }),
                Format::Object => Some(ResponseFormat::JsonObject),
                Format::Text => None,
            },
        }
    }
}

/// A question as it is sent.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: [Says<'a>; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
}

#[derive(Debug, Serialize)]
struct Says<'a> {
    role: &'static str,
    content: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat<'a> {
    JsonSchema { json_schema: NamedSchema<'a> },
    JsonObject,
}

#[derive(Debug, Serialize)]
struct NamedSchema<'a> {
    name: &'static str,
    strict: bool,
    schema: &'a Value,
}

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
    use std::sync::Arc;

    use knowledge_extraction::llm::AnswerFormat;
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
    fn a_question_is_put_in_each_dialect() {
        let schema = json!({ "type": "object" });
        let call = Call {
            prompt: "single@1".to_owned(),
            system: "Find.".into(),
            user: "<text>a</text>".to_owned(),
            format: Arc::new(AnswerFormat {
                name: "single_answer",
                schema: schema.clone(),
            }),
            max_output_tokens: 900,
            unit: String::new(),
        };
        let body = |dialect: Dialect| serde_json::to_value(dialect.body("m", &call)).unwrap();
        let user = json!({ "role": "user", "content": "<text>a</text>" });
        assert_eq!(
            body(Dialect::default()),
            json!({
                "model": "m",
                "messages": [{ "role": "system", "content": "Find." }, user],
                "max_tokens": 900,
                "temperature": 0,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": { "name": "single_answer", "strict": true, "schema": schema },
                },
            })
        );
        let told = "Find.\n\nThe JSON object obeys this JSON schema:\n{\"type\":\"object\"}";
        let plain = Dialect {
            format: Format::Object,
            completion_limit: true,
            temperature: false,
            most: Some(500),
        };
        let expected = json!({
            "model": "m",
            "messages": [{ "role": "system", "content": told }, user],
            "max_completion_tokens": 500,
            "response_format": { "type": "json_object" },
        });
        assert_eq!(body(plain), expected);
        let text = body(Dialect {
            format: Format::Text,
            ..plain
        });
        assert_eq!(text.get("response_format"), None);
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

    #[test]
    fn what_an_endpoint_does_not_take_is_not_sent_again() {
        let learn = |dialect: Dialect, message: &str| {
            let body = json!({ "error": { "message": message } }).to_string();
            dialect.adapted(&Complaint::read(body.as_bytes(), None), 4_096)
        };
        let limited = learn(
            Dialect::default(),
            "max_tokens is too large: 4096. This model supports at most 500 completion tokens",
        );
        let limited = limited.unwrap();
        assert_eq!(
            (limited.most, limited.limit(4_096), limited.limit(100)),
            (Some(500), 500, 100)
        );
        let newer = learn(limited, "Unsupported parameter: 'max_tokens'").unwrap();
        assert!(newer.completion_limit);
        let cold = learn(newer, "'temperature' does not support 0").unwrap();
        assert!(!cold.temperature);
        let object = learn(cold, "This response_format type is unavailable now").unwrap();
        assert_eq!(object.format, Format::Object);
        let text = learn(
            object,
            "'response_format.type' must be 'json_schema' or 'text'",
        )
        .unwrap();
        assert_eq!((text.format, text.most), (Format::Text, Some(500)));
        assert_eq!(learn(text, "response_format"), None);
    }
}
