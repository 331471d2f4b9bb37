//! What a provider is asked: a chat, or the vectors of some texts.

use knowledge_extraction::{
    llm::{Call, Tokenizer},
    sha256_hex,
};

use super::{
    provider::{ProviderAnswer, ProviderError},
    route::Route,
    usage::{Reported, Taken},
};
use crate::store::calls::VECTORS;

/// Part of every key: changes whenever the same question is to be asked anew.
const KEY_VERSION: u32 = 1;

/// One question to a model.
#[derive(Debug, Clone)]
pub(super) enum Question {
    /// A prompt.
    Chat(Call),
    /// Texts whose vectors are wanted, all in one request.
    Vectors {
        /// The texts.
        texts: Vec<String>,
        /// Names what asks.
        unit: String,
    },
}

impl Question {
    /// Everything that decides the answer, as one name.
    pub(super) fn hash(&self, model: &str) -> String {
        let parts = match self {
            Self::Chat(call) => serde_json::to_vec(&(
                KEY_VERSION,
                model,
                &call.prompt,
                &*call.system,
                &call.user,
                call.format.name,
                &call.format.schema,
                call.max_output_tokens,
            )),
            Self::Vectors { texts, .. } => {
                serde_json::to_vec(&(KEY_VERSION, model, "embedding", texts))
            }
        };
        // Texts and numbers always have a JSON.
        sha256_hex(&parts.unwrap_or_default())
    }

    /// What it is recorded as.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Chat(_) => "chat",
            Self::Vectors { .. } => VECTORS,
        }
    }

    /// The prompt and its version.
    pub(super) fn prompt(&self) -> &str {
        match self {
            Self::Chat(call) => &call.prompt,
            Self::Vectors { .. } => VECTORS,
        }
    }

    /// Names the unit that asks.
    pub(super) fn unit(&self) -> &str {
        match self {
            Self::Chat(call) => &call.unit,
            Self::Vectors { unit, .. } => unit,
        }
    }

    /// The most tokens that the answer may have.
    pub(super) fn answer_tokens(&self) -> u64 {
        match self {
            Self::Chat(call) => u64::from(call.max_output_tokens),
            Self::Vectors { .. } => 0,
        }
    }

    /// What its answer took: as reported, and counted where nothing was.
    pub(super) fn taken(
        &self,
        reported: Reported,
        answer: &str,
        prompt: impl FnOnce() -> u64,
        tokenizer: impl Fn() -> Tokenizer,
    ) -> Taken {
        let completion = || match self {
            Self::Chat(_) if !answer.is_empty() => tokenizer().count(answer),
            Self::Chat(_) | Self::Vectors { .. } => 0,
        };
        reported.taken(prompt, completion)
    }

    /// Asks a provider.
    pub(super) async fn ask(&self, route: &Route) -> Result<ProviderAnswer, ProviderError> {
        match self {
            Self::Chat(call) => route.provider.chat(&route.model, call).await,
            Self::Vectors { texts, .. } => {
                let found = route.provider.embed(&route.model, texts).await?;
                let text = serde_json::to_string(&found.vectors);
                Ok(ProviderAnswer {
                    text: text.map_err(|error| ProviderError::Protocol {
                        message: error.to_string(),
                    })?,
                    reported: found.reported,
                    truncated: false,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use knowledge_extraction::llm::AnswerFormat;
    use serde_json::json;

    use super::*;

    /// What was paid for is found again by this name, in every release.
    #[test]
    fn the_name_of_a_question_stays() {
        let schema = json!({ "type": "object", "required": ["b", "a"] });
        let call = Call {
            prompt: "single@1".to_owned(),
            system: "Find \"names\".".into(),
            user: "<text>Zoë\n</text>".to_owned(),
            format: Arc::new(AnswerFormat {
                name: "single_answer",
                schema: schema.clone(),
            }),
            max_output_tokens: 900,
            unit: "of no matter".to_owned(),
        };
        let parts = json!([
            1,
            "m",
            "single@1",
            call.system,
            call.user,
            "single_answer",
            schema,
            900
        ]);
        let name = sha256_hex(parts.to_string().as_bytes());
        assert_eq!(Question::Chat(call).hash("m"), name);
        let vectors = Question::Vectors {
            texts: vec!["Zoë".to_owned()],
            unit: String::new(),
        };
        let parts = json!([1, "m", "embedding", ["Zoë"]]);
        assert_eq!(vectors.hash("m"), sha256_hex(parts.to_string().as_bytes()));
    }
}
