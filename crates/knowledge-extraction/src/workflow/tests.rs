use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use knowledge_domain::{
    ErrorKind, Ontology,
    graph::{DocumentGraph, SourceText},
    ids::{DocumentId, OrganizationId},
    workflow::{Activities, ActivityContext, ActivityError, BoxFuture},
};

use super::*;
use crate::{Extractor as _, OfflineExtractor, PipelineConfig, sha256_hex};

/// A document, and how often each graph was stored.
struct Store {
    text: String,
    graphs: Mutex<Vec<DocumentGraph>>,
}

impl DocumentSource for Store {
    fn text(&self, _: DocumentId) -> BoxFuture<'_, Result<SourceText, ActivityError>> {
        Box::pin(async { Ok(SourceText::new(self.text.as_str()).unwrap()) })
    }
}

impl GraphSink for Store {
    fn store<'a>(
        &'a self,
        _: DocumentId,
        graph: &'a DocumentGraph,
    ) -> BoxFuture<'a, Result<(), ActivityError>> {
        Box::pin(async move {
            self.graphs.lock().unwrap().push(graph.clone());
            Ok(())
        })
    }
}

/// Outputs by name and input.
type Outputs = BTreeMap<(String, Vec<u8>), Vec<u8>>;

/// Runs activities once and journals their outputs by name and input.
struct Journal {
    activities: ExtractionActivities,
    outputs: Mutex<Outputs>,
    stages: Mutex<Vec<(WorkflowStage, usize)>>,
    runs: Mutex<usize>,
}

impl Durable for Journal {
    fn run_stage(&self, call: StageCall) -> BoxFuture<'_, Result<Vec<Vec<u8>>, WorkflowError>> {
        Box::pin(async move {
            let stage = call.stage;
            self.stages.lock().unwrap().push((stage, call.calls.len()));
            let mut outputs = Vec::new();
            for call in call.calls {
                outputs.push(self.unit(stage, call).await?);
            }
            Ok(outputs)
        })
    }
}

impl Journal {
    async fn unit(
        &self,
        stage: WorkflowStage,
        call: ActivityCall,
    ) -> Result<Vec<u8>, WorkflowError> {
        let key = (call.name.clone(), call.input.clone());
        if let Some(known) = self.outputs.lock().unwrap().get(&key) {
            return Ok(known.clone());
        }
        *self.runs.lock().unwrap() += 1;
        let context = ActivityContext {
            stage,
            idempotency_key: call.name.clone(),
            attempt: 1,
        };
        let output = self
            .activities
            .run(&context, &call)
            .await
            .map_err(|source| WorkflowError::Activity { stage, source })?;
        self.outputs.lock().unwrap().insert(key, output.clone());
        Ok(output)
    }
}

fn journal(text: &str) -> (Arc<Store>, Journal, ExtractionInput) {
    let store = Arc::new(Store {
        text: text.to_owned(),
        graphs: Mutex::new(Vec::new()),
    });
    let (ontology, config) = (Ontology::core(), PipelineConfig::default());
    let extractor = OfflineExtractor::new();
    let hash = sha256_hex(text.as_bytes());
    let document = DocumentId::derive(OrganizationId::DEFAULT, &hash);
    let input = ExtractionInput::new(
        document,
        hash,
        &extractor.identity(),
        &ontology,
        config.clone(),
    );
    let activities = ExtractionActivities::new(
        Arc::new(extractor),
        Arc::new(ontology),
        config,
        Arc::clone(&store) as Arc<dyn DocumentSource>,
        Arc::clone(&store) as Arc<dyn GraphSink>,
    );
    let journal = Journal {
        activities,
        outputs: Mutex::default(),
        stages: Mutex::default(),
        runs: Mutex::default(),
    };
    (store, journal, input)
}

fn long_text() -> String {
    "Ada Reed met Bo Winter in Leeds in 1843. ".repeat(120)
}

