//! The one definition of the extraction workflow, and what its activities do.
//!
//! The definition is pure: it only decodes outputs and builds inputs, so any executor that replays
//! recorded outputs takes the same path again. Inputs carry positions, not text.

mod activities;
mod data;

pub use activities::{DocumentSource, ExtractionActivities, GraphSink};
use data::{
    Asked, AssembleInput, AssembleOutput, ChunkInput, ChunkOutput, EntitiesInput, EntitiesOutput,
    MentionsInput, MentionsOutput, RelationMention, RelationsInput, RelationsOutput, decode,
    encode,
};
pub use data::{ExtractionInput, ExtractionSummary, MissingUnit, is_same_result};
use knowledge_domain::{
    core_type,
    graph::Chunk,
    workflow::{ActivityCall, ActivityError, Durable, StageCall, WorkflowError, WorkflowStage},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    assemble::{Assembly, FoundEntity, FoundMention, FoundRelation},
    verify::sort_once,
};

#[cfg(test)]
mod tests;

/// Changes whenever the stages or their data change in a way that old journals do not fit.
pub const WORKFLOW_VERSION: u32 = 1;

/// Extracts one document: chunk, mentions, entities, relations, assemble.
///
/// The graph itself goes to the activities' sink; the result only counts it.
///
/// # Errors
/// [`WorkflowError`] of the first stage that fails for good; recorded data that cannot be read is
/// such a failure, of kind permanent.
///
/// # Cancel safety
/// Dropping the future drops the stage in flight; what the executor has recorded stays.
pub async fn extract_document(
    durable: &dyn Durable,
    input: &ExtractionInput,
) -> Result<ExtractionSummary, WorkflowError> {
    let mut run = Run {
        durable,
        input,
        summary: ExtractionSummary::default(),
    };
    let chunks = run.chunk().await?;
    let (mentions, memos) = run.mentions(&chunks).await?;
    let entities = run.entities(&mentions).await?;
    let relations = run.relations(&chunks, &mentions, &entities, memos).await?;
    run.assemble(Assembly {
        chunks,
        mentions,
        entities,
        relations,
    })
    .await?;
    Ok(run.summary)
}

/// What a chunk's mentions leave to its relations.
type Memo = Option<serde_json::Value>;

struct Run<'a> {
    durable: &'a dyn Durable,
    input: &'a ExtractionInput,
    summary: ExtractionSummary,
}

