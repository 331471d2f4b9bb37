//! What the activities of the extraction workflow do.

use std::sync::Arc;

use knowledge_domain::{
    Ontology,
    graph::{CharSpan, DocumentGraph, SourceText},
    ids::DocumentId,
    workflow::{
        Activities, ActivityCall, ActivityContext, ActivityError, BoxFuture, UnitReport,
        WorkflowStage,
    },
};

use super::data::{
    AssembleInput, AssembleOutput, ChunkInput, ChunkOutput, DocumentRef, EntitiesInput,
    EntitiesOutput, MentionsInput, MentionsOutput, RelationMention, RelationsInput,
    RelationsOutput, decode, encode, report,
};
use crate::{
    assemble::assemble,
    chunk::chunks,
    config::PipelineConfig,
    error::ExtractionError,
    extractor::{
        EntityRequest, Extractor, MentionInContext, MentionRequest, RelationRequest, TypedMention,
    },
    verify::{self, Verifier},
};

/// How much text before and after a mention an extractor is shown, in characters.
const CONTEXT_CHARS: u32 = 120;

/// Where documents come from.
pub trait DocumentSource: Send + Sync {
    /// The text of a document.
    ///
    /// # Errors
    /// An [`ActivityError`] whose kind says whether another attempt may help.
    fn text(&self, document: DocumentId) -> BoxFuture<'_, Result<SourceText, ActivityError>>;
}

/// Where graphs go.
pub trait GraphSink: Send + Sync {
    /// Stores the graph of a document; called again with the same graph, it changes nothing.
    ///
    /// # Errors
    /// An [`ActivityError`] whose kind says whether another attempt may help.
    fn store<'a>(
        &'a self,
        document: DocumentId,
        graph: &'a DocumentGraph,
    ) -> BoxFuture<'a, Result<(), ActivityError>>;
}

/// The side effects of the extraction workflow: each unit reads the document, asks the extractor
/// and checks what it says; the last stores the graph.
pub struct ExtractionActivities {
    extractor: Arc<dyn Extractor>,
    ontology: Arc<Ontology>,
    config: PipelineConfig,
    source: Arc<dyn DocumentSource>,
    sink: Arc<dyn GraphSink>,
}

impl ExtractionActivities {
    /// Activities of one extractor, ontology and configuration, for any number of documents.
    #[must_use]
    pub fn new(
        extractor: Arc<dyn Extractor>,
        ontology: Arc<Ontology>,
        config: PipelineConfig,
        source: Arc<dyn DocumentSource>,
        sink: Arc<dyn GraphSink>,
    ) -> Self {
        Self {
            extractor,
            ontology,
            config,
            source,
            sink,
        }
    }

    async fn dispatch(
        &self,
        context: &ActivityContext,
        call: &ActivityCall,
    ) -> Result<Vec<u8>, ActivityError> {
        let (name, key) = (call.name.as_str(), context.idempotency_key.as_str());
        match context.stage {
            WorkflowStage::Chunk => {
                let output = self.chunk(read(call)?).await?;
                encode(name, &output)
            }
            WorkflowStage::Mentions => {
                let output = self.mentions(read(call)?, key).await?;
                encode(name, &output)
            }
            WorkflowStage::Entities => {
                let output = self.entities(read(call)?, key).await?;
                encode(name, &output)
            }
            WorkflowStage::Relations => {
                let output = self.relations(read(call)?, key).await?;
                encode(name, &output)
            }
            WorkflowStage::Assemble => {
                let output = self.assemble(read(call)?).await?;
                encode(name, &output)
            }
        }
    }

    async fn text(&self, document: &DocumentRef) -> Result<SourceText, ActivityError> {
        self.source.text(document.document_id).await
    }

    async fn chunk(&self, input: ChunkInput) -> Result<ChunkOutput, ActivityError> {
        let source = self.text(&input.document).await?;
        let chunks = chunks(&source, &input.config)?;
        Ok(ChunkOutput { chunks })
    }

    async fn mentions(
        &self,
        input: MentionsInput,
        key: &str,
    ) -> Result<MentionsOutput, ActivityError> {
        let source = self.text(&input.document).await?;
        let text = part(&source, input.chunk.span)?;
        let request = MentionRequest {
            text: text.as_str(),
            ontology: &self.ontology,
            idempotency_key: key,
        };
        let found = match self.extractor.mentions(request).await {
            Err(ExtractionError::Unit { reason }) => {
                return Ok(MentionsOutput {
                    missing: Some(reason),
                    ..MentionsOutput::default()
                });
            }
            found => found?,
        };
        let mut rejections = found.rejections;
        let verifier = self.verifier(&text, input.chunk.span);
        Ok(MentionsOutput {
            mentions: verifier.mentions(found.items, &mut rejections),
            tokens_used: found.tokens_used,
            rejections,
            memo: found.memo,
            missing: None,
        })
    }

