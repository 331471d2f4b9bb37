//! A server that runs one batch at the pace of model calls, for subscribers to watch.
//!
//! It says where it listens, waits for a line of input, runs the batch, waits for the end of its
//! input, and says what that took.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use knowledge_domain::{
    ids::{ExtractionId, OrganizationId},
    workflow::{
        Activities, ActivityCall, ActivityContext, ActivityError, BoxFuture, Durable, StageCall,
        WorkflowError, WorkflowStage,
    },
};
use knowledge_server::{
    app,
    engine::{Job, Workflow, Workflows},
    http,
    store::{DatabaseUrl, ledger::DocumentOutcome},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin},
    net::TcpListener,
    sync::watch,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{parts, usage};

/// The stages with their units: a short document.
const STAGES: [(WorkflowStage, usize); 5] = [
    (WorkflowStage::Chunk, 1),
    (WorkflowStage::Mentions, 4),
    (WorkflowStage::Entities, 2),
    (WorkflowStage::Relations, 4),
    (WorkflowStage::Assemble, 1),
];

/// A batch and its pace.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Load {
    /// Documents of the batch
    #[arg(long, default_value_t = 120)]
    documents: usize,
    /// Documents at a time
    #[arg(long, default_value_t = 8)]
    concurrency: u32,
    /// Milliseconds of a unit
    #[arg(long, default_value_t = 400)]
    unit_ms: u64,
}

/// Serves until the input ends.
pub(crate) async fn run(url: &DatabaseUrl, load: Load) -> Result<()> {
    usage::allow_many_files()?;
    let ledger = parts::ledger(url).await?;
    let (go, wait) = watch::channel(false);
    let workflows = Arc::new(Paced {
        unit: Duration::from_millis(load.unit_ms),
        wait,
    });
    let orchestrator = parts::orchestrator(&ledger, workflows);
    let (store, hub) = (ledger.store().clone(), ledger.hub().clone());
    let limits = http::Limits::default();
    let state = http::AppState::new(store.clone(), orchestrator.clone(), app::access(&store), hub, limits);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let served = tokio::spawn(http::serve(listener, http::router(state), stop.clone()));

    let texts = (0..load.documents).map(|index| format!("document {index}"));
    let command = parts::batch(texts.collect(), load.concurrency, false);
    let batch = orchestrator.start(OrganizationId::DEFAULT, command).await?;
    say(
        address,
        &format!("/api/knowledge/extraction/progress/{batch}"),
    )?;

    let mut input = BufReader::new(stdin()).lines();
    let before = usage::resident_mib()?;
    next(&mut input).await?;
    let connected = usage::resident_mib()?;
    let (begun, spent) = (Instant::now(), usage::cpu_seconds()?);
    go.send(true)?;
    orchestrator.wait(batch).await;
    let seconds = begun.elapsed().as_secs_f64();
    // Until the last subscriber has said that it has seen everything.
    next(&mut input).await?;
    let sample = serde_json::json!({
        "seconds": seconds,
        "cpu_seconds": usage::cpu_seconds()? - spent,
        "before_mib": before,
        "connected_mib": connected,
        "peak_mib": usage::peak_mib()?,
    });
    println!("{sample}");
    stop.cancel();
    served.await?;
    Ok(())
}

/// Where subscribers go.
pub(crate) fn say(address: SocketAddr, path: &str) -> Result<()> {
    use std::io::Write;
    let line = serde_json::json!({ "address": address, "path": path });
    println!("{line}");
    Ok(std::io::stdout().flush()?)
}

/// Waits for a line of input.
pub(crate) async fn next(input: &mut Lines<BufReader<Stdin>>) -> Result<()> {
    input.next_line().await?.context("the input has ended")?;
    Ok(())
}

/// Workflows whose units wait as long as model calls do.
struct Paced {
    unit: Duration,
    /// Turns true when the batch may begin.
    wait: watch::Receiver<bool>,
}

impl Workflows for Paced {
    fn workflow<'a>(
        &'a self,
        job: &'a Job,
    ) -> BoxFuture<'a, Result<Arc<dyn Workflow>, WorkflowError>> {
        let workflow = Steps {
            extraction: ExtractionId::derive(job.run.content, "benchmark"),
            bodies: Arc::new(Bodies {
                unit: self.unit,
                wait: self.wait.clone(),
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
            for (stage, units) in STAGES {
                let call = |unit| ActivityCall {
                    name: format!("{stage}/{unit}"),
                    input: b"{}".to_vec(),
                };
                let calls = (0..units).map(call).collect();
                durable.run_stage(StageCall { stage, calls }).await?;
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

struct Bodies {
    unit: Duration,
    wait: watch::Receiver<bool>,
}

impl Activities for Bodies {
    fn run<'a>(
        &'a self,
        _: &'a ActivityContext,
        call: &'a ActivityCall,
    ) -> BoxFuture<'a, Result<Vec<u8>, ActivityError>> {
        let (mut wait, unit) = (self.wait.clone(), self.unit);
        // Units of different names take a little longer or shorter, always the same.
        let spread = call.name.bytes().map(u32::from).sum::<u32>() % 40 + 80;
        Box::pin(async move {
            // The sender lives as long as the batch.
            let _ = wait.wait_for(|go| *go).await;
            tokio::time::sleep(unit * spread / 100).await;
            Ok(b"{}".to_vec())
        })
    }
}
