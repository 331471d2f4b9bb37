//! How many tokens a text is, as far as that can be known before a provider says.

use tiktoken_rs::{
    CoreBPE, cl100k_base_singleton, o200k_base_singleton,
    tokenizer::{Tokenizer as Known, get_tokenizer},
};

/// Tokens that a message costs beside its text.
const MESSAGE_OVERHEAD: u64 = 4;

/// Counts tokens as a model does; for models whose tokens nobody publishes, as a close relative.
#[derive(Clone, Copy)]
pub struct Tokenizer(&'static CoreBPE);

impl Tokenizer {
    /// The tokenizer of a model. The first of its kind in a process is loaded, which takes a
    /// moment and some 20 MB.
    #[must_use]
    pub fn of_model(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        match get_tokenizer(name) {
            Some(Known::O200kBase | Known::O200kHarmony) => Self(o200k_base_singleton()),
            _ => Self(cl100k_base_singleton()),
        }
    }

    /// Tokens of a text.
    #[must_use]
    pub fn count(self, text: &str) -> u64 {
        self.0.count_ordinary(text) as u64
    }

    /// Tokens of a question: its messages and its schema.
    #[must_use]
    pub fn of_call(self, call: &super::Call) -> u64 {
        self.of_instructions(call) + self.count(&call.user)
    }

    /// Tokens of a question beside what it is about, which are those of many questions.
    #[must_use]
    pub fn of_instructions(self, call: &super::Call) -> u64 {
        let schema = self.count(&call.format.schema.to_string());
        self.count(&call.system) + schema + 3 * MESSAGE_OVERHEAD
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokenizer")
    }
}
