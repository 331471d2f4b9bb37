//! Tokens of questions, counted once for what many of them share.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use knowledge_extraction::llm::{Call, Tokenizer};

use super::question::Question;

/// Instructions whose tokens are remembered; a large ontology has some for each part of it.
const REMEMBERED: usize = 32;

/// Instructions and the name of their schema, with their tokens.
type Instructions = (Arc<str>, &'static str, u64);

/// Counts with the tokenizer of one model, loaded when first needed.
#[derive(Debug, Default)]
pub(super) struct Counts {
    tokenizer: OnceLock<Tokenizer>,
    instructions: Mutex<VecDeque<Instructions>>,
}

impl Counts {
    /// How tokens are counted for this model.
    pub(super) fn tokenizer(&self, model: &str) -> Tokenizer {
        *self.tokenizer.get_or_init(|| Tokenizer::of_model(model))
    }

    /// Tokens of a question.
    pub(super) fn of_question(&self, tokenizer: Tokenizer, question: &Question) -> u64 {
        match question {
            Question::Chat(call) => {
                self.of_instructions(tokenizer, call) + tokenizer.count(&call.user)
            }
            Question::Vectors { texts, .. } => texts.iter().map(|text| tokenizer.count(text)).sum(),
        }
    }

    fn of_instructions(&self, tokenizer: Tokenizer, call: &Call) -> u64 {
        let known = || {
            let lock = self.instructions.lock();
            // One is put in whole.
            lock.unwrap_or_else(PoisonError::into_inner)
        };
        let is_call = |(system, name, _): &&Instructions| {
            *name == call.format.name && **system == *call.system
        };
        if let Some((_, _, tokens)) = known().iter().find(is_call) {
            return *tokens;
        }
        let tokens = tokenizer.of_instructions(call);
        let mut known = known();
        known.push_front((Arc::clone(&call.system), call.format.name, tokens));
        known.truncate(REMEMBERED);
        tokens
    }
}

#[cfg(test)]
mod tests {
    use knowledge_extraction::llm::AnswerFormat;
    use serde_json::json;

    use super::*;

    fn call(system: &str, name: &'static str, user: &str) -> Question {
        Question::Chat(Call {
            prompt: "single@1".to_owned(),
            system: system.into(),
            user: user.to_owned(),
            format: Arc::new(AnswerFormat {
                name,
                schema: json!({ "title": name }),
            }),
            max_output_tokens: 100,
            unit: String::new(),
        })
    }

    #[test]
    fn what_is_remembered_is_what_is_counted() {
        let counts = Counts::default();
        let tokenizer = counts.tokenizer("gpt-4o-mini");
        for round in 0..2 {
            for (system, name, user) in [
                ("You find names.", "a", "Ilse met Otto."),
                ("You find names.", "a", "Ilse met Otto, and Otto met Karl."),
                ("You find names.", "another_schema", "Ilse met Otto."),
                ("You find names and places.", "a", ""),
            ] {
                let question = call(system, name, user);
                let Question::Chat(call) = &question else {
                    unreachable!("a chat")
                };
                let counted = counts.of_question(tokenizer, &question);
                assert_eq!(counted, tokenizer.of_call(call), "{round} {system} {name}");
            }
        }
        assert_eq!(counts.instructions.lock().unwrap().len(), 3);
    }
}
