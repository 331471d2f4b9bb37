//! What an extraction will take, before anything is asked.

use knowledge_domain::{Ontology, batch::ExtractionStrategy, graph::SourceText};

use super::{
    LlmOptions, Price, Tokenizer, Usage,
    extractor::{chunk_question, later_questions},
};
use crate::{PipelineConfig, chunks};

/// Tokens of an answer for each token of the text that it is about: one that holds everything, and
/// one of a stage.
const SINGLE_SHARE: f64 = 2.5;
const STAGE_SHARE: f64 = 1.5;
/// Characters of a text for each mention that it can be expected to have.
const CHARS_A_MENTION: u32 = 80;

/// What an extraction is expected to take. Nothing of it is known to be in the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Documents.
    pub documents: u64,
    /// Chunks of all documents.
    pub chunks: u64,
    /// Questions.
    pub calls: u64,
    /// Tokens.
    pub usage: Usage,
    /// Millionths of a US dollar; absent where the model has no price.
    pub cost_micro_usd: Option<u64>,
}

/// What the extraction of some texts is expected to take. A text without content takes nothing: its
/// document fails before anything is asked.
#[must_use]
pub fn estimate<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    ontology: &Ontology,
    config: &PipelineConfig,
    options: &LlmOptions,
    tokenizer: Tokenizer,
    price: Option<Price>,
) -> Estimate {
    let mut estimate = Estimate::default();
    for text in texts {
        estimate.documents += 1;
        let Some(source) = SourceText::new(text) else {
            continue;
        };
        let Ok(chunks) = chunks(&source, &config.chunk) else {
            continue;
        };
        for chunk in &chunks {
            let text = source.slice(chunk.span).unwrap_or_default();
            estimate.chunks += 1;
            estimate.chunk(text, ontology, options, tokenizer);
        }
        if options.strategy == ExtractionStrategy::Staged {
            estimate.mention_batches(&source, config, ontology, options, tokenizer);
        }
    }
    estimate.cost_micro_usd = price.map(|price| price.micro_usd(estimate.usage));
    estimate
}

impl Estimate {
    fn chunk(
        &mut self,
        text: &str,
        ontology: &Ontology,
        options: &LlmOptions,
        tokenizer: Tokenizer,
    ) {
        let first = chunk_question(text, ontology, options);
        let share = match options.strategy {
            ExtractionStrategy::Single => SINGLE_SHARE,
            ExtractionStrategy::Staged => STAGE_SHARE,
        };
        let answer = answer_tokens(tokenizer.count(text), share);
        for _ in 0..=options.gleaning_rounds {
            self.call(tokenizer.of_call(&first), answer);
        }
        if options.strategy == ExtractionStrategy::Staged {
            let (relations, _) = later_questions(text, ontology, options);
            self.call(tokenizer.of_call(&relations), answer);
        }
    }

    /// Batches of mentions, each with the words around it.
    fn mention_batches(
        &mut self,
        source: &SourceText,
        config: &PipelineConfig,
        ontology: &Ontology,
        options: &LlmOptions,
        tokenizer: Tokenizer,
    ) {
        let mentions = source.char_count().div_ceil(CHARS_A_MENTION);
        let batches = mentions.div_ceil(config.mentions_per_batch.max(1));
        let (_, question) = later_questions("", ontology, options);
        let fixed = tokenizer.of_call(&question);
        // A mention with its context has some 80 tokens, and an entity some 40.
        let each = u64::from(config.mentions_per_batch.min(mentions));
        for _ in 0..batches {
            self.call(fixed + 80 * each, 40 * each);
        }
    }

    fn call(&mut self, prompt_tokens: u64, completion_tokens: u64) {
        self.calls += 1;
        self.usage.prompt_tokens += prompt_tokens;
        self.usage.completion_tokens += completion_tokens;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates"
)]
fn answer_tokens(text: u64, share: f64) -> u64 {
    (text as f64 * share) as u64 + 30
}
