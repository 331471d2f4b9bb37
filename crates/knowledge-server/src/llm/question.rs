//! What a provider is asked: a chat, or the vectors of some texts.

use knowledge_extraction::{
    llm::{Call, Tokenizer},
    sha256_hex,
};
use serde_json::json;

use super::{
    provider::{ProviderAnswer, ProviderError},
    route::Route,
    usage::{Reported, Taken},
};

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
            Self::Chat(call) => json!([
                KEY_VERSION,
                model,
                call.prompt,
                call.system,
                call.user,
                call.format.name,
                call.format.schema,
                call.max_output_tokens,
            ]),
            Self::Vectors { texts, .. } => json!([KEY_VERSION, model, "embedding", texts]),
        };
        sha256_hex(parts.to_string().as_bytes())
    }

    /// What it is recorded as.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Chat(_) => "chat",
            Self::Vectors { .. } => "embedding",
        }
    }

    /// The prompt and its version.
    pub(super) fn prompt(&self) -> &str {
        match self {
            Self::Chat(call) => &call.prompt,
            Self::Vectors { .. } => "embedding",
        }
    }

    /// Names the unit that asks.
    pub(super) fn unit(&self) -> &str {
        match self {
            Self::Chat(call) => &call.unit,
            Self::Vectors { unit, .. } => unit,
        }
    }

    /// Tokens of the question, where somebody counts them.
    pub(super) fn prompt_tokens(&self, tokenizer: Tokenizer) -> u64 {
        match self {
            Self::Chat(call) => tokenizer.of_call(call),
            Self::Vectors { texts, .. } => texts.iter().map(|text| tokenizer.count(text)).sum(),
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
        tokenizer: impl Fn() -> Tokenizer,
    ) -> Taken {
        let prompt = || self.prompt_tokens(tokenizer());
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