#[tokio::test]
async fn every_stage_is_entered_in_order_with_its_units() {
    use WorkflowStage::{Assemble, Chunk, Entities, Mentions, Relations};

    let (store, journal, input) = journal(&long_text());
    let summary = extract_document(&journal, &input).await.unwrap();
    let chunks = summary.chunk_count as usize;
    let batches = (summary.mention_count as usize).div_ceil(50);
    assert!(chunks > 1 && batches > 1);
    assert_eq!(
        *journal.stages.lock().unwrap(),
        [
            (Chunk, 1),
            (Mentions, chunks),
            (Entities, batches),
            (Relations, chunks),
            (Assemble, 1)
        ]
    );
    let graphs = store.graphs.lock().unwrap();
    assert_eq!(graphs.len(), 1);
    assert_eq!(graphs[0].entities.len(), summary.entity_count as usize);
    assert_eq!(graphs[0].relations.len(), summary.relation_count as usize);
    assert_eq!(graphs[0].mentions.len(), summary.mention_count as usize);
}

#[tokio::test]
async fn a_text_without_names_still_passes_all_stages() {
    let (_, journal, input) = journal("nothing to see here");
    let summary = extract_document(&journal, &input).await.unwrap();
    assert_eq!((summary.mention_count, summary.entity_count), (0, 0));
    let units: Vec<usize> = journal
        .stages
        .lock()
        .unwrap()
        .iter()
        .map(|(_, units)| *units)
        .collect();
    assert_eq!(units, [1, 1, 0, 1, 1]);
}

#[tokio::test]
async fn a_replay_runs_nothing_again_and_ends_the_same() {
    let (store, journal, input) = journal(&long_text());
    let first = extract_document(&journal, &input).await.unwrap();
    let runs = *journal.runs.lock().unwrap();
    let second = extract_document(&journal, &input).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(*journal.runs.lock().unwrap(), runs);
    assert_eq!(store.graphs.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn inputs_and_chunks_carry_no_text() {
    let (_, journal, input) = journal("Zanzibarine is here. Ada Reed lives in Leeds.");
    extract_document(&journal, &input).await.unwrap();
    for ((name, input), output) in &*journal.outputs.lock().unwrap() {
        let data = String::from_utf8_lossy(input).into_owned() + &String::from_utf8_lossy(output);
        assert!(!data.contains("is here"), "{name}: {data}");
    }
}

#[tokio::test]
async fn an_empty_document_fails_at_the_chunk_stage_for_good() {
    let (_, journal, input) = journal(" \n ");
    let error = extract_document(&journal, &input).await.unwrap_err();
    assert_eq!(error.stage(), Some(WorkflowStage::Chunk));
    assert_eq!(error.kind(), ErrorKind::Permanent);
    let cause = std::error::Error::source(&error).unwrap();
    insta::assert_snapshot!(cause, @"the document is empty: it has no character that is not white space");
}

#[tokio::test]
async fn a_damaged_journal_is_a_permanent_failure_of_its_stage() {
    let (_, journal, input) = journal("Ada Reed lives in Leeds.");
    extract_document(&journal, &input).await.unwrap();
    for ((name, _), output) in &mut *journal.outputs.lock().unwrap() {
        if name == "mentions/0" {
            *output = b"{".to_vec();
        }
    }
    let error = extract_document(&journal, &input).await.unwrap_err();
    assert_eq!(error.stage(), Some(WorkflowStage::Mentions));
    assert_eq!(error.kind(), ErrorKind::Permanent);
    let cause = std::error::Error::source(&error).unwrap();
    insta::assert_snapshot!(cause, @"cannot read the recorded output of mentions/0: EOF while parsing an object at line 1 column 1");
}

#[test]
fn overlapping_mentions_of_two_chunks_are_settled_by_length() {
    let mention = |start, end| FoundMention {
        span: knowledge_domain::graph::CharSpan::new(start, end).unwrap(),
        mention_type: "Person".to_owned(),
        confidence: knowledge_domain::graph::Confidence::ONE,
        entity: None,
    };
    let mut mentions = vec![mention(0, 5), mention(3, 9), mention(4, 6), mention(9, 12)];
    settle_overlaps(&mut mentions);
    assert_eq!(mentions, [mention(3, 9), mention(4, 6), mention(9, 12)]);
}
