//! The extractor that asks a model.

use std::{collections::BTreeMap, sync::Arc};

use knowledge_domain::{Ontology, batch::ExtractionStrategy, workflow::BoxFuture};

use super::{
    answer::{EntitiesAnswer, MentionsAnswer, RelationsAnswer, SingleAnswer},
    ask::Room,
    call::{Call, Models},
    ontology,
    prompt::{ENTITIES, GLEANING, MENTIONS, Prompt, RELATIONS, REPAIR, SINGLE},
    schema::Formed,
    single, staged,
};
use crate::{
    ChunkConfig, PipelineConfig,
    error::ExtractionError,
    extractor::{
        EntityCandidate, EntityRequest, Extractor, ExtractorIdentity, Found, MentionCandidate,
        MentionRequest, RelationCandidate, RelationRequest,
    },
};

/// Changes whenever the same answers may give another result, or what the stages leave to each other
/// has another form.
const VERSION: &str = "3";

/// How chunks become questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LlmOptions {
    /// How many questions a chunk becomes.
    pub strategy: ExtractionStrategy,
    /// Rounds in which a model is asked for what it missed.
    pub gleaning_rounds: u32,
    /// The most tokens of one answer.
    pub max_output_tokens: u32,
}

/// The longest chunk of one question, in characters: every question repeats its instructions, so
/// fewer cost less. An answer about as much still fits into the usual limit of an answer.
const SINGLE_CHARS: u32 = 4_000;

impl LlmOptions {
    /// How documents are cut and checked for this way of asking.
    #[must_use]
    pub fn pipeline(&self, config: PipelineConfig) -> PipelineConfig {
        match self.strategy {
            ExtractionStrategy::Staged => config,
            ExtractionStrategy::Single => PipelineConfig {
                chunk: ChunkConfig {
                    max_chars: SINGLE_CHARS,
                    ..config.chunk
                },
                ..config
            },
        }
    }
}

impl Default for LlmOptions {
    fn default() -> Self {
        Self {
            strategy: ExtractionStrategy::Single,
            gleaning_rounds: 0,
            max_output_tokens: 4_096,
        }
    }
}

/// Finds what a model says.
#[derive(Clone)]
pub struct LlmExtractor {
    models: Arc<dyn Models>,
    options: LlmOptions,
}

impl LlmExtractor {
    /// An extractor that asks `models`.
    #[must_use]
    pub fn new(models: Arc<dyn Models>, options: LlmOptions) -> Self {
        Self { models, options }
    }

    /// The versions of the prompts that this strategy asks with: `single@1`.
    #[must_use]
    pub fn prompt_versions(options: &LlmOptions) -> String {
        let prompts: &[Prompt] = match options.strategy {
            ExtractionStrategy::Single => &[SINGLE],
            ExtractionStrategy::Staged => &[MENTIONS, ENTITIES, RELATIONS],
        };
        let gleaning = (options.gleaning_rounds > 0).then_some(&GLEANING);
        let ids: Vec<String> = prompts
            .iter()
            .chain(gleaning)
            .map(|prompt| prompt.id())
            .collect();
        ids.join(" ")
    }

    pub(super) fn models(&self) -> &dyn Models {
        self.models.as_ref()
    }

    /// What room a question has whose text cannot be shortened, or can.
    pub(super) fn room(&self, last: bool) -> Room {
        Room {
            last,
            tokens: self.options.max_output_tokens,
        }
    }

    pub(super) fn options(&self) -> &LlmOptions {
        &self.options
    }
}

/// The question of a prompt about a text.
pub(super) fn question<A: Formed>(
    prompt: Prompt,
    ontology: &Ontology,
    (text, user): (&str, String),
    unit: &str,
    options: &LlmOptions,
) -> Call {
    Call {
        prompt: prompt.id(),
        system: prompt.system(&ontology::section(ontology, text)),
        max_output_tokens: output_limit(&user, options.max_output_tokens),
        user,
        format: Arc::clone(&A::form().format),
        unit: unit.to_owned(),
    }
}

/// What an answer about a text may be long: an answer names everything at most a few times. A
/// character is at most about one token, in any script.
pub(super) fn output_limit(user: &str, most: u32) -> u32 {
    let chars = u32::try_from(user.chars().count()).unwrap_or(u32::MAX);
    chars.saturating_mul(2).saturating_add(512).min(most)
}

impl Extractor for LlmExtractor {
    fn identity(&self) -> ExtractorIdentity {
        let settings = BTreeMap::from([
            ("model".to_owned(), self.models.model().to_owned()),
            ("strategy".to_owned(), self.options.strategy.to_string()),
            ("prompts".to_owned(), Self::prompt_versions(&self.options)),
            ("repair".to_owned(), REPAIR.id()),
            (
                "gleaning".to_owned(),
                self.options.gleaning_rounds.to_string(),
            ),
            (
                "output".to_owned(),
                self.options.max_output_tokens.to_string(),
            ),
        ]);
        ExtractorIdentity {
            name: "llm".to_owned(),
            version: VERSION.to_owned(),
            settings,
        }
    }

    fn asks_models(&self) -> bool {
        true
    }

    fn asks_for_mentions_alone(&self) -> bool {
        self.options.strategy == ExtractionStrategy::Single
    }

    fn mentions<'a>(
        &'a self,
        request: MentionRequest<'a>,
    ) -> BoxFuture<'a, Result<Found<MentionCandidate>, ExtractionError>> {
        Box::pin(async move {
            match self.options.strategy {
                ExtractionStrategy::Single => single::mentions(self, request).await,
                ExtractionStrategy::Staged => staged::mentions(self, request).await,
            }
        })
    }

    fn entities<'a>(
        &'a self,
        request: EntityRequest<'a>,
    ) -> BoxFuture<'a, Result<Found<EntityCandidate>, ExtractionError>> {
        Box::pin(async move {
            match self.options.strategy {
                ExtractionStrategy::Single => Ok(single::entities(request).into()),
                ExtractionStrategy::Staged => staged::entities(self, request).await,
            }
        })
    }

    fn relations<'a>(
        &'a self,
        request: RelationRequest<'a>,
    ) -> BoxFuture<'a, Result<Found<RelationCandidate>, ExtractionError>> {
        Box::pin(async move {
            match self.options.strategy {
                ExtractionStrategy::Single => single::relations(request),
                ExtractionStrategy::Staged => staged::relations(self, request).await,
            }
        })
    }
}

/// The first question about a chunk, for estimates.
pub(super) fn chunk_question(text: &str, ontology: &Ontology, options: &LlmOptions) -> Call {
    let user = super::prompt::enclosed(text);
    match options.strategy {
        ExtractionStrategy::Single => {
            question::<SingleAnswer>(SINGLE, ontology, (text, user), "", options)
        }
        ExtractionStrategy::Staged => {
            question::<MentionsAnswer>(MENTIONS, ontology, (text, user), "", options)
        }
    }
}

/// The questions that follow about a chunk and about a batch of mentions, for estimates.
pub(super) fn later_questions(
    text: &str,
    ontology: &Ontology,
    options: &LlmOptions,
) -> (Call, Call) {
    let user = super::prompt::enclosed(text);
    let about = (text, user.clone());
    (
        question::<RelationsAnswer>(RELATIONS, ontology, about, "", options),
        question::<EntitiesAnswer>(ENTITIES, ontology, (text, user), "", options),
    )
}
