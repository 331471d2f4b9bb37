//! How a question is put to an endpoint that speaks the OpenAI protocol, as far as it understands.

use std::borrow::Cow;

use knowledge_extraction::llm::Call;
use serde::Serialize;
use serde_json::Value;

use super::complaint::Complaint;

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use knowledge_extraction::llm::AnswerFormat;
    use serde_json::json;

    use super::*;

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
