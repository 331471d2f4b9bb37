//! What comparing the meanings of names would take.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use knowledge_domain::{
    Ontology,
    graph::{DocumentGraph, RelationObject},
    ids::{DocumentId, EntityId},
};
use knowledge_extraction::{ExtractionPipeline, OfflineExtractor, PipelineConfig, llm::Usage};
use knowledge_resolution::{Candidate, Form, PROBES};
use uuid::Uuid;

use crate::llm::Gateway;

/// Documents that are looked at; of more of them, so many that lie evenly among them.
const SAMPLE: usize = 500;
/// Forms that are asked about at once.
const AT_ONCE: u64 = 200;

/// What vectors of names are expected to take. Names that the organisation knows already cost
/// nothing, and which those are is not looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorEstimate {
    /// The model.
    pub model: String,
    /// Questions.
    pub calls: u64,
    /// Vectors: one for each name, and those that tell what all names have in common.
    pub vectors: u64,
    /// Tokens.
    pub tokens: u64,
    /// Millionths of a US dollar; absent where the model has no price.
    pub cost_micro_usd: Option<u64>,
}

/// What the vectors of the names in some texts are expected to take, as far as the offline
/// extractor finds them: about as many as a model does.
pub(super) async fn estimate(models: &Gateway, model: &str, texts: &[String]) -> VectorEstimate {
    let every = texts.len().div_ceil(SAMPLE).max(1);
    let mut names = BTreeSet::new();
    let pipeline = ExtractionPipeline::new(Arc::new(OfflineExtractor));
    let (ontology, config) = (Ontology::core(), PipelineConfig::default());
    for text in texts.iter().step_by(every) {
        // A text that cannot be extracted from fails before anything is asked.
        if let Ok(graph) = pipeline.run(text, &ontology, &config).await {
            names.extend(meanings(graph));
        }
        tokio::task::yield_now().await;
    }
    let tokenizer = models.tokenizer();
    let looked_at = texts.len().div_ceil(every).max(1);
    let of_all = |sampled: u64| (sampled * texts.len() as u64).div_ceil(looked_at as u64);
    let vectors = of_all(names.len() as u64);
    let mut tokens = of_all(names.iter().map(|name| tokenizer.count(name)).sum());
    let mut estimate = VectorEstimate {
        model: model.to_owned(),
        calls: 0,
        vectors: 0,
        tokens: 0,
        cost_micro_usd: None,
    };
    if vectors > 0 {
        tokens += PROBES
            .iter()
            .map(|probe| tokenizer.count(probe))
            .sum::<u64>();
        estimate.calls = 1 + vectors.div_ceil(AT_ONCE);
        estimate.vectors = vectors + PROBES.len() as u64;
        estimate.tokens = tokens;
    }
    let usage = Usage {
        prompt_tokens: estimate.tokens,
        ..Usage::default()
    };
    let price = models.settings().price(model);
    estimate.cost_micro_usd = price.map(|price| price.micro_usd(usage));
    estimate
}

/// What a model would be asked about the entities of a document.
fn meanings(graph: DocumentGraph) -> Vec<String> {
    let mut literals: BTreeMap<u32, BTreeMap<String, String>> = BTreeMap::new();
    for relation in graph.relations {
        if let RelationObject::Literal { value, .. } = relation.object {
            let of = literals.entry(relation.subject).or_default();
            of.insert(relation.predicate, value);
        }
    }
    let entities = (0_u32..).zip(graph.entities).map(|(at, entity)| Candidate {
        id: EntityId::from_uuid(Uuid::nil()),
        document: DocumentId::from_uuid(Uuid::nil()),
        name: entity.name,
        types: entity.types,
        above: entity.above,
        aliases: Vec::new(),
        attributes: entity.attributes,
        literals: literals.remove(&at).unwrap_or_default(),
        neighbours: Vec::new(),
        mentions: 1,
        confidence: entity.confidence,
    });
    entities.map(|entity| Form::of(&entity).meaning()).collect()
}