impl Run<'_> {
    async fn chunk(&mut self) -> Result<Vec<Chunk>, WorkflowError> {
        let input = ChunkInput {
            document: self.input.document(),
            config: self.input.config.chunk,
        };
        let outputs: Vec<ChunkOutput> = self
            .stage(
                WorkflowStage::Chunk,
                std::iter::once(("chunk".to_owned(), input)),
            )
            .await?;
        let chunks: Vec<Chunk> = outputs
            .into_iter()
            .flat_map(|output| output.chunks)
            .collect();
        self.summary.chunk_count = count(chunks.len());
        Ok(chunks)
    }

    /// All mentions, sorted by span, each span once; and what each chunk leaves to its relations.
    async fn mentions(
        &mut self,
        chunks: &[Chunk],
    ) -> Result<(Vec<FoundMention>, Vec<Memo>), WorkflowError> {
        let document = self.input.document();
        let calls = chunks.iter().map(|chunk| {
            let input = MentionsInput {
                document: document.clone(),
                chunk: *chunk,
            };
            (format!("mentions/{}", chunk.position), input)
        });
        let outputs: Vec<MentionsOutput> = self.asked(WorkflowStage::Mentions, calls).await?;
        let (mut mentions, mut memos) = (Vec::new(), Vec::with_capacity(outputs.len()));
        for output in outputs {
            self.tally(output.tokens_used, output.rejections);
            mentions.extend(output.mentions);
            memos.push(output.memo);
        }
        sort_once(&mut mentions);
        settle_overlaps(&mut mentions);
        Ok((mentions, memos))
    }

    /// Entities with positions in `mentions`.
    async fn entities(
        &mut self,
        mentions: &[FoundMention],
    ) -> Result<Vec<FoundEntity>, WorkflowError> {
        let document = self.input.document();
        let size = (self.input.config.mentions_per_batch as usize).max(1);
        let calls = mentions.chunks(size).enumerate().map(|(batch, mentions)| {
            let input = EntitiesInput {
                document: document.clone(),
                mentions: mentions.to_vec(),
            };
            (format!("entities/{batch}"), input)
        });
        let outputs: Vec<EntitiesOutput> = self.asked(WorkflowStage::Entities, calls).await?;
        let mut entities = Vec::new();
        for (batch, output) in outputs.into_iter().enumerate() {
            self.tally(output.tokens_used, output.rejections);
            let offset = count(batch * size);
            entities.extend(output.entities.into_iter().map(|mut entity| {
                for mention in &mut entity.mentions {
                    *mention = mention.saturating_add(offset);
                }
                entity
            }));
        }
        Ok(entities)
    }

    async fn relations(
        &mut self,
        chunks: &[Chunk],
        mentions: &[FoundMention],
        entities: &[FoundEntity],
        memos: Vec<Memo>,
    ) -> Result<Vec<FoundRelation>, WorkflowError> {
        let typed = typed_mentions(mentions, entities);
        let topic = typed.iter().find(|mention| is_topic(mention)).cloned();
        let document = self.input.document();
        let mut first = 0;
        let calls = chunks.iter().zip(memos).map(|(chunk, memo)| {
            while typed
                .get(first)
                .is_some_and(|mention| mention.span.start() < chunk.span.start())
            {
                first += 1;
            }
            let input = RelationsInput {
                document: document.clone(),
                chunk: *chunk,
                mentions: typed[first..]
                    .iter()
                    .take_while(|mention| mention.span.start() < chunk.span.end())
                    .filter(|mention| chunk.span.contains(mention.span))
                    .cloned()
                    .collect(),
                topic: topic.clone(),
                memo,
            };
            (format!("relations/{}", chunk.position), input)
        });
        let calls: Vec<(String, RelationsInput)> = calls.collect();
        let outputs: Vec<RelationsOutput> = self
            .asked(WorkflowStage::Relations, calls.into_iter())
            .await?;
        let mut relations = Vec::new();
        for output in outputs {
            self.tally(output.tokens_used, output.rejections);
            relations.extend(output.relations);
        }
        relations.sort();
        relations.dedup();
        Ok(relations)
    }

    async fn assemble(&mut self, assembly: Assembly) -> Result<(), WorkflowError> {
        let input = AssembleInput {
            document: self.input.document(),
            assembly,
            missing: self.summary.missing_names(),
        };
        let calls = std::iter::once(("assemble".to_owned(), input));
        let outputs: Vec<AssembleOutput> = self.stage(WorkflowStage::Assemble, calls).await?;
        for output in outputs {
            self.summary.mention_count = output.mention_count;
            self.summary.entity_count = output.entity_count;
            self.summary.relation_count = output.relation_count;
        }
        Ok(())
    }

    /// Runs a stage that asks the extractor; units without a result are noted, too many of them
    /// fail the stage.
    async fn asked<I: Serialize, O: Asked>(
        &mut self,
        stage: WorkflowStage,
        units: impl Iterator<Item = (String, I)>,
    ) -> Result<Vec<O>, WorkflowError> {
        let mut names = Vec::new();
        let units = units.inspect(|(name, _)| names.push(name.clone()));
        let outputs: Vec<O> = self.stage(stage, units).await?;
        let missing: Vec<MissingUnit> = names
            .into_iter()
            .zip(&outputs)
            .filter_map(|(unit, output)| {
                let reason = output.missing()?.to_owned();
                Some(MissingUnit { unit, reason })
            })
            .collect();
        let found = outputs.len() - missing.len();
        if found * 100 < outputs.len() * self.input.minimum_coverage as usize {
            return Err(WorkflowError::Activity {
                stage,
                source: uncovered(&missing, outputs.len()),
            });
        }
        self.summary.missing.extend(missing);
        Ok(outputs)
    }

    /// Runs a stage, entered even without units, and decodes its outputs in order.
    async fn stage<I: Serialize, O: DeserializeOwned>(
        &self,
        stage: WorkflowStage,
        units: impl Iterator<Item = (String, I)>,
    ) -> Result<Vec<O>, WorkflowError> {
        let calls: Vec<ActivityCall> = units
            .map(|(name, input)| {
                let input = encode(&name, &input)?;
                Ok(ActivityCall { name, input })
            })
            .collect::<Result<_, _>>()
            .map_err(|source| WorkflowError::Activity { stage, source })?;
        let names: Vec<String> = calls.iter().map(|call| call.name.clone()).collect();
        let outputs = self.durable.run_stage(StageCall { stage, calls }).await?;
        names
            .iter()
            .zip(&outputs)
            .map(|(name, bytes)| decode(name, "output", bytes))
            .collect::<Result<_, _>>()
            .map_err(|source| WorkflowError::Activity { stage, source })
    }

    fn tally(&mut self, tokens: u64, rejections: crate::verify::Rejections) {
        self.summary.total_tokens = self.summary.total_tokens.saturating_add(tokens);
        self.summary.rejections += rejections;
    }
}

/// Says which units have no result; the first few by name.
fn uncovered(missing: &[MissingUnit], units: usize) -> ActivityError {
    const NAMED: usize = 5;
    let mut named: Vec<String> = missing
        .iter()
        .take(NAMED)
        .map(|missing| format!("{} ({})", missing.unit, missing.reason))
        .collect();
    if missing.len() > NAMED {
        named.push(format!("{} more", missing.len() - NAMED));
    }
    ActivityError::permanent(format!(
        "{} of {units} units have no result: {}",
        missing.len(),
        named.join(", ")
    ))
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Where overlapping chunks cut one name differently, the longest stays, then the surest.
fn settle_overlaps(mentions: &mut Vec<FoundMention>) {
    let mut kept: Vec<FoundMention> = Vec::with_capacity(mentions.len());
    for mention in mentions.drain(..) {
        let length = |m: &FoundMention| m.span.end() - m.span.start();
        match kept.last_mut() {
            Some(last) if last.span.overlaps(mention.span) && !last.span.contains(mention.span) => {
                if (length(&mention), mention.confidence) > (length(last), last.confidence) {
                    *last = mention;
                }
            }
            _ => kept.push(mention),
        }
    }
    *mentions = kept;
}

/// Mentions with the types of their entities, else with the type that was suggested.
fn typed_mentions(mentions: &[FoundMention], entities: &[FoundEntity]) -> Vec<RelationMention> {
    let mut typed: Vec<RelationMention> = mentions
        .iter()
        .zip(0_u32..)
        .map(|(mention, id)| RelationMention {
            id,
            span: mention.span,
            types: vec![mention.mention_type.clone()],
        })
        .collect();
    for entity in entities {
        for mention in &entity.mentions {
            if let Some(mention) = typed.get_mut(*mention as usize) {
                mention.types.clone_from(&entity.types);
            }
        }
    }
    typed
}

fn is_topic(mention: &RelationMention) -> bool {
    !mention
        .types
        .iter()
        .any(|name| name == core_type::DATE || name == core_type::QUANTITY)
}
