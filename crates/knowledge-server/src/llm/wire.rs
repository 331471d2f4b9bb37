//! The few messages of the OpenAI protocol that are sent and read.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use knowledge_extraction::llm::Call;

use super::{
    provider::{ProviderAnswer, ProviderError},
    usage::Reported,
};

/// A refusal is shown up to so many characters.
const REASON_CHARS: usize = 200;

/// What an endpoint understands; learned from what it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) format: Format,
    /// `max_completion_tokens` instead of `max_tokens`.
    pub(super) completion_limit: bool,
    pub(super) temperature: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            format: Format::Schema,
            completion_limit: false,
            temperature: true,
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
    /// What to try instead, when the endpoint's complaint is about how it was asked.
    pub(super) fn adapted(self, complaint: &str) -> Option<Self> {
        let complaint = complaint.to_lowercase();
        let about = |words: &[&str]| words.iter().any(|word| complaint.contains(word));
        if !self.completion_limit
            && about(&["max_completion_tokens", "'max_tokens'", "\"max_tokens\""])
        {
            return Some(Self {
                completion_limit: true,
                ..self
            });
        }
        if self.temperature && about(&["temperature"]) {
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
        let of_format = [
            "response_format",
            "json_schema",
            "json_object",
            "structured output",
            "schema",
            "grammar",
            "guided",
        ];
        about(&of_format).then_some(Self { format, ..self })
    }

    /// The request's body.
    pub(super) fn body(self, model: &str, call: &Call) -> Value {
        let mut system = call.system.to_string();
        if self.format != Format::Schema {
            system.push_str("\n\nThe JSON object obeys this JSON schema:\n");
            system.push_str(&call.format.schema.to_string());
        }
        let mut body = json!({
            "model": model,
            "messages": [
                { "role": "system", "content": system },
                { "role": "user", "content": call.user },
            ],
        });
        let limit = if self.completion_limit {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        body[limit] = json!(call.max_output_tokens);
        if self.temperature {
            body["temperature"] = json!(0);
        }
        match self.format {
            Format::Schema => {
                body["response_format"] = json!({
                    "type": "json_schema",
                    "json_schema": {
                        "name": call.format.name,
                        "strict": true,
                        "schema": call.format.schema,
                    },
                });
            }
            Format::Object => body["response_format"] = json!({ "type": "json_object" }),
            Format::Text => {}
        }
        body
    }
}

#[derive(Debug, Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Reported,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
}

/// Reads the body of a successful response.
pub(super) fn answer(body: &[u8]) -> Result<ProviderAnswer, ProviderError> {
    let completion: Completion = read(body)?;
    let reported = completion.usage;
    let Some(choice) = completion.choices.into_iter().next() else {
        return Err(protocol("it has no choices"));
    };
    let finish = choice.finish_reason.unwrap_or_default();
    if let Some(reason) = choice.message.refusal.filter(|reason| !reason.is_empty()) {
        return Err(refused(&reason, reported));
    }
    if finish == "content_filter" {
        return Err(refused("the provider's content filter", reported));
    }
    let truncated = finish == "length";
    match choice.message.content {
        Some(text) => Ok(ProviderAnswer {
            text,
            reported,
            truncated,
        }),
        None if truncated => Ok(ProviderAnswer {
            text: String::new(),
            reported,
            truncated,
        }),
        None => Err(protocol("its message has no content")),
    }
}

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

/// What an endpoint says of a failure.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) code: String,
    pub(super) message: String,
}

/// Reads the body of a failed response: OpenAI's `error` object, or what others send for it.
pub(super) fn complaint(body: &[u8]) -> Complaint {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Complaint {
            code: String::new(),
            message: shortened(&String::from_utf8_lossy(body)),
        };
    };
    let error = value.get("error").unwrap_or(&value);
    let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
    let message = match error {
        Value::String(message) => message.as_str(),
        _ if !text("message").is_empty() => text("message"),
        _ => text("detail"),
    };
    let code = match text("code") {
        "" => text("type"),
        code => code,
    };
    Complaint {
        code: code.to_owned(),
        message: shortened(message),
    }
}

/// Whether a complaint is about the length of the question.
pub(super) fn is_overflow(complaint: &Complaint) -> bool {
    let message = complaint.message.to_lowercase();
    complaint.code == "context_length_exceeded"
        || [
            "context length",
            "context window",
            "maximum context",
            "context size",
            "too many tokens",
            "prompt is too long",
        ]
        .iter()
        .any(|words| message.contains(words))
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ProviderError> {
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

fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(REASON_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