    async fn entities(
        &self,
        input: EntitiesInput,
        key: &str,
    ) -> Result<EntitiesOutput, ActivityError> {
        let source = self.text(&input.document).await?;
        let mut mentions = Vec::with_capacity(input.mentions.len());
        for mention in &input.mentions {
            mentions.push(MentionInContext {
                text: source.slice(mention.span).ok_or_else(text_changed)?,
                mention_type: &mention.mention_type,
                confidence: mention.confidence,
                before: before(&source, mention.span),
                after: after(&source, mention.span),
                entity: mention.entity.as_ref(),
            });
        }
        let request = EntityRequest {
            mentions: &mentions,
            ontology: &self.ontology,
            idempotency_key: key,
        };
        let found = match self.extractor.entities(request).await {
            Err(ExtractionError::Unit { reason }) => {
                return Ok(EntitiesOutput {
                    missing: Some(reason),
                    ..EntitiesOutput::default()
                });
            }
            found => found?,
        };
        let mut rejections = found.rejections;
        Ok(EntitiesOutput {
            entities: verify::entities(
                found.items,
                mentions.len(),
                &self.ontology,
                self.config.confidence_floor,
                &mut rejections,
            ),
            tokens_used: found.tokens_used,
            rejections,
            missing: None,
        })
    }

    async fn relations(
        &self,
        input: RelationsInput,
        key: &str,
    ) -> Result<RelationsOutput, ActivityError> {
        let source = self.text(&input.document).await?;
        let span = input.chunk.span;
        let text = part(&source, span)?;
        let topic = match &input.topic {
            Some(topic) => Some(typed(&source, topic, span)?),
            None => None,
        };
        let mut mentions = input
            .mentions
            .iter()
            .map(|mention| typed(&source, mention, span))
            .collect::<Result<Vec<_>, _>>()?;
        let request = RelationRequest {
            text: text.as_str(),
            mentions: &mentions,
            topic: topic.as_ref(),
            ontology: &self.ontology,
            memo: input.memo.as_ref(),
            idempotency_key: key,
        };
        let found = match self.extractor.relations(request).await {
            Err(ExtractionError::Unit { reason }) => {
                return Ok(RelationsOutput {
                    missing: Some(reason),
                    ..RelationsOutput::default()
                });
            }
            found => found?,
        };
        mentions.extend(topic);
        let mut rejections = found.rejections;
        let verifier = self.verifier(&text, span);
        Ok(RelationsOutput {
            relations: verifier.relations(found.items, &mentions, &mut rejections),
            tokens_used: found.tokens_used,
            rejections,
            missing: None,
        })
    }

    async fn assemble(&self, input: AssembleInput) -> Result<AssembleOutput, ActivityError> {
        let source = self.text(&input.document).await?;
        let graph = assemble(&source, input.assembly, &self.ontology);
        self.sink.store(input.document.document_id, &graph).await?;
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Ok(AssembleOutput {
            mention_count: count(graph.mentions.len()),
            entity_count: count(graph.entities.len()),
            relation_count: count(graph.relations.len()),
        })
    }

    fn verifier<'a>(&'a self, text: &'a SourceText, span: CharSpan) -> Verifier<'a> {
        Verifier {
            text,
            offset: span.start(),
            ontology: &self.ontology,
            floor: self.config.confidence_floor,
        }
    }
}

impl Activities for ExtractionActivities {
    fn run<'a>(
        &'a self,
        context: &'a ActivityContext,
        call: &'a ActivityCall,
    ) -> BoxFuture<'a, Result<Vec<u8>, ActivityError>> {
        Box::pin(self.dispatch(context, call))
    }

    fn report(&self, output: &[u8]) -> UnitReport {
        if self.extractor.asks_models() {
            report(output)
        } else {
            UnitReport::default()
        }
    }

    fn keeps_time(&self) -> bool {
        self.extractor.asks_models()
    }

    fn only_computes(&self, stage: WorkflowStage) -> bool {
        match stage {
            WorkflowStage::Chunk | WorkflowStage::Assemble => true,
            WorkflowStage::Entities | WorkflowStage::Relations => {
                self.extractor.asks_for_mentions_alone()
            }
            WorkflowStage::Mentions => false,
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(call: &ActivityCall) -> Result<T, ActivityError> {
    decode(&call.name, "input", &call.input)
}

fn text_changed() -> ActivityError {
    ActivityError::permanent("the document is shorter than when it was cut: its text has changed")
}

fn part(source: &SourceText, span: CharSpan) -> Result<SourceText, ActivityError> {
    source
        .slice(span)
        .and_then(SourceText::new)
        .ok_or_else(text_changed)
}

fn before(source: &SourceText, span: CharSpan) -> &str {
    let start = span.start().saturating_sub(CONTEXT_CHARS);
    CharSpan::new(start, span.start())
        .ok()
        .and_then(|span| source.slice(span))
        .unwrap_or_default()
}

fn after(source: &SourceText, span: CharSpan) -> &str {
    let end = span
        .end()
        .saturating_add(CONTEXT_CHARS)
        .min(source.char_count());
    CharSpan::new(span.end(), end)
        .ok()
        .and_then(|span| source.slice(span))
        .unwrap_or_default()
}

fn typed(
    source: &SourceText,
    mention: &RelationMention,
    chunk: CharSpan,
) -> Result<TypedMention, ActivityError> {
    let inside = || {
        let start = mention.span.start() - chunk.start();
        CharSpan::new(start, start + (mention.span.end() - mention.span.start())).ok()
    };
    Ok(TypedMention {
        id: mention.id,
        span: chunk.contains(mention.span).then(inside).flatten(),
        text: source
            .slice(mention.span)
            .ok_or_else(text_changed)?
            .to_owned(),
        types: mention.types.clone(),
    })
}
