//! The extractor that asks a language model, as far as it is pure.
//!
//! Owns the prompts and their versions, the schemas of answers, what is made of an answer that is
//! not what was asked for, and how a chunk becomes questions ([`LlmExtractor`]). Owns no HTTP, no
//! cache and no limit: those stand behind [`Models`], in `knowledge-server`.

mod answer;
mod ask;
mod call;
mod extractor;
mod mend;
mod ontology;
mod plan;
mod price;
mod prompt;
mod repair;
mod schema;
mod single;
mod split;
mod staged;
mod tokens;

#[cfg(test)]
mod tests;

pub use call::{Answer, AnswerFormat, Call, CallError, Models, Usage};
pub use extractor::{LlmExtractor, LlmOptions};
pub use plan::{Estimate, estimate};
pub use price::{Price, PriceTable};
pub use tokens::Tokenizer;
