//! Five-step workflows whose steps return 1 KiB at once: what is left is the engine's own work.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anyhow::Result;
use knowledge_domain::{
    ids::ExtractionId,
    workflow::{
        Activities, ActivityCall, ActivityContext, ActivityError, BoxFuture, Durable, StageCall,
        WorkflowError, WorkflowStage,
    },
};
use knowledge_server::{
    engine::{Job, Workflow, Workflows},
    store::{DatabaseUrl, ledger::DocumentOutcome},
};

use crate::{
    parts,
    sample::{Durations, Sample},
};

const STAGES: [WorkflowStage; 5] = [
    WorkflowStage::Chunk,
    WorkflowStage::Mentions,
    WorkflowStage::Entities,
    WorkflowStage::Relations,
    WorkflowStage::Assemble,
];

/// Bytes that a step returns, its quotation marks included.
const STEP_BYTES: usize = 1024;

/// Runs so many workflows, `concurrency` at a time.
pub(crate) async fn measure(
    url: &DatabaseUrl,
    workflows: usize,
    concurrency: u32,
) -> Result<Sample> {
    let ledger = parts::ledger(url).await?;
    let steps = Arc::new(FiveSteps::default());
    let texts = (0..workflows)
        .map(|index| format!("workflow {index}"))
        .collect();
    let command = parts::batch(texts, concurrency, false);
    let mut sample = parts::run(&ledger, Arc::clone(&steps) as Arc<dyn Workflows>, command).await?;
    sample.checkpoint = steps.checkpoints.take();
    Ok(sample)
}

#[derive(Default)]
struct FiveSteps {
    checkpoints: Arc<Durations>,
}

impl Workflows for FiveSteps {
    fn workflow<'a>(
        &'a self,
        job: &'a Job,
    ) -> BoxFuture<'a, Result<Arc<dyn Workflow>, WorkflowError>> {
        let workflow = Steps {
            extraction: ExtractionId::derive(job.run.content, "benchmark"),
            bodies: Arc::new(Bodies {
                checkpoints: Arc::clone(&self.checkpoints),
                ended: Mutex::new(None),
            }),
        };
        Box::pin(std::future::ready(Ok(
            Arc::new(workflow) as Arc<dyn Workflow>
        )))
    }
}

struct Steps {
    extraction: ExtractionId,
    bodies: Arc<Bodies>,
}

impl Workflow for Steps {
    fn activities(&self) -> Arc<dyn Activities> {
        Arc::clone(&self.bodies) as Arc<dyn Activities>
    }

    fn define<'a>(
        &'a self,
        durable: &'a dyn Durable,
    ) -> BoxFuture<'a, Result<DocumentOutcome, WorkflowError>> {
        Box::pin(async move {
            let mut input = b"\"begin\"".to_vec();
            for stage in STAGES {
                let call = ActivityCall {
                    name: format!("{stage}/0"),
                    input,
                };
                let calls = vec![call];
                let mut outputs = durable.run_stage(StageCall { stage, calls }).await?;
                input = outputs.pop().unwrap_or_default();
            }
            Ok(DocumentOutcome {
                extraction: self.extraction,
                entities: 0,
                relations: 0,
                missing: 0,
                tokens: 0,
                output: serde_json::json!({}),
                trailing: Vec::new(),
                graph: None,
            })
        })
    }
}

/// The bodies of one workflow's steps, and when the last one ended.
struct Bodies {
    checkpoints: Arc<Durations>,
    ended: Mutex<Option<Instant>>,
}

impl Activities for Bodies {
    fn run<'a>(
        &'a self,
        _: &'a ActivityContext,
        call: &'a ActivityCall,
    ) -> BoxFuture<'a, Result<Vec<u8>, ActivityError>> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = *ended {
            self.checkpoints.add(ended.elapsed());
        }
        let output = output(&call.name);
        *ended = Some(Instant::now());
        Box::pin(std::future::ready(Ok(output)))
    }
}

/// A JSON string that begins with the step's name.
fn output(name: &str) -> Vec<u8> {
    format!("\"{name:.<width$}\"", width = STEP_BYTES - 2).into_bytes()
}
